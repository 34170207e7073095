// Events in the Elastic Common Schema, version 9.1.0 (elastic.co/docs/reference/ecs). What has no field there stands
// under `sallyport`. Categorisation fields hold only the values that ECS allows. Pure.
import type { GatewayEvent } from '../behaviour/events.ts';
import {
  commandStopped,
  commandWaits,
  personOf,
  type Severity,
  sentenceOf,
  sessionOf,
  severityOf,
  sourceOf,
  targetOf,
} from './describe.ts';
import type { Producer } from './ocsf.ts';
import { LONGEST_LINE, plain } from './plain-text.ts';

export const ECS_VERSION = '9.1.0';

type Json = { readonly [key: string]: unknown };

const SEVERITY: Readonly<Record<Severity, number>> = {
  informational: 10,
  low: 21,
  medium: 47,
  high: 73,
  critical: 99,
};

interface Categories {
  readonly kind: 'event' | 'alert' | 'state' | 'pipeline_error';
  readonly category: readonly string[];
  readonly type: readonly string[];
  readonly outcome: 'success' | 'failure' | 'unknown';
}

const categoriesOf = (event: GatewayEvent): Categories => {
  switch (event.kind) {
    case 'signed-in':
      return { kind: 'event', category: ['authentication'], type: ['start'], outcome: 'success' };
    case 'sign-in-failed':
      return { kind: 'event', category: ['authentication'], type: ['start'], outcome: 'failure' };
    case 'session-started':
      return {
        kind: 'event',
        category: ['session', 'network'],
        type: ['start', 'allowed'],
        outcome: 'success',
      };
    case 'session-refused':
      return {
        kind: 'event',
        category: ['session', 'network'],
        type: ['start', 'denied'],
        outcome: 'failure',
      };
    case 'session-ended':
      return { kind: 'event', category: ['session', 'network'], type: ['end'], outcome: 'success' };
    case 'command':
      return {
        kind: commandStopped(event.outcome) || event.outcome === 'alarm' ? 'alert' : 'event',
        category: ['process'],
        type: commandStopped(event.outcome) || commandWaits(event.outcome) ? ['info'] : ['start'],
        outcome: commandStopped(event.outcome)
          ? 'failure'
          : commandWaits(event.outcome)
            ? 'unknown'
            : 'success',
      };
    case 'command-settled':
      return {
        kind: 'event',
        category: ['process'],
        type: ['info'],
        outcome: commandStopped(event.outcome) ? 'failure' : 'success',
      };
    case 'transfer':
      return { kind: 'event', category: ['network', 'file'], type: ['info'], outcome: 'success' };
    case 'risk-changed':
      return {
        kind: event.suspicious ? 'alert' : 'event',
        category: ['threat'],
        type: ['indicator'],
        outcome: 'unknown',
      };
    case 'identification-required':
      return { kind: 'event', category: ['authentication'], type: ['info'], outcome: 'unknown' };
    case 'identification-passed':
      return { kind: 'event', category: ['authentication'], type: ['start'], outcome: 'success' };
    case 'identification-failed':
    case 'identification-timed-out':
      return { kind: 'alert', category: ['authentication'], type: ['start'], outcome: 'failure' };
    case 'credential-viewed':
      return { kind: 'event', category: ['iam'], type: ['info'], outcome: 'success' };
    case 'credential-view-refused':
      return { kind: 'event', category: ['iam'], type: ['info'], outcome: 'failure' };
    case 'credential-changed':
      return {
        kind: event.unusual ? 'alert' : 'event',
        category: ['iam'],
        type: ['user', 'change'],
        outcome: event.how === 'rotation-failed' ? 'failure' : 'success',
      };
    case 'rating-changed':
      return { kind: 'state', category: ['iam'], type: ['info'], outcome: 'unknown' };
    case 'user-disabled':
      return { kind: 'event', category: ['iam'], type: ['user', 'change'], outcome: 'success' };
    case 'setting-changed':
      return { kind: 'event', category: ['configuration'], type: ['change'], outcome: 'success' };
    case 'finding-changed':
      return {
        kind: event.change === 'created' ? 'alert' : 'event',
        category: ['threat'],
        type: ['indicator'],
        outcome: 'unknown',
      };
    case 'audit-changed':
    case 'exception-changed':
      return { kind: 'event', category: ['iam'], type: ['info'], outcome: 'unknown' };
    case 'output-overflowed':
      return { kind: 'pipeline_error', category: ['configuration'], type: ['info'], outcome: 'failure' };
    default:
      return event satisfies never;
  }
};

/** Every text in it made fit to be shown; numbers and flags stay. */
const cleaned = (value: unknown): unknown => {
  if (typeof value === 'string') return plain(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cleaned(inner)]));
};

/** What is ours alone. */
const own = (event: GatewayEvent): Json => {
  switch (event.kind) {
    case 'signed-in':
    case 'sign-in-failed':
      return { authentication: event.authentication, code: event.code };
    case 'session-started':
      return { authentication: event.authentication, grant: event.grant.name, score: event.score };
    case 'session-refused':
      return { code: event.code, wanted: event.wanted };
    case 'session-ended':
      return { reason: event.reason, score: event.score, suspicious: event.suspicious };
    case 'command':
      return {
        channel: event.channelKind,
        second: event.second,
        decision: event.decision,
        outcome: event.outcome,
        points: event.points,
        privileged: event.privileged,
        rules: event.rules.map(({ rule }) => rule),
      };
    case 'command-settled':
      return { command: event.command, outcome: event.outcome };
    case 'transfer':
      return { channel: event.channelKind, files: event.files };
    case 'risk-changed':
      return {
        score: event.after,
        before: event.before,
        suspicious: event.suspicious,
        dimensions: event.findings.map(({ dimension, points, seen }) => ({
          dimension,
          points,
          seen: seen,
        })),
      };
    case 'identification-required':
    case 'identification-passed':
    case 'identification-failed':
    case 'identification-timed-out':
      return { trigger: event.trigger, identification: event.identification };
    case 'credential-viewed':
    case 'credential-view-refused':
      return {
        credential: event.target.credential.name,
        reason: event.reason,
        code: event.code,
        score: event.score,
      };
    case 'credential-changed':
      return {
        credential: event.target.credential.name,
        how: event.how,
        unusual: event.unusual,
      };
    case 'rating-changed':
      return { before: event.before, after: event.after, cause: event.cause };
    case 'user-disabled':
      return { by: event.by, reason: event.reason };
    case 'setting-changed':
      return {
        key: event.key,
        before: JSON.stringify(event.before) ?? '',
        after: JSON.stringify(event.after) ?? '',
      };
    case 'finding-changed':
      return {
        finding: event.finding,
        level: event.level,
        signal: event.signal,
        change: event.change,
        score: event.score,
        evidence: event.evidence.slice(0, 100),
      };
    case 'audit-changed':
      return {
        entry: event.entry,
        step: event.step,
        auditor: event.auditor,
        comment: event.comment,
      };
    case 'exception-changed':
      return {
        request: event.request,
        command: event.command,
        device: event.device,
        rule: event.rule,
        step: event.step,
        by: event.by,
        text: event.text,
      };
    case 'output-overflowed':
      return { output: event.output, lost: event.lost, policy: event.policy };
    default:
      return event satisfies never;
  }
};

const related = (event: GatewayEvent): Json => {
  const users = new Set<string>();
  const person = personOf(event);
  if (person !== undefined) users.add(plain(person.name, 256));
  const target = targetOf(event);
  if (target !== undefined) users.add(plain(target.credential.username, 256));
  const source = sourceOf(event);
  return {
    ...(users.size === 0 ? {} : { user: [...users] }),
    ...(target === undefined ? {} : { hosts: [plain(target.device.name, 256)] }),
    ...(source === '' ? {} : { ip: [plain(source, 64)] }),
  };
};

/** The event as an ECS document. */
export const toEcs = (event: GatewayEvent, producer: Producer): Json => {
  const { kind, category, type, outcome } = categoriesOf(event);
  const person = personOf(event);
  const target = targetOf(event);
  const source = sourceOf(event);
  const session = sessionOf(event);
  return {
    '@timestamp': new Date(event.at).toISOString(),
    ecs: { version: ECS_VERSION },
    message: sentenceOf(event),
    event: {
      id: event.id,
      kind,
      category,
      type,
      outcome,
      action: event.kind,
      severity: SEVERITY[severityOf(event)],
      module: 'sallyport',
      dataset: `sallyport.${event.kind}`,
      provider: 'sallyport',
      ...('score' in event ? { risk_score: event.score } : {}),
    },
    observer: {
      name: plain(producer.gateway, 128),
      product: 'Sallyport',
      vendor: 'Sallyport',
      version: producer.version,
      type: 'proxy',
    },
    ...(person === undefined
      ? {}
      : {
          user: { name: plain(person.name, 256), ...(person.id === undefined ? {} : { id: person.id }) },
        }),
    // In ECS an address may be a name; `source.ip` must be an address.
    ...(source === ''
      ? {}
      : {
          source: {
            address: plain(source, 64),
            ...(/^[0-9a-fA-F.:]{2,45}$/.test(source) ? { ip: source } : {}),
            ...(event.kind === 'session-ended' ? { bytes: event.bytesFromClient } : {}),
          },
        }),
    ...(target === undefined
      ? {}
      : {
          host: { id: target.device.id, name: plain(target.device.name, 256) },
          destination: {
            address: plain(target.device.name, 256),
            user: { name: plain(target.credential.username, 256) },
            ...(event.kind === 'session-ended' ? { bytes: event.bytesFromDevice } : {}),
          },
          network: { protocol: 'ssh', transport: 'tcp' },
        }),
    ...(event.kind === 'command'
      ? {
          process: {
            entity_id: event.command,
            name: plain(event.word, 256),
            ...(event.text === '' ? {} : { command_line: plain(event.text, LONGEST_LINE) }),
          },
          ...(event.rules.length === 0 ? {} : { rule: { name: plain(event.rules[0]?.rule ?? '', 256) } }),
        }
      : {}),
    related: related(event),
    sallyport: cleaned({ ...(session === undefined ? {} : { session }), ...own(event) }),
  };
};
