// Judges what one channel submits: decides over every reading of it, writes it to the log, and only then says what is to
// become of it. The gates of the several kinds of channel share it; how something is held or taken back is theirs.
import type { Analysis } from '../../policies/analysis/types.ts';
import type { Counters, Decision, RuleMatch, SessionContext } from '../../policies/match.ts';
import type { GateContext } from '../channels/gate-port.ts';
import type { AuditDeps, AuditedCommand, CommandOutcome, CommandSource, HowRead } from './ports.ts';

/** Matches older than this no longer count towards `occurrences`. Milliseconds. */
const OCCURRENCES_WITHIN = 24 * 3_600_000;
/** How long the log may take for one command. */
const LOG_BOUND = 10_000;

export interface Submission {
  readonly kind: SessionContext['channel'];
  /** What reads it, in the words of a rule's `contexts`. */
  readonly context: string;
  readonly typed: string;
  readonly command: string;
  /** Other texts that it may be. */
  readonly candidates: readonly string[];
  /** Every reading, the likeliest first; at least one. */
  readonly analyses: readonly Analysis[];
  readonly how: HowRead;
  readonly confidence: number;
  /** Typed without echo: judged, but its text is not stored. */
  readonly hidden: boolean;
  /** It was judged together with text that was typed without echo, which an explanation could quote. */
  readonly hiddenBefore?: boolean;
  readonly detail?: string;
  /** Not worth a line in the log unless a rule says something about it: text typed in an editor. */
  readonly quiet?: boolean;
}

/** What is to become of a submission. Notices are for the person at the terminal. */
export type Ruling =
  | { readonly kind: 'run' }
  | { readonly kind: 'block'; readonly notice: string }
  | { readonly kind: 'interrupt'; readonly notice: string }
  | { readonly kind: 'confirm'; readonly notice: string }
  | { readonly kind: 'reauthenticate'; readonly notice: string }
  | { readonly kind: 'approve'; readonly notice: string; readonly rule: string };

export interface Judged {
  readonly ruling: Ruling;
  readonly entry: AuditedCommand;
  readonly decision: Decision;
  /** False: it could not be written, and may not run. */
  readonly logged: boolean;
}

const NOT_LOGGED =
  'Not run: the audit log cannot be written at the moment. Try again later, or ask your administrator.';

export class Judge {
  readonly #deps: AuditDeps;
  readonly #context: GateContext;
  readonly #source: CommandSource;

  constructor(deps: AuditDeps, context: GateContext) {
    this.#deps = deps;
    this.#context = context;
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

  /** Whether any rule could keep something of this channel from running. */
  mayHold(channel: SessionContext['channel']): boolean {
    return this.#deps.policies.current.appliesTo(this.#sessionContext(channel, undefined)).holding;
  }

  /** Decides and logs. Never rejects: what fails is not run. */
  async judge(submission: Submission): Promise<Judged> {
    let decision: Decision;
    try {
      decision = await this.#decide(submission);
    } catch (error) {
      return this.#unlogged(submission, error);
    }
    const ruling = rulingOf(quotable(submission) ? decision : unexplained(decision));
    const entry = this.entry(submission, decision, outcomeOf(ruling));
    if (submission.quiet === true && decision.matches.length === 0) {
      return { ruling, entry, decision, logged: true };
    }
    try {
      await bounded(this.#deps.log.append(entry));
    } catch (error) {
      return this.#unlogged(submission, error);
    }
    this.#tell(entry);
    if (decision.disableUser) await this.#disableUser(decision);
    return { ruling, entry, decision, logged: true };
  }

  /** Writes down what was not judged, or what happened beside the judging. Rejects when it can't. */
  async note(submission: Submission, outcome: CommandOutcome): Promise<AuditedCommand> {
    const decision = NO_DECISION(this.#deps.policies.current.version);
    const entry = this.entry(submission, decision, outcome);
    await bounded(this.#deps.log.append(entry));
    this.#tell(entry);
    return entry;
  }

  /** Notes what became of it. False when that could not be written. */
  async settle(entry: AuditedCommand, outcome: CommandOutcome, detail: string): Promise<boolean> {
    try {
      await bounded(this.#deps.log.settle(entry.id, outcome, detail));
      return true;
    } catch (error) {
      this.#deps.events.warn({ session: this.#source.sessionId, error: textOf(error) }, 'outcome not logged');
      return false;
    }
  }

  entry(submission: Submission, decision: Decision, outcome: CommandOutcome): AuditedCommand {
    const { analyses, hidden } = submission;
    // Where lines before it are hidden, only an analysis of this line alone may be kept.
    const first =
      submission.hiddenBefore === true
        ? analyses.find(({ typed }) => typed === submission.typed)
        : analyses[0];
    const [command] = first?.commands ?? [];
    return {
      id: this.#deps.log.newId(),
      source: this.#source,
      at: this.#deps.now(),
      channelKind: submission.kind,
      context: submission.context,
      typed: hidden ? '' : submission.typed,
      command: hidden ? '' : submission.command,
      candidates: hidden
        ? []
        : submission.candidates
            .filter((text) => text !== submission.command && text !== submission.typed)
            .slice(0, 20),
      analysed: first === undefined || hidden ? {} : analysedOf(first),
      word: command === undefined || hidden ? '' : command.name,
      how: submission.how,
      confidence: submission.confidence,
      hidden,
      decision: decision.action,
      outcome,
      detail: submission.detail ?? '',
      rules: (quotable(submission) ? decision : unexplained(decision)).matches.map(
        ({ rule, action, criticality, points, effective, shadow, occurrence, why }) => ({
          rule,
          action,
          criticality,
          points,
          effective,
          shadow,
          occurrence,
          why,
        }),
      ),
      points: decision.points,
      policyVersion: decision.policyVersion,
    };
  }

  async #decide(submission: Submission): Promise<Decision> {
    const context = this.#sessionContext(submission.kind, submission.context);
    const policy = this.#deps.policies.current;
    const at = (counters: Counters): Decision =>
      submission.analyses.length === 1 && submission.analyses[0] !== undefined
        ? policy.decide(submission.analyses[0], context, counters)
        : policy.decideCandidates(submission.analyses, context, counters);
    const first = at({ occurrences: () => 0 });
    // Only rules that bite after several occurrences need to know how many there were.
    if (first.matches.every((match) => match.occurrences <= 1)) return first;
    const since = this.#deps.now() - OCCURRENCES_WITHIN;
    const met = await bounded(this.#deps.log.occurrences(this.#source.user.id, since));
    return at({ occurrences: (rule) => met.get(rule) ?? 0 });
  }

  #sessionContext(channel: SessionContext['channel'], reader: string | undefined): SessionContext {
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

  #unlogged(submission: Submission, error: unknown): Judged {
    this.#deps.events.warn(
      { session: this.#source.sessionId, code: 'SP_AUDIT_LOG', error: textOf(error) },
      'command not logged',
    );
    const decision = NO_DECISION(this.#deps.policies.current.version);
    return {
      ruling: { kind: 'block', notice: NOT_LOGGED },
      entry: this.entry(submission, decision, 'refused'),
      decision,
      logged: false,
    };
  }

  #tell(entry: AuditedCommand): void {
    if (entry.rules.length === 0 && entry.outcome === 'ran') return;
    this.#deps.events.info(
      {
        session: this.#source.sessionId,
        user: this.#source.user.name,
        device: this.#source.device.name,
        command: entry.hidden ? '' : entry.command.slice(0, 512),
        decision: entry.decision,
        outcome: entry.outcome,
        rules: entry.rules.map(({ rule }) => rule).slice(0, 20),
        points: entry.points,
      },
      'command audited',
    );
  }

  async #disableUser(decision: Decision): Promise<void> {
    const rule = decision.matches.find((match) => match.disableUser)?.rule ?? 'a rule';
    try {
      await bounded(this.#deps.userLock.disable(this.#source.user.name, `by the rule ${rule}`));
    } catch (error) {
      this.#deps.events.warn(
        { session: this.#source.sessionId, user: this.#source.user.name, error: textOf(error) },
        'user not disabled',
      );
    }
  }
}

const NO_DECISION = (policyVersion: string): Decision => ({
  action: 'none',
  matches: [],
  points: 0,
  disableUser: false,
  policyVersion,
  allowlistMiss: false,
});

/** Whether explanations, which quote what was judged, may be shown and stored. */
const quotable = ({ hidden, hiddenBefore }: Submission): boolean => !hidden && hiddenBefore !== true;

const unexplained = (decision: Decision): Decision => ({
  ...decision,
  matches: decision.matches.map((match) => ({ ...match, why: 'what was typed' })),
});

const rulingOf = (decision: Decision): Ruling => {
  const [top] = decision.matches;
  switch (decision.action) {
    case 'none':
    case 'log':
      return { kind: 'run' };
    case 'confirm':
      return { kind: 'confirm', notice: reasonOf(top, 'needs your confirmation') };
    case 'reauthenticate':
      return { kind: 'reauthenticate', notice: reasonOf(top, 'needs you to prove once more who you are') };
    case 'approve':
      return { kind: 'approve', notice: reasonOf(top, 'needs a second person'), rule: top?.rule ?? '' };
    case 'block':
      return { kind: 'block', notice: `${reasonOf(top, 'is not allowed')}${whomToAsk(top)}` };
    case 'interrupt':
      return { kind: 'interrupt', notice: `${reasonOf(top, 'ends this session')}${whomToAsk(top)}` };
  }
};

const reasonOf = (match: RuleMatch | undefined, what: string): string => {
  if (match === undefined) return `This ${what}.`;
  const lines = [`${sentence(match.why)} ${what} (rule ${match.rule}).`];
  if (match.message !== undefined) lines.push(match.message);
  else if (match.description !== undefined) lines.push(`${sentence(match.description)}.`);
  return lines.join('\n');
};

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}`.replace(/\.$/, '');

const whomToAsk = (match: RuleMatch | undefined): string =>
  `\nIf you need it, ask ${match?.contact ?? 'your administrator'}.`;

const outcomeOf = (ruling: Ruling): CommandOutcome => {
  switch (ruling.kind) {
    case 'run':
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

const MOST_COMMANDS = 256;
const LONGEST_TEXT = 4_096;

const analysedOf = (analysis: Analysis): unknown => ({
  grammar: analysis.grammar,
  commands: analysis.commands.slice(0, MOST_COMMANDS).map((command) => ({
    text: command.text.slice(0, LONGEST_TEXT),
    name: command.name,
    ...(command.via.length > 0 ? { via: command.via.slice(0, 16) } : {}),
    ...(command.redirections.length > 0
      ? {
          redirections: command.redirections
            .slice(0, 16)
            .map(({ operator, target }) => `${operator} ${target.slice(0, 512)}`),
        }
      : {}),
  })),
  ...(analysis.opaque.length > 0
    ? {
        opaque: analysis.opaque.map(({ why, where, text, hint }) => ({
          why,
          where,
          text,
          ...(hint === undefined ? {} : { hint }),
        })),
      }
    : {}),
  ...(analysis.truncated ? { truncated: true } : {}),
});

/** Rejects when the work takes longer than the log may. */
const bounded = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer in ${LOG_BOUND} ms`)), LOG_BOUND);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
};

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
