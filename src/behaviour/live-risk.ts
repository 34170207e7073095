// The risk of one session as it goes on: what was measured at its start, then its commands, what it moves, what rights
// it uses and how long it lasts. Events in, risk out: the same events always give the same risk, and other settings can
// be put in force at any moment. It neither stores nor acts.
import { type CommandProfile, SequenceWatch } from './command-profile.ts';
import type { CommandCounts } from './command-statistics.ts';
import type { Habits } from './session-counts.ts';
import { type Measurement, measureDuration, measurePrivilege, measureVolume } from './session-measure.ts';
import { type Risk, type RiskSettings, riskOf, SESSIONS_TO_BLOCK } from './session-risk.ts';

export interface LiveCommand {
  /** Of the rules that it met. */
  readonly points: number;
  /** Names of the commands in it, in order. */
  readonly words: readonly string[];
  /** What gave it another account's rights, such as `sudo`; undefined: nothing. */
  readonly privilege: string | undefined;
}

/** How what is typed compares with the user's habit, at its most unlike since they last proved who they are. */
export type Typing = 'usual' | 'unusual' | 'very-unusual';

/** Command names that a session may teach; more of them teach nothing new. */
const MOST_WORDS = 5_000;
const USUAL_COMMANDS = 5;

export class LiveRisk {
  readonly #habits: Habits;
  readonly #measured = new Map<string, Measurement>();
  readonly #words: string[] = [];
  #recent: readonly string[] = [];
  readonly #durationAt: Measurement | undefined;
  readonly #volumeAt: Measurement | undefined;
  #settings: RiskSettings;
  #commandPoints = 0;
  #privilege: string | undefined;
  #sequence: SequenceWatch | undefined;
  #profile: CommandProfile | undefined;
  #others: CommandCounts | undefined;
  #typing: Typing = 'usual';
  #risk: Risk;

  constructor(start: readonly Measurement[], habits: Habits, settings: RiskSettings) {
    this.#habits = habits;
    this.#settings = settings;
    for (const measurement of start) this.#measured.set(measurement.dimension, measurement);
    const known = habits.sessions >= SESSIONS_TO_BLOCK;
    // Only what was measured changes while the session runs; the limits don't.
    this.#durationAt = measureDuration(0, habits);
    this.#volumeAt = known ? measureVolume(0, habits) : undefined;
    this.#risk = this.#judge();
  }

  get risk(): Risk {
    return this.#risk;
  }

  get measurements(): readonly Measurement[] {
    return [...this.#measured.values()];
  }

  /** What the session typed, for learning from it. */
  get words(): readonly string[] {
    return this.#words;
  }

  /** How it used another account's rights; undefined: it did not. */
  get privilege(): string | undefined {
    return this.#privilege;
  }

  get typing(): Typing {
    return this.#typing;
  }

  /** Its user has proven who they are: what is typed from here on is looked at afresh. What was found stays found. */
  proven(): void {
    this.#typing = 'usual';
    if (this.#profile !== undefined && this.#others !== undefined)
      this.#sequence = new SequenceWatch(this.#profile, this.#others);
  }

  /** The habit to compare commands with, once it is known; those typed before count too. */
  compareWith(profile: CommandProfile, others: CommandCounts): Risk {
    this.#profile = profile;
    this.#others = others;
    this.#sequence = new SequenceWatch(profile, others);
    for (const word of this.#words) this.#follow(word);
    return this.#again();
  }

  settings(settings: RiskSettings): Risk {
    this.#settings = settings;
    return this.#again();
  }

  command({ points, words, privilege }: LiveCommand): Risk {
    this.#commandPoints += Math.max(points, 0);
    let changed = points > 0;
    for (const word of words) {
      if (word === '') continue;
      if (this.#words.length < MOST_WORDS) this.#words.push(word);
      this.#recent = [...this.#recent, word].slice(-USUAL_COMMANDS);
      changed = this.#follow(word) || changed;
    }
    if (privilege !== undefined) this.privileged(privilege);
    return changed ? this.#again() : this.#risk;
  }

  /** Rights of another account are used: `how` names them. Counts once. */
  privileged(how: string): Risk {
    if (this.#privilege !== undefined) return this.#risk;
    this.#privilege = how;
    const measured =
      this.#habits.sessions >= SESSIONS_TO_BLOCK ? measurePrivilege(this.#habits, how) : undefined;
    if (measured !== undefined) this.#measured.set('privilege', measured);
    return this.#again();
  }

  /** So many bytes in all were moved, and the session has lasted so many seconds. */
  progress(bytes: number, seconds: number): Risk {
    let changed = false;
    changed = this.#raise(this.#volumeAt, bytes, () => measureVolume(bytes, this.#habits)) || changed;
    changed = this.#raise(this.#durationAt, seconds, () => measureDuration(seconds, this.#habits)) || changed;
    return changed ? this.#again() : this.#risk;
  }

  /** Keeps the highest value of what only grows; true when that may change the risk. */
  #raise(at: Measurement | undefined, value: number, measure: () => Measurement | undefined): boolean {
    if (at === undefined || value <= at.limit) return false;
    const before = this.#measured.get(at.dimension);
    // Once it is unusual under the settings it stays so, and what it came to is told at the end.
    if (before !== undefined && this.#risk.findings.some(({ dimension }) => dimension === at.dimension))
      return false;
    const measured = measure();
    if (measured === undefined) return false;
    this.#measured.set(at.dimension, measured);
    return true;
  }

  /** True when it makes the commands more unusual than they were. */
  #follow(word: string): boolean {
    const profile = this.#profile;
    const score = this.#sequence?.push(word);
    if (score === undefined || profile === undefined || !score.judged || score.score <= score.limit)
      return false;
    if (score.score > score.outerLimit) this.#typing = 'very-unusual';
    else if (this.#typing === 'usual') this.#typing = 'unusual';
    const before = this.#measured.get('commands');
    // The most unusual stretch counts: what was typed stays typed.
    if (before !== undefined && before.measured - before.limit >= score.score - score.limit) return false;
    const recent = this.#recent.join(', ');
    this.#measured.set('commands', {
      dimension: 'commands',
      measured: score.score,
      limit: score.limit,
      usual: profile.usual(USUAL_COMMANDS),
      seen: `${score.window} commands unlike these, lately ${recent}`,
    });
    return true;
  }

  #again(): Risk {
    this.#risk = this.#judge();
    return this.#risk;
  }

  #judge(): Risk {
    return riskOf(this.measurements, this.#habits.sessions, this.#settings, this.#commandPoints);
  }
}
