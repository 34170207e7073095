// Judges what one channel submits: decides over every reading of it, writes it to the log, and only then says what is to
// become of it. The gates of the several kinds of channel share it; how something is held or taken back is theirs.
import { namedFiles } from '../../policies/analysis/files.ts';
import type { Analysis } from '../../policies/analysis/types.ts';
import type { Counters, Decision, RuleMatch, SessionContext } from '../../policies/match.ts';
import type { GateContext } from '../channels/gate-port.ts';
import { plainText } from '../channels/terminal-text.ts';
import { AuditRows, outcomeOf } from './audit-rows.ts';
import type { Refused } from './line-ends.ts';
import type { AuditDeps, AuditedCommand, CommandOutcome, HowRead } from './ports.ts';
import { mayInterpret } from './reader.ts';

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
  /** Variables that were passed to the device before it. */
  readonly environment?: ReadonlyMap<string, string>;
  /** A program may take the first keys of it, and what a shell could be left with may not run: so it does not, either. */
  readonly end?: Refused;
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

/** What was met by more than this counts as met often enough. */
const OFTEN: Counters = { occurrences: () => Number.MAX_SAFE_INTEGER - 1 };

const TOO_LONG =
  'It is too long, or nested too deeply, to be judged before it runs. Do it in smaller pieces.';

export class Judge {
  readonly #deps: AuditDeps;
  readonly #rows: AuditRows;

  constructor(deps: AuditDeps, context: GateContext) {
    this.#deps = deps;
    this.#rows = new AuditRows(deps, context);
  }

  /** Whether any rule could keep something of this channel from running. */
  mayHold(channel: SessionContext['channel']): boolean {
    return this.#deps.policies.current.appliesTo(this.#rows.sessionContext(channel, undefined)).holding;
  }

  /**
   * The rule that would keep one of these from running, however often it has been met before. Nothing is counted and
   * nothing is written. `contexts`: what may read it.
   */
  heldBy(
    channel: SessionContext['channel'],
    contexts: readonly string[],
    analyses: readonly Analysis[],
  ): string | undefined {
    const policy = this.#deps.policies.current;
    for (const reader of contexts) {
      const context = this.#rows.sessionContext(channel, reader);
      for (const analysis of analyses) {
        const decision = policy.decide(analysis, context, OFTEN);
        if (rulingOf(decision).kind !== 'run') return decision.matches[0]?.rule ?? '';
      }
    }
    return undefined;
  }

  /** One of these would be refused by a rule that does not count how often it is met: nothing else matters of it. */
  blocks(
    channel: SessionContext['channel'],
    contexts: readonly string[],
    analyses: readonly Analysis[],
  ): boolean {
    const policy = this.#deps.policies.current;
    return contexts.some((reader) => {
      const context = this.#rows.sessionContext(channel, reader);
      const { action, matches } = policy.decideCandidates(analyses, context, OFTEN);
      return (action === 'block' || action === 'interrupt') && matches[0]?.occurrences === 1;
    });
  }

  /** A command in it is more than a word to the rules or to the analysis: what follows it may matter to them. */
  knows({ commands }: Analysis): boolean {
    const policy = this.#deps.policies.current;
    return commands.some(
      (command) =>
        policy.speaksOf(command.name) ||
        command.code !== undefined ||
        command.via.length > 0 ||
        mayInterpret(command.name) ||
        namedFiles(command).some(({ use }) => use !== 'read'),
    );
  }

  /** Decides and logs. Never rejects: what fails is not run. A refusal is to be told at once. */
  async judge(submission: Submission): Promise<Judged> {
    const judged = await this.#judge(submission);
    this.#rows.disableUserAfterwards(judged.decision);
    return judged;
  }

  /** The same for what is submitted together. */
  async judgeAll(submissions: readonly Submission[]): Promise<readonly Judged[]> {
    const all = await Promise.all(submissions.map((submission) => this.#judge(submission)));
    for (const { decision } of all) this.#rows.disableUserAfterwards(decision);
    return all;
  }

  async #judge(submission: Submission): Promise<Judged> {
    // What no analysis reaches can't be known to be harmless.
    const unread = submission.analyses.some(({ truncated }) => truncated) && this.mayHold(submission.kind);
    const rulingFor = (decision: Decision): Ruling => {
      const ruling = rulingOf(quotable(submission) ? decision : unexplained(decision));
      const refused = refusalOf(decision);
      return refused === undefined ? ruling : { kind: 'block', notice: refused.notice };
    };
    const refusalOf = (decision: Decision): Refusal | undefined => {
      const { kind } = rulingOf(decision);
      if (kind === 'block' || kind === 'interrupt') return undefined;
      if (unread && kind === 'run') return { notice: TOO_LONG, detail: 'too long to be judged' };
      return submission.end === undefined ? undefined : refusalFor(submission.end, submission.detail);
    };
    const entryFor = (decision: Decision): AuditedCommand => {
      const refused = refusalOf(decision);
      return refused === undefined
        ? this.entry(submission, decision, outcomeOf(decision.action))
        : this.entry({ ...submission, detail: refused.detail }, decision, 'refused');
    };
    try {
      const { decision, entry } = await this.#rows.record(
        (counters) => this.#decide(submission, counters),
        (found) =>
          submission.quiet === true && found.matches.length === 0 && refusalOf(found) === undefined
            ? undefined
            : entryFor(found),
      );
      const ruling = rulingFor(decision);
      if (entry === undefined) return { ruling, entry: entryFor(decision), decision, logged: true };
      this.#rows.tell(entry, 'command');
      return { ruling, entry, decision, logged: true };
    } catch (error) {
      return this.#unlogged(submission, error);
    }
  }

  /** Writes down what was not judged, or what happened beside the judging. Rejects when it can't. */
  async note(submission: Submission, outcome: CommandOutcome): Promise<AuditedCommand> {
    const decision = NO_DECISION(this.#deps.policies.current.version);
    const entry = this.entry(submission, decision, outcome);
    await this.#rows.append(entry);
    this.#rows.tell(entry, 'command');
    return entry;
  }

  /** Notes what became of it. False when that could not be written. */
  async settle(entry: AuditedCommand, outcome: CommandOutcome, detail: string): Promise<boolean> {
    try {
      await this.#rows.settle(entry.id, outcome, detail);
      return true;
    } catch (error) {
      this.#rows.failed(error, 'outcome');
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
    const row = {
      channelKind: submission.kind,
      context: submission.context,
      typed: hidden ? '' : submission.typed,
      command: hidden ? '' : submission.command,
      candidates: hidden
        ? []
        : submission.candidates
            .filter((text) => text !== submission.command && text !== submission.typed)
            .slice(0, 20),
      analysed: first === undefined || hidden ? {} : { ...analysedOf(first), ...environmentOf(submission) },
      word: command === undefined || hidden ? '' : command.name,
      how: submission.how,
      confidence: submission.confidence,
      hidden,
      detail: submission.detail ?? '',
    };
    return this.#rows.entry(row, quotable(submission) ? decision : unexplained(decision), outcome);
  }

  #decide({ kind, context: reader, analyses }: Submission, counters: Counters): Decision {
    const context = this.#rows.sessionContext(kind, reader);
    const policy = this.#deps.policies.current;
    const [only] = analyses;
    return analyses.length === 1 && only !== undefined
      ? policy.decide(only, context, counters)
      : policy.decideCandidates(analyses, context, counters);
  }

  #unlogged(submission: Submission, error: unknown): Judged {
    this.#rows.failed(error, 'command');
    const decision = NO_DECISION(this.#deps.policies.current.version);
    return {
      ruling: { kind: 'block', notice: NOT_LOGGED },
      entry: this.entry(submission, decision, 'refused'),
      decision,
      logged: false,
    };
  }
}

/** Why something that no rule forbids is not let run. */
interface Refusal {
  readonly notice: string;
  readonly detail: string;
}

const LONGEST_END = 200;

const leavesEnds = ({ atPrompt }: Refused): string =>
  atPrompt
    ? 'Nothing proves that the shell has this line and nothing else: what was run before may take its beginning.'
    : 'Something else than a prompt reads here, and may leave the end of this line to the shell.';

const refusalFor = (end: Refused, told: string | undefined): Refusal => {
  const rest = told === undefined ? '' : `${told}; `;
  switch (end.kind) {
    case 'too-many':
      return {
        notice: `${leavesEnds(end)}\nIt is too long for all its ends to be judged. Do it in smaller pieces.`,
        detail: `${rest}too long to be judged`,
      };
    case 'held': {
      const text =
        end.text === undefined ? '' : ` "${plainText(end.text).replaceAll('\n', ' ').slice(0, LONGEST_END)}"`;
      return {
        notice: `${leavesEnds(end)}\n${end.from === 'left' ? 'What stands there' : 'The end'}${text} would be a command that is not allowed (rule ${end.rule}).\n${end.atPrompt ? 'Type it in other words.' : 'Type what you need at a prompt.'}`,
        detail: `${rest}its end${text}, which a shell could read, is not allowed (rule ${end.rule})`,
      };
    }
  }
};

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

const environmentOf = ({ environment }: Submission): object =>
  environment === undefined || environment.size === 0 ? {} : { environment: Object.fromEntries(environment) };

const MOST_COMMANDS = 256;
const LONGEST_TEXT = 4_096;

const analysedOf = (analysis: Analysis): object => ({
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
