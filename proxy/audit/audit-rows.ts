// What every gate does with the log of audited commands, whatever it judges: builds a row, counts what rules ask to have
// counted, writes the row durably within a bound, notes what became of it, and carries out what a rule says of the user.
// What is decided, and what follows for the channel, is the gates' own.
import type { Counters, Decision, SessionContext } from '../../policies/match.ts';
import type { GateContext } from '../channels/gate-port.ts';
import { plainText } from '../channels/terminal-text.ts';
import { within } from '../server/bounded.ts';
import type {
  AuditDeps,
  AuditedCommand,
  CommandLog,
  CommandOutcome,
  CommandSource,
  LoggedRule,
  RowRedaction,
} from './ports.ts';

/** Matches older than this no longer count towards `occurrences`. Milliseconds. */
const OCCURRENCES_WITHIN = 24 * 3_600_000;
/** How long the log may take for one row. Milliseconds. */
const LOG_BOUND = 15_000;

/** What a row holds beside its source, its time and the decision. */
export type RowText = Pick<
  AuditedCommand,
  | 'channelKind'
  | 'context'
  | 'typed'
  | 'command'
  | 'candidates'
  | 'analysed'
  | 'word'
  | 'how'
  | 'confidence'
  | 'hidden'
  | 'detail'
>;

export interface Recorded {
  readonly decision: Decision;
  readonly entry: AuditedCommand;
}

const NOTHING_COUNTED: Counters = { occurrences: () => 0 };

/** Of each log, the last of a user's commands that is being counted. */
const counting = new WeakMap<CommandLog, Map<string, Promise<unknown>>>();

const counts = (decision: Decision): boolean => decision.matches.some((match) => match.occurrences > 1);

export class AuditRows {
  readonly #deps: AuditDeps;
  readonly #context: GateContext;
  readonly #source: CommandSource;
  readonly #redaction: RowRedaction | undefined;

  constructor(deps: AuditDeps, context: GateContext) {
    this.#deps = deps;
    this.#context = context;
    this.#redaction = deps.redaction?.();
    const { sessionId, channel, startedAt, user, device, credential, sourceAddress } = context;
    this.#source = {
      sessionId,
      channel,
      startedAt,
      user: { id: user.id, name: user.name },
      device: { id: device.id, name: device.name },
      credential,
      sourceAddress,
    };
  }

  /** `reader`: what reads it, in the words of a rule's `contexts`. */
  sessionContext(channel: SessionContext['channel'], reader: string | undefined): SessionContext {
    const { user, device, credential } = this.#context;
    return {
      user: user.name,
      groups: user.groups,
      device: device.name,
      tags: device.tags,
      credential: credential.name,
      channel,
      context: reader,
      at: new Date(this.#deps.now()),
    };
  }

  entry(row: RowText, decision: Decision, outcome: CommandOutcome): AuditedCommand {
    const entry: AuditedCommand = {
      ...row,
      id: this.#deps.log.newId(),
      source: this.#source,
      at: this.#deps.now(),
      decision: decision.action,
      outcome,
      rules: decision.matches.map(loggedRule),
      points: decision.points,
      policyVersion: decision.policyVersion,
    };
    return this.#redaction?.row(entry) ?? entry;
  }

  /** Decides as if no rule had been met before. */
  decideFirst(decide: (counters: Counters) => Decision): Decision {
    return decide(NOTHING_COUNTED);
  }

  /**
   * Decides with the counts that rules ask for, and writes the row before it resolves. Commands of one user that are
   * counted take turns here, so that many at once can't all be the first; what other processes wrote meanwhile is
   * counted once more behind the row. `entryOf` answers nothing for what is not worth a row.
   */
  async record(
    decide: (counters: Counters) => Decision,
    entryOf: (decision: Decision) => AuditedCommand | undefined,
    first: Decision = this.decideFirst(decide),
  ): Promise<Recorded | { readonly decision: Decision; readonly entry: undefined }> {
    if (!counts(first)) return this.#write(first, entryOf(first));
    return this.#inTurn(async () => {
      const before = await this.#met();
      const decision = decide({ occurrences: (rule) => before.get(rule) ?? 0 });
      const written = await this.#write(decision, entryOf(decision));
      if (written.entry === undefined) return written;
      const after = await this.#met();
      const own = new Set(decision.matches.map(({ rule }) => rule));
      const again = decide({ occurrences: (rule) => (after.get(rule) ?? 0) - (own.has(rule) ? 1 : 0) });
      if (again.action === decision.action) return written;
      const entry = entryOf(again) ?? written.entry;
      await this.settle(written.entry.id, entry.outcome, 'met elsewhere at the same time');
      return { decision: again, entry: { ...entry, id: written.entry.id } };
    });
  }

  append(entry: AuditedCommand): Promise<void> {
    return within(LOG_BOUND, 'the audit log', this.#deps.log.append(entry));
  }

  /** Notes what became of it; `detail` is added to what was noted before. */
  settle(id: string, outcome: CommandOutcome, detail: string): Promise<void> {
    const kept = this.#redaction?.detail(detail) ?? detail;
    return within(LOG_BOUND, 'the audit log', this.#deps.log.settle(id, outcome, plainText(kept)));
  }

  /** For the gateway's own log: what met a rule or did not run. */
  tell(entry: AuditedCommand, what: 'command' | 'operation'): void {
    if (entry.rules.length === 0 && entry.outcome === 'ran') return;
    this.#deps.events.info(
      {
        session: this.#source.sessionId,
        user: this.#source.user.name,
        device: this.#source.device.name,
        command: entry.hidden ? '' : plainText(entry.command).slice(0, 512),
        decision: entry.decision,
        outcome: entry.outcome,
        rules: entry.rules.map(({ rule }) => rule).slice(0, 20),
        points: entry.points,
      },
      `${what} audited`,
    );
  }

  failed(error: unknown, what: string): void {
    this.#deps.events.warn(
      { session: this.#source.sessionId, code: 'SP_AUDIT_LOG', error: textOf(error) },
      `${what} not logged`,
    );
  }

  /**
   * Carries out a rule's `disableUser`, which ends this session with all others of the user: only after whoever has
   * just been given the decision has told them what was refused, which they do without waiting for anything.
   */
  disableUserAfterwards(decision: Decision): void {
    if (decision.disableUser) setImmediate(() => void this.#disableUser(decision));
  }

  /** Never rejects. */
  async #disableUser(decision: Decision): Promise<void> {
    const rule = decision.matches.find((match) => match.disableUser)?.rule ?? 'a rule';
    try {
      const disabled = this.#deps.userLock.disable(this.#source.user.name, `by the rule ${rule}`);
      await within(LOG_BOUND, 'the directory', disabled);
    } catch (error) {
      this.#deps.events.warn(
        { session: this.#source.sessionId, user: this.#source.user.name, error: textOf(error) },
        'user not disabled',
      );
    }
  }

  async #write(decision: Decision, entry: AuditedCommand | undefined) {
    if (entry !== undefined) await this.append(entry);
    return { decision, entry };
  }

  #met(): Promise<ReadonlyMap<string, number>> {
    const since = this.#deps.now() - OCCURRENCES_WITHIN;
    return within(LOG_BOUND, 'the audit log', this.#deps.log.occurrences(this.#source.user.id, since));
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const users = counting.get(this.#deps.log) ?? new Map<string, Promise<unknown>>();
    counting.set(this.#deps.log, users);
    const { id } = this.#source.user;
    const before = users.get(id) ?? Promise.resolve();
    const done = before.then(work, work);
    users.set(id, done);
    try {
      return await done;
    } finally {
      if (users.get(id) === done) users.delete(id);
    }
  }
}

const loggedRule = ({
  rule,
  action,
  criticality,
  points,
  effective,
  shadow,
  occurrence,
  why,
}: Decision['matches'][number]): LoggedRule => ({
  rule,
  action,
  criticality,
  points,
  effective,
  shadow,
  occurrence,
  why,
});

/** What becomes of something at first, by the action that was decided. */
export const outcomeOf = (action: Decision['action']): CommandOutcome => {
  switch (action) {
    case 'none':
    case 'log':
      return 'ran';
    case 'block':
      return 'blocked';
    case 'interrupt':
      return 'interrupted';
    case 'confirm':
    case 'reauthenticate':
    case 'approve':
      return 'asked';
  }
};

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
