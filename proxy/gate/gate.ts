// The gate of one interactive channel: holds each submit key until the line it submits has been read and judged, and
// lets through only what was approved. A pure state machine: bytes, window sizes, verdicts and the clock go in,
// actions come out. It knows no rules and no sockets, and it never lets the device's output loosen what it does. This
// file is its outside and its clockwork; each phase has a file of its own.

import type { KeyToken } from '../terminal/keys.ts';
import type { Dialect } from '../terminal/keys-model.ts';
import type { Look } from '../terminal/screen.ts';
import { asking } from './asking.ts';
import { deviceWrote, isForClient } from './device-output.ts';
import { GateState } from './gate-state.ts';
import type { GateAction, GateSettings, GateStart, SideFact, VerdictAnswer } from './gate-types.ts';
import { answered, judge, judgeWaits, proofOver } from './judging.ts';
import type { KeyClass } from './key-classes.ts';
import { handleKey, passesAtOnce } from './key-handling.ts';
import { leftWaits } from './leaving.ts';
import { noteLineStart } from './line-start.ts';
import { Observer } from './observing.ts';
import { pasteJudged, pasteWaits } from './pasting.ts';
import type { ErasePhase, Held, Phase, ProvePhase, ReportPhase, SettlePhase } from './phases.ts';
import { afterExpansion, afterRedraw, type Probed, readOrProbe } from './probing.ts';
import { proved } from './proving.ts';
import { promptAwaited } from './releasing.ts';
import { retype, retyping } from './replaying.ts';
import { settled } from './settling.ts';
import { takingBack } from './taking-back.ts';
import { ASK_BOUND, LOOK_AGAIN, VERDICT_BOUND } from './timing.ts';
import type { Reported } from './typed-line.ts';
import { askWitness, reportedLine, reportIsLate } from './witnessing.ts';

/** Input that is kept while something is held; beyond it the channel ends rather than grows. */
const MOST_KEPT = 2_097_152;
const NO_KEYS: Omit<Reported, 'text'> = { allow: undefined, drop: undefined };
/** Moves of the machine for one call. */
const MOST_STEPS = 100_000;

/** While it stands, nothing moves: no key is let through, and no bound runs out. */
type Standing =
  | { readonly kind: 'going' }
  | {
      readonly kind: 'standing';
      /** Verdicts that came meanwhile, by request. */
      readonly verdicts: Map<number, VerdictAnswer>;
    };

/** Only one request is open at a time; what comes for others is ignored anyway. */
const MOST_VERDICTS = 16;

export class Gate {
  readonly #state: GateState;
  readonly #observer: Observer;
  #standing: Standing = { kind: 'going' };

  constructor(start: GateStart) {
    this.#state = new GateState(start);
    this.#observer = new Observer(this.#state);
  }

  [Symbol.dispose](): void {
    const { phase, screen, input } = this.#state;
    if (phase.kind === 'redraw') phase.fresh[Symbol.dispose]();
    this.#state.phase = { kind: 'ended' };
    input.clear();
    screen[Symbol.dispose]();
  }

  /** Bytes that the user sent and that are kept here. */
  get keptBytes(): number {
    return this.#state.input.keptBytes;
  }

  /** A program has the whole screen. */
  get alternate(): boolean {
    return this.#state.screen.alternate;
  }

  /** Shows the emulated screen as it is to `look`; undefined when there is none any more. */
  picture<T>(look: Look<T>): T | undefined {
    return this.#state.screen.picture(look);
  }

  get phase(): Phase['kind'] {
    return this.#state.phase.kind;
  }

  /** Changes what is enforced while the session runs. What is held stays held and is judged by the new settings. */
  configure(settings: GateSettings): void {
    this.#state.settings = settings;
  }

  setRoundTrip(milliseconds: number): void {
    this.#state.time.measured(milliseconds);
  }

  sideFact(fact: SideFact, now: number): GateAction[] {
    this.#clock(now);
    this.#state.fact = fact;
    return this.#run();
  }

  clientData(bytes: Buffer, now: number): GateAction[] {
    this.#clock(now);
    if (this.#state.phase.kind === 'ended') return [];
    this.#accept(this.#state.input.cut(bytes, now));
    return this.#run();
  }

  deviceData(bytes: Buffer, now: number): GateAction[] {
    const { time, out } = this.#state;
    this.#clock(now);
    if (this.#state.phase.kind === 'ended') return [];
    if (isForClient(this.#state)) out.add({ kind: 'toClient', bytes, origin: 'device' });
    time.heardDevice();
    deviceWrote(this.#state, this.#observer, bytes);
    return this.#run();
  }

  resize(columns: number, rows: number, now: number): GateAction[] {
    const { time, screen, line, multiplexer, out } = this.#state;
    this.#clock(now);
    multiplexer.resized(time.now);
    this.#state.columns = columns;
    this.#state.rows = rows;
    screen.resize(columns, rows);
    line.slow = true;
    time.sentKey();
    out.add({ kind: 'resizeDevice', columns, rows });
    return this.#run();
  }

  timer(now: number): GateAction[] {
    this.#clock(now);
    return this.#run();
  }

  verdict(id: number, answer: VerdictAnswer, now: number): GateAction[] {
    this.#clock(now);
    if (this.#standing.kind === 'standing') {
      if (this.#standing.verdicts.size < MOST_VERDICTS) this.#standing.verdicts.set(id, answer);
      return [];
    }
    this.#take(id, answer);
    return this.#run();
  }

  /**
   * The session is held: from now on nothing moves. Verdicts that come meanwhile are kept, and time does not count, so
   * that no bound runs out while nobody can answer.
   */
  stand(now: number): void {
    if (this.#standing.kind === 'standing') return;
    this.#clock(now);
    this.#standing = { kind: 'standing', verdicts: new Map() };
  }

  /** The session goes on. */
  go(now: number): GateAction[] {
    if (this.#standing.kind === 'going') return [];
    const { verdicts } = this.#standing;
    this.#standing = { kind: 'going' };
    this.#state.time.stoodUntil(now);
    this.#clock(now);
    for (const [id, answer] of verdicts) this.#take(id, answer);
    return this.#run();
  }

  #clock(now: number): void {
    if (this.#standing.kind === 'going') this.#state.time.set(now);
  }

  #take(id: number, answer: VerdictAnswer): void {
    const { phase } = this.#state;
    switch (phase.kind) {
      case 'judge':
      case 'ask':
        if (phase.judged.id === id) answered(this.#state, phase.judged, answer);
        break;
      case 'judge-paste':
        if (phase.id === id) pasteJudged(this.#state, phase, answer);
        break;
      case 'open':
      case 'settle':
      case 'left':
      case 'report':
      case 'redraw':
      case 'expand':
      case 'prove':
      case 'erase':
      case 'retype':
      case 'after':
      case 'ended':
        break;
    }
  }

  /** Which line editor the terminal's shell has, as the shell itself has said. It counts for lines that it reports. */
  editorIs(dialect: Dialect): void {
    this.#state.dialect = dialect;
    this.#state.dialectTold = dialect;
  }

  /**
   * The shell has said, in a way that nobody else could, that its line editor reads and that these keys make it report
   * its line, changing nothing. Holds for one line; `undefined` takes it back.
   */
  witnessReady(keys: Buffer | undefined): void {
    this.#state.witness = keys;
  }

  /**
   * The shell's report of its line, in answer to the keys of `witnessReady`. One that nobody asked for is ignored.
   * `keys`: what tells the shell how it was judged.
   */
  reported(text: string, now: number, keys: Omit<Reported, 'text'> = NO_KEYS): GateAction[] {
    this.#clock(now);
    const { phase } = this.#state;
    if (phase.kind === 'report') reportedLine(this.#state, phase, { text, ...keys });
    else this.#observer.reported(text);
    return this.#run();
  }

  #accept(tokens: readonly KeyToken[]): void {
    const { input, out } = this.#state;
    for (const token of tokens) {
      if (this.#state.phase.kind === 'after' && passesAtOnce(this.#state, token)) continue;
      input.push(token);
    }
    if (input.queuedBytes > MOST_KEPT) {
      out.alarm('SP_GATE_INPUT_LIMIT', `${input.queuedBytes} bytes of input were waiting`);
      this.#state.end('SP_GATE_INPUT_LIMIT', 'Too much input was waiting for a command to end.');
    }
  }

  #run(): GateAction[] {
    if (this.#standing.kind === 'standing') return this.#state.out.take();
    for (let step = 0; step < MOST_STEPS; step++) {
      if (!this.#step()) break;
    }
    const at = this.#wakeAt();
    if (at !== undefined) this.#state.out.add({ kind: 'timer', at });
    return this.#state.out.take();
  }

  /** One move of the machine; false when nothing more can happen now. */
  #step(): boolean {
    const { input, time } = this.#state;
    this.#accept(input.flush(time.now));
    const { phase } = this.#state;
    switch (phase.kind) {
      case 'ended':
        return false;
      case 'open': {
        this.#observer.takenSilently();
        const token = input.shift();
        if (token === undefined) return false;
        handleKey(this.#state, token, (submit, keyClass) => this.#submit(submit, keyClass));
        return true;
      }
      case 'settle':
        return this.#settle(phase);
      case 'left':
        return leftWaits(this.#state, phase);
      case 'report':
        return this.#reportAwaited(phase);
      case 'redraw':
        return this.#probed(phase.held, afterRedraw(this.#state, phase));
      case 'expand':
        return this.#probed(phase.held, afterExpansion(this.#state, phase));
      case 'judge':
        return judgeWaits(this.#state, phase);
      case 'judge-paste':
        return pasteWaits(this.#state, phase);
      case 'ask':
        return asking(this.#state, phase);
      case 'prove':
        return this.#prove(phase);
      case 'erase':
        return this.#takeBack(phase);
      case 'retype':
        return retyping(this.#state, phase);
      case 'after':
        return promptAwaited(this.#state, phase);
    }
  }

  #submit(token: KeyToken, keyClass: KeyClass): void {
    noteLineStart(this.#state);
    if (!this.#state.holds) {
      this.#observer.submitted(token);
      return;
    }
    const { now } = this.#state.time;
    const held: Held = { token, keyClass, since: now };
    if (!askWitness(this.#state, held)) this.#state.phase = { kind: 'settle', held, from: now };
  }

  #reportAwaited(phase: ReportPhase): boolean {
    if (!reportIsLate(this.#state, phase)) return false;
    this.#state.witness = undefined;
    this.#state.phase = { kind: 'settle', held: phase.held, from: this.#state.time.now };
    return true;
  }

  #settle(phase: SettlePhase): boolean {
    const found = settled(this.#state, phase);
    return found === undefined
      ? false
      : this.#probed(phase.held, readOrProbe(this.#state, phase.held, found));
  }

  #probed(held: Held, probed: Probed): boolean {
    switch (probed.kind) {
      case 'reading':
        judge(this.#state, held, probed.reading);
        return true;
      case 'probing':
        return true;
      case 'waiting':
        return false;
    }
  }

  #prove(phase: ProvePhase): boolean {
    const found = proved(this.#state, phase);
    if (found === 'waiting') return false;
    if (found !== 'moved') proofOver(this.#state, phase, found === 'proven');
    return true;
  }

  #takeBack(phase: ErasePhase): boolean {
    switch (takingBack(this.#state, phase)) {
      case 'waiting':
        return false;
      case 'moved':
        return true;
      case 'clean':
        if (phase.then === 'replay' && phase.judged !== undefined) retype(this.#state, phase.judged);
        else this.#state.phase = { kind: 'open' };
        return true;
    }
  }

  #wakeAt(): number | undefined {
    const { input, phase, time } = this.#state;
    const times = [input.flushAt, wakeFor(phase, time.now, this.#observer.dueAt)].filter(
      (at) => at !== undefined,
    );
    return times.length === 0 ? undefined : Math.max(time.now + 1, Math.min(...times));
  }
}

/** When this phase wants to look again. */
function wakeFor(phase: Phase, now: number, observedDueAt: number | undefined): number | undefined {
  switch (phase.kind) {
    case 'open':
      return observedDueAt;
    case 'ended':
      return undefined;
    case 'settle':
    case 'left':
    case 'report':
    case 'expand':
    case 'redraw':
    case 'prove':
    case 'erase':
    case 'retype':
    case 'after':
      return now + LOOK_AGAIN;
    case 'judge':
      return phase.until;
    case 'judge-paste':
      return phase.since + VERDICT_BOUND;
    case 'ask':
      return phase.since + ASK_BOUND;
  }
}
