// The log of audited commands on the store: written durably before a command is let through, read by auditors, counted
// by whatever they ask for. Text is cut to a bound and kept as it was otherwise; it is made safe where it is shown.
import { sql } from 'kysely';
import type { AuditedCommand, CommandLog } from '../../proxy/audit/ports.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { CommandsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** As much as the gate holds of one line. */
const LONGEST_TEXT = 2 * 1024 * 1024;
const LONGEST_JSON = 1024 * 1024;
/** Of what is noted at one time. */
const LONGEST_DETAIL = 1024;

/** Text that both databases take: no NUL, no half of a surrogate pair. */
const storable = (text: string, limit = LONGEST_TEXT): string =>
  text.slice(0, limit).toWellFormed().replaceAll('\0', '\ufffd');

const asJson = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'null';
  // PostgreSQL's text takes no NUL; JSON writes it as an escape, so only the length is left to bound.
  return text.length > LONGEST_JSON ? JSON.stringify({ cut: text.length }) : text;
};

const criticalities = ['low', 'medium', 'high'] as const;

const rowOf = (command: AuditedCommand): CommandsTable => {
  const { source } = command;
  const worst = Math.max(
    -1,
    ...command.rules.filter((rule) => !rule.shadow).map((rule) => criticalities.indexOf(rule.criticality)),
  );
  return {
    id: command.id,
    session_id: source.sessionId,
    channel: source.channel,
    at: command.at,
    recording_offset: Math.max(0, command.at - source.startedAt),
    user_id: source.user.id,
    user_name: source.user.name,
    device_id: source.device.id,
    device_name: source.device.name,
    credential_id: source.credential.id,
    credential_name: source.credential.name,
    account: source.credential.username,
    source_address: source.sourceAddress,
    channel_kind: command.channelKind,
    context: storable(command.context, 256),
    typed: command.hidden ? '' : storable(command.typed),
    command: command.hidden ? '' : storable(command.command),
    candidates_json: command.hidden ? '[]' : asJson(command.candidates),
    analysed_json: command.hidden ? '{}' : asJson(command.analysed),
    word: command.hidden ? '' : storable(command.word, 256),
    how_read: command.how,
    confidence: Math.round(command.confidence * 1000),
    hidden: command.hidden ? 1 : 0,
    decision: command.decision,
    outcome: command.outcome,
    outcome_detail: storable(command.detail, LONGEST_DETAIL),
    rules_json: asJson(command.hidden ? command.rules.map((rule) => ({ ...rule, why: '' })) : command.rules),
    criticality: criticalities[worst] ?? null,
    points: command.points,
    policy_version: command.policyVersion,
  };
};

export const createCommandLog = (store: Store): CommandLog => ({
  newId,
  append: async (command) => {
    const met = [...new Set(command.rules.map((rule) => rule.rule))];
    await Promise.all([
      store.append('commands', [rowOf(command)]),
      store.append(
        'command_rules',
        met.slice(0, 500).map((rule) => ({
          command_id: command.id,
          rule,
          user_id: command.source.user.id,
          session_id: command.source.sessionId,
          at: command.at,
        })),
      ),
    ]);
  },
  settle: async (id, outcome, detail) => {
    const text = storable(detail, LONGEST_DETAIL);
    // What was noted before stays: who approved it, and then what was moved.
    const both = sql<string>`substr(case when outcome_detail = '' then ${text} when ${text} = '' then outcome_detail else outcome_detail || '; ' || ${text} end, 1, ${sql.lit(2 * LONGEST_DETAIL)})`;
    await store.db
      .updateTable('commands')
      .set({ outcome, outcome_detail: both })
      .where('id', '=', id)
      .execute();
  },
  occurrences: async (userId, since) => {
    const rows = await store.db
      .selectFrom('command_rules')
      .select(['rule', (e) => e.fn.countAll<number | string>().as('met')])
      .where('user_id', '=', userId)
      .where('at', '>=', since)
      .groupBy('rule')
      .execute();
    return new Map(rows.map((row) => [row.rule, Number(row.met)]));
  },
});

export interface CommandFilter {
  /** Submitted at or after, milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly user: string | undefined;
  readonly device: string | undefined;
  readonly credential: string | undefined;
  /** A session's id, or the beginning of one. */
  readonly session: string | undefined;
  /** The name of the first command. */
  readonly word: string | undefined;
  readonly outcome: string | undefined;
  /** Submitted before. */
  readonly until?: number | undefined;
  /** Only those that met a rule. */
  readonly audited?: boolean;
}

const filtered = (store: Store, filter: CommandFilter) => {
  let query = store.db.selectFrom('commands');
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.device !== undefined) query = query.where('device_name', '=', filter.device);
  if (filter.credential !== undefined) query = query.where('credential_name', '=', filter.credential);
  if (filter.word !== undefined) query = query.where('word', '=', filter.word);
  if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome);
  if (filter.until !== undefined) query = query.where('at', '<', filter.until);
  if (filter.audited === true) query = query.where('rules_json', '<>', '[]');
  if (filter.session !== undefined) {
    // `~` sorts after every character of an id.
    query = query.where('session_id', '>=', filter.session).where('session_id', '<', `${filter.session}~`);
  }
  return query;
};

/** Newest first, where nothing else is said. By points, those that have any; `newest-first` is then: the most first. */
export const listCommands = (
  store: Store,
  filter: CommandFilter & {
    readonly limit: number;
    readonly after: string | undefined;
    readonly order?: 'newest-first' | 'oldest-first';
    readonly sort?: 'at' | 'points';
  },
): Promise<Page<CommandsTable>> => {
  const { sort = 'at', order = 'newest-first', limit, after } = filter;
  const query = filtered(store, filter).selectAll();
  return readPage(sort === 'at' ? query : query.where('points', '>', 0), {
    time: sort,
    id: 'id',
    order,
    limit,
    after,
    positionOf: (row) => ({ time: row[sort], id: row.id }),
  });
};

export const countedBy = ['command', 'device', 'credential', 'user', 'session'] as const;
export type CountedBy = (typeof countedBy)[number];

const columns = {
  command: 'word',
  device: 'device_name',
  credential: 'credential_name',
  user: 'user_name',
  session: 'session_id',
} as const satisfies Record<CountedBy, string>;

/** How often something occurs in the log, and what came of it. */
export interface CommandCount {
  readonly of: string;
  readonly commands: number;
  /** Met at least one rule. */
  readonly audited: number;
  /** Did not run because of a rule: blocked, interrupted or declined. */
  readonly stopped: number;
  readonly refused: number;
  readonly points: number;
  readonly sessions: number;
  readonly users: number;
  readonly first: number;
  readonly last: number;
}

/** Most frequent first. */
export const countCommands = async (
  store: Store,
  by: CountedBy,
  filter: CommandFilter & { readonly limit: number },
): Promise<readonly CommandCount[]> => {
  const column = columns[by];
  const rows = await filtered(store, filter)
    .select((e) => [
      e.ref(column).as('of'),
      e.fn.countAll<number | string>().as('commands'),
      e.fn.countAll<number | string>().filterWhere('rules_json', '<>', '[]').as('audited'),
      e.fn
        .countAll<number | string>()
        .filterWhere('outcome', 'in', ['blocked', 'interrupted', 'declined'])
        .as('stopped'),
      e.fn.countAll<number | string>().filterWhere('outcome', '=', 'refused').as('refused'),
      e.fn.sum<number | string>('points').as('points'),
      e.fn.count<number | string>('session_id').distinct().as('sessions'),
      e.fn.count<number | string>('user_id').distinct().as('users'),
      e.fn.min('at').as('first'),
      e.fn.max('at').as('last'),
    ])
    .groupBy(column)
    .orderBy('commands', 'desc')
    .orderBy(column)
    .limit(Math.max(1, Math.min(10_000, filter.limit)))
    .execute();
  return rows.map((row) => ({
    of: row.of,
    commands: Number(row.commands),
    audited: Number(row.audited),
    stopped: Number(row.stopped),
    refused: Number(row.refused),
    points: Number(row.points),
    sessions: Number(row.sessions),
    users: Number(row.users),
    first: Number(row.first),
    last: Number(row.last),
  }));
};
