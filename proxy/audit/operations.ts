// Judges what is not a command: operations on files and forwards. Decides over every spelling of a path, writes the
// operation to the log, asks a second person where a rule says so, and only then answers. What a channel does with the
// answer is its gate's. Rows are durable before the operation goes on where the grant records strictly or a rule could
// deny something; elsewhere they are written meanwhile, a bounded number at a time: when the log fails, the session ends.
import type { Counters, Decision, Operation, RuleMatch, SessionContext } from '../../policies/match.ts';
import { type Action, actions } from '../../policies/rules/schema.ts';
import type { GateContext } from '../channels/gate-port.ts';
import { plainText } from '../channels/terminal-text.ts';
import { within } from '../server/bounded.ts';
import { AuditRows, outcomeOf } from './audit-rows.ts';
import type { AuditDeps, AuditedCommand, CommandOutcome } from './ports.ts';

/** One thing that is done. */
export interface Asked {
  /** As it is, as far as that is known; undefined: nothing is done that an allow-list is about. */
  readonly operation: Operation | undefined;
  /** The same in other words: rules may match any of them, an allow-list needs none of them. */
  readonly also: readonly Operation[];
}

export interface OperationRequest {
  readonly kind: SessionContext['channel'];
  /** `put`, `get`, `remove`, …: what occurrences are counted by. */
  readonly word: string;
  /** As it was sent. */
  readonly typed: string;
  /** As it was judged. */
  readonly command: string;
  /** All of it must be allowed. */
  readonly asked: readonly Asked[];
  readonly analysed: object;
  /** Not worth a line in the log unless a rule says something about it. */
  readonly quiet: boolean;
  /** Waits for the log also when no rule has anything to say. */
  readonly durable?: boolean;
}

export interface OperationRecord {
  /** Notes what became of it; never rejects, is not waited for. */
  settle(outcome: CommandOutcome, detail: string): void;
}

export type OperationRuling =
  | { readonly kind: 'pass'; readonly record: OperationRecord | undefined; readonly rules: readonly string[] }
  /** `reason` is one line for a protocol's error message. */
  | { readonly kind: 'deny'; readonly reason: string }
  /** The session ends. */
  | { readonly kind: 'end'; readonly reason: string };

export interface OperationEvents {
  /** Somebody else is asked; the user may be told. */
  waiting(tell: string): void;
  /** The log can't be written: nothing more may be done. */
  logFailed(): void;
  /** There is room again after `busy`. */
  roomAgain(): void;
}

/** How long a second person's answer may take to come through, beyond their patience. Milliseconds. */
const ANSWER_BOUND = 15_000;
/** Rows under way; a channel that has so many waits. */
const MOST_UNDER_WAY = 256;

const severity = (action: Action | 'none'): number => (action === 'none' ? 0 : actions.indexOf(action) + 1);

const isMiss = (match: RuleMatch): boolean =>
  match.description === 'not on the allow-list' && match.rule.endsWith('/others');

export class OperationJudge implements Disposable {
  readonly #deps: AuditDeps;
  readonly #rows: AuditRows;
  readonly #events: OperationEvents;
  readonly #cancels = new Set<() => void>();
  /** Nothing is done before its row is durable, whether or not a rule speaks about it. */
  readonly #strict: boolean;
  #underWay = 0;
  #failed = false;
  #ended = false;
  #holding: { readonly policy: object; readonly kind: string; readonly holding: boolean } | undefined;

  constructor(deps: AuditDeps, context: GateContext, events: OperationEvents) {
    this.#deps = deps;
    this.#rows = new AuditRows(deps, context);
    this.#strict = context.grant.recording !== 'best-effort';
    this.#events = events;
  }

  /** Whether any rule could keep something of this channel from being done. */
  mayHold(kind: SessionContext['channel']): boolean {
    const policy = this.#deps.policies.current;
    if (this.#holding?.policy !== policy || this.#holding.kind !== kind) {
      const { holding } = policy.appliesTo(this.#rows.sessionContext(kind, kind));
      this.#holding = { policy, kind, holding };
    }
    return this.#holding.holding;
  }

  /** So much waits for the log that the channel should wait for `roomAgain`. */
  get busy(): boolean {
    return this.#underWay >= MOST_UNDER_WAY;
  }

  /** At once when nothing has to be written first. Never rejects: what fails is denied. */
  judge(request: OperationRequest): OperationRuling | Promise<OperationRuling> {
    if (this.#failed) return NOT_LOGGED;
    const decision = this.#rows.decideFirst((counters) => this.#decide(request, counters));
    if (decision.matches.length > 0 || request.durable === true) return this.#watched(request, decision);
    if (request.quiet) return { kind: 'pass', record: undefined, rules: [] };
    if (this.#strict || this.mayHold(request.kind)) return this.#watched(request, decision);
    return { kind: 'pass', record: this.#recordAside(this.#entry(request, decision, 'ran')), rules: [] };
  }

  /**
   * Judges once more what is now known better: only rules that had not matched before count. Undefined: none did.
   * What is seen is logged in any case when `request.quiet` is false.
   */
  judgeAgain(
    request: OperationRequest,
    before: readonly string[],
  ): Promise<OperationRuling> | OperationRuling {
    if (this.#failed) return NOT_LOGGED;
    const decision = this.#rows.decideFirst((counters) => without(this.#decide(request, counters), before));
    if (decision.matches.length > 0) return this.#watched(request, decision, before);
    if (request.quiet) return { kind: 'pass', record: undefined, rules: [] };
    return { kind: 'pass', record: this.#recordAside(this.#entry(request, decision, 'ran')), rules: [] };
  }

  /** Writes down what is not judged. */
  note(request: OperationRequest, outcome: CommandOutcome, detail: string): OperationRecord {
    return this.#recordAside({ ...this.#entry(request, this.#nothing(), outcome), detail });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    for (const cancel of [...this.#cancels]) cancel();
  }

  async #watched(
    request: OperationRequest,
    first: Decision,
    before: readonly string[] = [],
  ): Promise<OperationRuling> {
    try {
      const { decision, entry } = await this.#rows.record(
        (counters) => without(this.#decide(request, counters), before),
        (found) => this.#entry(request, found, outcomeOf(found.action)),
        first,
      );
      if (entry === undefined) return NOT_LOGGED;
      this.#rows.tell(entry, 'operation');
      const ruling = await this.#ruling(entry, decision);
      this.#rows.disableUserAfterwards(decision);
      return ruling;
    } catch (error) {
      this.#logFailed(error);
      return NOT_LOGGED;
    }
  }

  async #ruling(entry: AuditedCommand, decision: Decision): Promise<OperationRuling> {
    const [top] = decision.matches;
    switch (decision.action) {
      case 'none':
      case 'log':
        return {
          kind: 'pass',
          record: this.#recordOf(entry.id, Promise.resolve()),
          rules: decision.matches.map((match) => match.rule),
        };
      case 'block':
        return { kind: 'deny', reason: reasonOf(top, 'not allowed') };
      case 'interrupt':
        return { kind: 'end', reason: reasonOf(top, 'not allowed; it ends this session') };
      case 'confirm':
      case 'reauthenticate':
        await this.#rows.settle(entry.id, 'declined', 'the user cannot be asked on this kind of channel');
        return {
          kind: 'deny',
          reason: reasonOf(
            top,
            decision.action === 'confirm'
              ? 'it needs your confirmation, which cannot be asked for here; do it in a shell'
              : 'it needs you to prove once more who you are, which cannot be asked for here; do it in a shell',
          ),
        };
      case 'approve':
        return this.#askSomebody(entry, decision);
    }
  }

  async #askSomebody(entry: AuditedCommand, decision: Decision): Promise<OperationRuling> {
    const [top] = decision.matches;
    const { approvals } = this.#deps;
    const asked = await within(ANSWER_BOUND, 'the approvals', approvals.ask(entry, top?.rule ?? ''));
    this.#cancels.add(asked.cancel);
    if (this.#ended) asked.cancel();
    this.#events.waiting(
      `${entry.command} waits for a second person (rule ${top?.rule ?? ''}): sallyport session approve ${asked.id}`,
    );
    let answer: Awaited<typeof asked.answer>;
    try {
      answer = await within(approvals.patience + ANSWER_BOUND, 'an approval', asked.answer);
    } catch {
      asked.cancel();
      answer = { kind: 'expired' };
    } finally {
      this.#cancels.delete(asked.cancel);
    }
    switch (answer.kind) {
      case 'approved':
        await this.#rows.settle(entry.id, 'ran', `approved by ${answer.by}`);
        return {
          kind: 'pass',
          record: this.#recordOf(entry.id, Promise.resolve()),
          rules: decision.matches.map((match) => match.rule),
        };
      case 'denied':
        await this.#rows.settle(entry.id, 'declined', `declined by ${answer.by}`);
        return { kind: 'deny', reason: reasonOf(top, `declined by ${answer.by}`) };
      case 'expired':
        await this.#rows.settle(
          entry.id,
          this.#ended ? 'cancelled' : 'declined',
          this.#ended ? 'given up before anybody answered' : 'nobody approved it in time',
        );
        return { kind: 'deny', reason: reasonOf(top, 'nobody approved it in time') };
    }
  }

  #decide(request: OperationRequest, counters: Counters): Decision {
    const policy = this.#deps.policies.current;
    const context = this.#rows.sessionContext(request.kind, request.kind);
    const matches = new Map<string, RuleMatch>();
    let missed = false;
    const take = (operation: Operation, listed: boolean): void => {
      const decision = policy.decideOperation(operation, context, counters);
      if (listed && decision.allowlistMiss) missed = true;
      for (const match of decision.matches) {
        if (!listed && decision.allowlistMiss && isMiss(match)) continue;
        if (!matches.has(match.rule)) matches.set(match.rule, match);
      }
    };
    for (const { operation, also } of request.asked) {
      if (operation !== undefined) take(operation, true);
      for (const other of also) take(other, false);
    }
    return conclude([...matches.values()], missed, policy.version);
  }

  #entry(request: OperationRequest, decision: Decision, outcome: CommandOutcome): AuditedCommand {
    const { kind, typed, command, analysed, word } = request;
    return this.#rows.entry(
      {
        channelKind: kind,
        context: kind,
        typed,
        command,
        candidates: [],
        analysed,
        word,
        how: 'request',
        confidence: 1,
        hidden: false,
        detail: '',
      },
      decision,
      outcome,
    );
  }

  #nothing(): Decision {
    return conclude([], false, this.#deps.policies.current.version);
  }

  #recordAside(entry: AuditedCommand): OperationRecord {
    const written = this.#aside(() => this.#rows.append(entry));
    this.#rows.tell(entry, 'operation');
    return this.#recordOf(entry.id, written);
  }

  #recordOf(id: string, written: Promise<void>): OperationRecord {
    return {
      settle: (outcome, detail) => {
        void this.#aside(async () => {
          // A row can be changed only when it is there.
          await written;
          await this.#rows.settle(id, outcome, detail);
        });
      },
    };
  }

  /** Does not reject. */
  async #aside(work: () => Promise<void>): Promise<void> {
    this.#underWay += 1;
    try {
      await work();
    } catch (error) {
      this.#logFailed(error);
    } finally {
      const wasBusy = this.busy;
      this.#underWay -= 1;
      if (wasBusy && !this.busy) this.#events.roomAgain();
    }
  }

  #logFailed(error: unknown): void {
    this.#rows.failed(error, 'operation');
    if (this.#failed) return;
    this.#failed = true;
    this.#events.logFailed();
  }
}

const NOT_LOGGED: OperationRuling = {
  kind: 'deny',
  reason: 'not done: the audit log cannot be written at the moment',
};

/** The most severe of what bites wins, as it does for commands. */
const conclude = (all: readonly RuleMatch[], allowlistMiss: boolean, policyVersion: string): Decision => {
  const weight = (match: RuleMatch): number =>
    match.shadow ? 0 : match.effective ? severity(match.action) : severity('log');
  const matches = [...all].sort(
    (a, b) => weight(b) - weight(a) || severity(b.action) - severity(a.action) || (a.rule < b.rule ? -1 : 1),
  );
  const [top] = matches;
  const action = top === undefined || weight(top) === 0 ? 'none' : top.effective ? top.action : 'log';
  const stopped = action === 'block' || action === 'interrupt';
  return {
    action,
    matches,
    points: matches.reduce((sum, match) => sum + (match.shadow ? 0 : match.points), 0),
    disableUser:
      stopped &&
      matches.some(
        ({ effective, disableUser, action: its }) =>
          effective && disableUser && (its === 'block' || its === 'interrupt'),
      ),
    policyVersion,
    allowlistMiss,
  };
};

const without = (decision: Decision, rules: readonly string[]): Decision =>
  rules.length === 0
    ? decision
    : conclude(
        decision.matches.filter((match) => !rules.includes(match.rule)),
        decision.allowlistMiss,
        decision.policyVersion,
      );

const reasonOf = (match: RuleMatch | undefined, what: string): string => {
  const rule = match === undefined ? '' : ` (rule ${match.rule})`;
  const message = match?.message ?? match?.description;
  const whom = match?.contact === undefined ? '' : ` Ask ${match.contact}.`;
  return plainText(`${what}${rule}${message === undefined ? '' : `: ${message}`}${whom}`).replaceAll(
    '\n',
    ' ',
  );
};
