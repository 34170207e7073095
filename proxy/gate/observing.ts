// Observe mode: nothing is held, and each submitted line is read at the moment when the device takes it: a line feed, an
// editor that stops reading, or an editor that reads again. What was submitted and never shown is noted as a secret.
import type { KeyToken } from '../terminal/keys.ts';
import { KeysModel, type KeysState } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { CERTAIN, fuse, type Reading, visible } from '../terminal/reading.ts';
import type { EchoWitness } from './echo-witness.ts';
import type { GateState } from './gate-state.ts';
import type { SubmitContext } from './gate-types.ts';
import { lineOnScreen, rowOfCursor } from './line-start.ts';
import { doubted } from './reading-doubts.ts';
import { neverShown } from './secrets.ts';
import { withReport } from './weighing.ts';

/** Lines whose reading may be due. */
const MOST_DUE = 1_000;
const MOST_CHARACTERS_DUE = 262_144;
/** Confidence in a line that was not seen to leave. */
const MOST_WHEN_PASSED_OVER = 0.4;

const NOTHING_SHOWN: LineOnScreen = {
  text: '',
  withSuggestion: undefined,
  variants: [],
  withBelow: undefined,
  cursor: -1,
  anchor: { row: 0, column: 0, prompt: '', right: '', verified: false, epoch: 0 },
  doubts: ['prompt-lost'],
};

interface Due {
  readonly token: KeyToken;
  readonly keys: KeysModel;
  readonly echo: EchoWitness;
  /** A line editor was reading when it was submitted. */
  readonly editor: boolean;
  /** As it was when it was submitted: what runs when it is read may be something else. */
  readonly context: SubmitContext;
  readonly at: number;
  /** When the last key before the submit key was sent. */
  readonly lastKey: number;
  /** The line as it stood when something ended that came too early to be the answer. */
  shown: LineOnScreen | undefined;
  /** What the shell said that the line is. */
  report: 'not-asked' | 'asked' | { readonly text: string };
}

export class Observer {
  readonly #state: GateState;
  #due: Due[] = [];
  /** When an editor last came up. */
  #readsSince = 0;
  /** A line has left since then. */
  #ended = false;
  /** How the editor told that the line has left; it tells so twice. */
  #leftBy: 'feed' | 'off' | undefined;
  /** The shortest time in which a line came back whole after its last key: the device is no further away than that. */
  #fastest = Number.POSITIVE_INFINITY;

  constructor(state: GateState) {
    this.#state = state;
  }

  get waiting(): boolean {
    return this.#due.length > 0;
  }

  /** When a line that nothing has answered is taken for one that a program took silently. */
  get dueAt(): number | undefined {
    const [due] = this.#due;
    return due === undefined || this.#state.reader !== 'prompt' ? undefined : this.#passedOverAt(due);
  }

  /** A line that was typed ahead is shown by the editor that comes up, however long that takes. */
  #passedOverAt(due: Due): number {
    return Math.max(due.at, this.#readsSince) + this.#bound;
  }

  submitted(token: KeyToken): void {
    const { line, out, screen, time } = this.#state;
    const { witness } = this.#state;
    // Nothing is held here, so nothing that was given up before could be either.
    line.kept.clear();
    this.#due.push({
      token,
      keys: line.keys,
      echo: line.echo,
      editor: screen.modes.editorOn,
      context: this.#state.context(false),
      at: time.now,
      lastKey: time.lastKey,
      shown: undefined,
      report: witness === undefined ? 'not-asked' : 'asked',
    });
    while (this.#due.length > MOST_DUE || this.#length > MOST_CHARACTERS_DUE) this.#passOver();
    line.keys = new KeysModel();
    line.echo = this.#state.echoes.witness();
    this.#state.reader = 'program';
    this.#state.mayLeave = true;
    if (witness !== undefined) out.toDevice(witness, 'gate');
    this.#state.witness = undefined;
    out.toDevice(token.bytes, 'user');
    time.sentKey();
  }

  /** The shell's report of the oldest line that it was asked for. */
  reported(text: string): void {
    const due = this.#due.find(({ report }) => report === 'asked');
    if (due !== undefined) due.report = { text };
  }

  /** A line feed, or an editor that stops reading, is when a submitted line leaves. */
  lineLeft(by: 'feed' | 'off'): void {
    if (this.#leftBy !== undefined && this.#leftBy !== by) {
      this.#leftBy = undefined;
      return;
    }
    if (this.#due.length === 0) return;
    const { screen, time } = this.#state;
    let line = lineOnScreen(this.#state);
    let here = this.#due.findIndex((due) => stands(due, line));
    if (here === -1) {
      // The line start that is known may be that of a line before it.
      const row = rowOfCursor(this.#state);
      here = this.#due.findIndex((due) => stands(due, row));
      if (here !== -1) line = row;
    }
    // Lines leave in the order in which they were submitted: those before the one that stands here have gone.
    for (let gone = 0; gone < here; gone++) this.#passOver();
    const [due] = this.#due;
    if (due === undefined) return;
    const { state } = due.keys;
    if (here === -1 && !isBlank(state)) {
      // So early it cannot be the answer to the submit key.
      if (time.since(due.at) < 0.8 * Math.min(time.roundTrip, this.#fastest)) {
        if (state.kind === 'unknown') due.shown = line;
        return;
      }
    } else if (here !== -1 && due.keys.edits === 'typing') {
      this.#fastest = Math.min(this.#fastest, time.since(due.lastKey));
    }
    const editor = by === 'off' || screen.modes.editorOn;
    this.#due.shift();
    this.#ended = true;
    const secret = neverShown(line, state, due.echo, editor && due.editor ? 'editor' : 'other');
    this.#read(due, line, secret);
    if (editor && !secret) this.#leftBy = by;
  }

  /**
   * An editor that reads again has ended the line that was submitted to it, whether or not its end was recognised. What
   * was typed behind that line it has not read: the program that ran has, or the editor that comes up now shows it.
   */
  editorReturned(): void {
    const ended = this.#ended;
    this.#ended = false;
    this.#leftBy = undefined;
    this.#readsSince = this.#state.time.now;
    const [due] = this.#due;
    if (ended || due === undefined || !due.editor || due.keys.state.kind !== 'known') return;
    const line = lineOnScreen(this.#state);
    this.#due.shift();
    this.#read(due, line, neverShown(line, due.keys.state, due.echo, 'editor'));
  }

  /** An editor reads again, and a line submitted before was never seen to end: a program took it silently. */
  takenSilently(): void {
    while (this.#state.reader === 'prompt') {
      const [due] = this.#due;
      if (due === undefined || this.#state.time.now < this.#passedOverAt(due)) return;
      this.#passOver();
    }
  }

  /** The oldest line has left without being seen to: what is known of it is a row of little confidence, or a secret. */
  #passOver(): void {
    const due = this.#due.shift();
    if (due === undefined) return;
    this.#ended = true;
    const line = due.shown ?? NOTHING_SHOWN;
    this.#read(due, line, neverShown(line, due.keys.state, due.echo, 'other'), MOST_WHEN_PASSED_OVER);
  }

  get #length(): number {
    return this.#due.reduce((length, { keys }) => length + keys.length, 0);
  }

  get #bound(): number {
    return 400 + 2 * this.#state.time.roundTrip;
  }

  #read(due: Due, line: LineOnScreen, secret: boolean, most = 1): void {
    const { state } = due.keys;
    const typed = this.#state.line;
    const fused = fuse({
      screen: line,
      redrawn: undefined,
      keys: state,
      plain: this.#state.plain,
      doubts: secret ? ['no-echo'] : [],
    });
    const known = withWhatKeysKnow(fused, due.keys, secret);
    const passive = { ...known, confidence: Math.min(known.confidence, most) };
    const reading =
      typeof due.report === 'string'
        ? passive
        : withReport(passive, { screen: line, redrawn: undefined, doubts: [] }, due.report.text, true);
    if (typed.anchor?.verified === true && reading.confidence >= CERTAIN)
      this.#state.prompts.learn(typed.anchor.prompt);
    if (!secret || !typed.keys.touched) {
      typed.anchor = undefined;
      typed.used = this.#due.length > 0;
    }
    if (reading.candidates.every((text) => text.trim() === '')) return;
    this.#state.out.add({
      kind: 'observed',
      request: {
        id: this.#state.nextId(),
        what: 'line',
        reading: doubted(this.#state, reading, []),
        preceding: [],
        // Nobody has waited to see whether it is masked: what was not shown counts as a secret, wherever it was typed.
        context: { ...due.context, dialect: this.#state.dialect, secret, masked: secret },
        anyEnd: false,
        unproven: undefined,
        at: this.#state.time.outside(due.at),
        heldFor: 0,
      },
    });
  }
}

/** The line stands there with all that was typed. */
function stands(due: Due, line: LineOnScreen): boolean {
  const { state } = due.keys;
  return state.kind === 'known' && state.texts.some((text) => text.trim() !== '' && visible(line, text));
}

function isBlank(state: KeysState): boolean {
  return state.kind === 'known' && state.texts.every((text) => text.trim() === '');
}

/** What the keys know of is never passed over for what the screen has lost. */
function withWhatKeysKnow(fused: Reading, keys: KeysModel, secret: boolean): Reading {
  const nothing = fused.candidates.every((text) => text.trim() === '');
  const { state } = keys;
  const typed =
    secret || nothing
      ? (state.kind === 'known' ? state.texts : [state.tail]).find((text) => text.trim() !== '')
      : undefined;
  if (typed === undefined) return fused;
  return {
    ...fused,
    text: typed,
    candidates: nothing ? [typed] : fused.candidates,
    how: 'keys',
    confidence: Math.min(fused.confidence, 0.4),
  };
}
