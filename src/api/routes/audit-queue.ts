// The auditors' queue, and the log of looks at credentials. An auditor sees what they were given; whoever is no auditor
// sees everything and changes nothing. The queue itself keeps people from judging what they did themselves.
import { z } from 'zod';
import { defaultAuditors, listDefaultAuditors, setDefaultAuditors } from '../../audit-queue/auditors.ts';
import { AuditQueueError } from '../../audit-queue/errors.ts';
import {
  type AuditEntryView,
  type AuditQueueParts,
  admitSubmitted,
  assignEntry,
  auditDetail,
  commentEntry,
  LONGEST_COMMENT,
  listAuditEntries,
  markAudited,
  reopenEntry,
} from '../../audit-queue/queue.ts';
import { listViews, viewCredential } from '../../credentials/views.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { actorOf, type Principal, plain, type Route, route } from '../route.ts';
import {
  asInstant,
  asInstantOrNull,
  checkVersion,
  etagOf,
  instant,
  moment,
  named,
  pageOf,
  paging,
  sorted,
  word,
} from './shapes.ts';

const entry = z
  .object({
    id: z.string(),
    kind: z.enum(['session', 'view']),
    /** The session's or the view's id. */
    subject: z.string(),
    user: z.string(),
    submittedAt: instant,
    reason: z.string(),
    score: z.number(),
    state: z.enum(['open', 'audited']),
    auditedBy: z.string().nullable(),
    auditedAt: instant.nullable(),
  })
  .meta({ id: 'AuditEntry' });

const detail = z
  .object({
    entry,
    auditors: z.array(z.string()),
    history: z.array(z.object({ at: instant, auditor: z.string(), step: z.string(), comment: z.string() })),
  })
  .meta({ id: 'AuditDetail' });

const view = z
  .object({
    id: z.string(),
    at: instant,
    user: z.string(),
    credential: z.string(),
    device: z.string(),
    account: z.string(),
    source: z.string(),
    reason: z.string(),
    outcome: z.enum(['shown', 'refused']),
    code: z.string(),
    score: z.number(),
    suspicious: z.boolean(),
  })
  .meta({ id: 'CredentialView' });

const shown = (one: AuditEntryView): z.input<typeof entry> => ({
  ...one,
  submittedAt: asInstant(one.submittedAt),
  auditedBy: one.auditedBy ?? null,
  auditedAt: asInstantOrNull(one.auditedAt),
});

const queueOf = (parts: ApiParts): AuditQueueParts => ({
  store: parts.store,
  events: parts.events,
  now: parts.now,
});

/** Undefined: sees everything. */
const asAuditor = (principal: Principal): string | undefined =>
  principal.roles.includes('auditor') && !principal.roles.includes('administrator')
    ? principal.name
    : undefined;

const auditing = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AuditQueueError)) throw error;
    switch (error.code) {
      case 'SP_AUDIT_UNKNOWN':
        throw new ApiProblem('SP_API_UNKNOWN', error.message);
      case 'SP_AUDIT_OWN':
        throw new ApiProblem('SP_API_FORBIDDEN', error.message);
      case 'SP_AUDIT_COMMENT':
        throw new ApiProblem('SP_API_INVALID', error.message);
      case 'SP_AUDIT_STATE':
      case 'SP_AUDIT_NO_AUDITOR':
        throw new ApiProblem('SP_API_CONFLICT', error.message);
    }
  }
};

const shownDetail = async (
  parts: ApiParts,
  id: string,
  auditor: string | undefined,
): Promise<z.input<typeof detail>> => {
  const found = await auditing(auditDetail(parts.store, id, auditor));
  return {
    entry: shown(found.entry),
    auditors: [...found.auditors],
    history: found.history.map((step) => ({ ...step, at: asInstant(step.at) })),
  };
};

const withId = z.object({ id: z.string().regex(/^[0-9a-f-]{36}$/, 'an entry’s id') });
const comment = z.string().min(1).max(LONGEST_COMMENT);

const queueRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/audit-queue',
    tag: 'audit',
    summary: 'What auditors are to look at, newest first; an auditor sees their own',
    permission: 'findings.read',
    query: z.object({
      ...paging,
      ...sorted(['submitted', 'score']),
      state: z.enum(['open', 'audited']).optional(),
      user: word.optional(),
      since: moment.optional(),
    }),
    result: pageOf(entry),
    serve: async ({ query }, principal) => {
      await admitSubmitted(queueOf(parts));
      const page = await auditing(
        listAuditEntries(parts.store, {
          auditor: asAuditor(principal),
          state: query.state,
          user: query.user,
          since: query.since,
          limit: query.limit,
          after: query.after,
          sort: query.sort,
          order: query.order,
        }),
      );
      return { body: { items: page.rows.map(shown), next: page.next ?? null } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/audit-queue/{id}',
    tag: 'audit',
    summary: 'One entry with its history',
    permission: 'findings.read',
    params: withId,
    result: detail,
    serve: async ({ params }, principal) => ({
      body: await shownDetail(parts, params.id, asAuditor(principal)),
    }),
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/audit-queue/{id}/comments',
    tag: 'audit',
    summary: 'Comment on an entry',
    permission: 'findings.write',
    params: withId,
    body: z.strictObject({ comment }),
    result: detail,
    serve: async ({ params, body }, principal) => {
      await auditing(
        commentEntry(queueOf(parts), { id: params.id, auditor: principal.name, comment: body.comment }),
      );
      return { body: await shownDetail(parts, params.id, asAuditor(principal)) };
    },
  }),
  ...(['audited', 'reopened'] as const).map((what) =>
    route({
      ...plain,
      method: 'POST',
      path: `/api/audit-queue/{id}/${what}`,
      tag: 'audit',
      summary: what === 'audited' ? 'Mark an entry as audited' : 'Open an entry again',
      permission: 'findings.write',
      params: withId,
      body: z.strictObject({ comment: comment.optional() }),
      result: detail,
      serve: async ({ params, body }, principal) => {
        const step = { id: params.id, auditor: principal.name, comment: body.comment };
        await auditing(
          what === 'audited' ? markAudited(queueOf(parts), step) : reopenEntry(queueOf(parts), step),
        );
        return { body: await shownDetail(parts, params.id, asAuditor(principal)) };
      },
    }),
  ),
  route({
    ...plain,
    method: 'POST',
    path: '/api/audit-queue/{id}/auditors',
    tag: 'audit',
    summary: 'Give an entry to one more auditor',
    permission: 'directory.write',
    params: withId,
    body: z.strictObject({ auditor: word }),
    result: detail,
    serve: async ({ params, body }, principal) => {
      await auditing(
        assignEntry(queueOf(parts), { id: params.id, auditor: body.auditor, by: actorOf(principal) }),
      );
      return { body: await shownDetail(parts, params.id, undefined) };
    },
  }),
];

const auditorsInForce = z
  .object({
    /** Named ones; none: everybody with the role. */
    items: z.array(
      z.object({
        name: z.string(),
        addedAt: instant,
        addedBy: z.string(),
        /** False: disabled, gone, or no auditor any more; gets nothing. */
        active: z.boolean(),
      }),
    ),
    /** Who gets what is submitted now. */
    effective: z.array(z.string()),
  })
  .meta({ id: 'DefaultAuditors' });

const shownAuditors = async (
  parts: ApiParts,
): Promise<{ readonly body: z.input<typeof auditorsInForce>; readonly etag: string }> => {
  const [named, effective] = await Promise.all([
    listDefaultAuditors(parts.store),
    defaultAuditors(parts.store.db),
  ]);
  const items = named.map((one) => ({ ...one, addedAt: asInstant(one.addedAt) }));
  return {
    body: { items, effective: effective.map(({ name }) => name) },
    etag: etagOf(named.map(({ name }) => name)),
  };
};

const defaultAuditorRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/default-auditors',
    tag: 'audit',
    summary: 'Who gets what is submitted for audit: those who are named, else everybody with the role',
    permission: 'findings.read',
    result: auditorsInForce,
    serve: async () => shownAuditors(parts),
  }),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/default-auditors',
    tag: 'audit',
    summary: 'Name who gets what is submitted for audit from now on; nobody: everybody with the role',
    permission: 'directory.write',
    versioned: true,
    body: z.strictObject({ names: z.array(word.max(128)).max(200) }),
    result: auditorsInForce,
    serve: async ({ body, asked }, principal) => {
      const by = actorOf(principal);
      const { added, removed } = await auditing(
        setDefaultAuditors(parts.store, body.names, {
          by,
          now: parts.now(),
          before: (named) => checkVersion(asked, etagOf(named)),
        }),
      );
      await recordAct(parts.store, parts.now(), {
        actor: by,
        action: 'changed',
        kind: 'default auditors',
        name: 'all',
        detail: { added, removed },
      });
      return shownAuditors(parts);
    },
  }),
];

const viewRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/credential-views',
    tag: 'audit',
    summary: 'Who looked at a credential, why, and how unusual it was; newest first, refused ones too',
    permission: 'findings.read',
    query: z.object({
      ...paging,
      since: moment.optional(),
      user: word.optional(),
      credential: word.optional(),
    }),
    result: pageOf(view),
    serve: async ({ query }) => {
      const { since, user, credential, limit, after } = query;
      const page = await listViews(parts.store, { since, user, credential, limit, after });
      return {
        body: {
          items: page.rows.map(({ sourceAddress, ...one }) => ({
            ...one,
            at: asInstant(one.at),
            source: sourceAddress,
          })),
          next: page.next ?? null,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/credentials/{name}/view',
    tag: 'audit',
    summary: 'Look at a credential that a grant lets one look at; judged, logged, and shown this once',
    permission: 'self',
    perMinute: 20,
    secretAnswer: true,
    params: named,
    body: z.strictObject({ reason: z.string().min(3).max(500) }),
    result: z.object({
      view: z.string(),
      account: z.string(),
      device: z.string(),
      password: z.string().nullable(),
      privateKey: z.string().nullable(),
      suspicious: z.boolean(),
    }),
    serve: async ({ params, body, asked }, principal) => {
      if (principal.kind === 'token')
        throw new ApiProblem('SP_API_FORBIDDEN', 'a person looks at a credential, not a program');
      const { store, vault, events, now } = parts;
      const outcome = await viewCredential(
        { store, vault, events, now },
        {
          credential: params.name,
          user: principal.name,
          reason: body.reason,
          sourceAddress: asked.sourceAddress,
          authority: 'grant',
        },
      );
      if (outcome.kind === 'refused') throw new ApiProblem('SP_API_FORBIDDEN', outcome.tell);
      await recordAct(store, now(), {
        actor: actorOf(principal),
        action: 'viewed',
        kind: 'credential',
        name: params.name,
        detail: { reason: body.reason },
      });
      const { secret } = outcome;
      return {
        body: {
          view: outcome.view.id,
          account: outcome.view.account,
          device: outcome.view.device,
          password: secret.password ?? null,
          privateKey: secret.kind === 'privateKey' ? secret.privateKey : null,
          suspicious: outcome.view.suspicious,
        },
      };
    },
  }),
];

export const auditQueueRoutes = (parts: ApiParts): readonly Route[] => [
  ...queueRoutes(parts),
  ...defaultAuditorRoutes(parts),
  ...viewRoutes(parts),
];
