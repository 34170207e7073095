// Observe mode: nothing is held, and each submitted line is read at the moment when the device takes it: a line feed, an
// editor that stops reading, or an editor that reads again. What was submitted and never shown is noted as a secret.
import type { KeyToken } from '../terminal/keys.ts';
import { KeysModel } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { CERTAIN, fuse, type Reading, visible } from '../terminal/reading.ts';
import { EchoWitness } from './echo-witness.ts';
import type { GateState } from './gate-state.ts';
import type { SubmitContext } from './gate-types.ts';
import { lineOnScreen } from './line-start.ts';
import { doubted } from './reading-doubts.ts';
import { neverShown } from './secrets.ts';

/** Lines whose reading may be due. */
const MOST_DUE = 1_000;

interface Due {
  readonly token: KeyToken;
  readonly keys: KeysModel;
  readonly echo: EchoWitness;
  /** A line editor was reading when it was submitted. */
  readonly editor: boolean;
  readonly reader: SubmitContext['reader'];
  readonly at: number;
  /** What the shell said that the line is. */
  report: 'not-asked' | 'asked' | { readonly text: string };
}

export class Observer {
  readonly #state: GateState;
  #due: Due[] = [];
  /** How the editor told that the line has left; it tells so twice. */
  #leftBy: 'feed' | 'off' | undefined;

  constructor(state: GateState) {
    this.#state = state;
  }

  get waiting(): boolean {
    return this.#due.length > 0;
  }

  /** When a line that nothing has answered is taken for one that a program took silently. */
  get dueAt(): number | undefined {
    const since = this.#due[0]?.at;
    return since === undefined || this.#state.reader !== 'prompt' ? undefined : since + this.#bound;
  }

  submitted(token: KeyToken): void {
    const { line, out, screen, time } = this.#state;
    const { witness } = this.#state;
    this.#due.push({
      token,
      keys: line.keys,
      echo: line.echo,
      editor: screen.modes.editorOn,
      reader: this.#state.reader,
      at: time.now,
      report: witness === undefined ? 'not-asked' : 'asked',
    });
    if (this.#due.length > MOST_DUE) this.#due.shift();
    line.keys = new KeysModel();
    line.echo = new EchoWitness();
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

  saw(bytes: Buffer): void {
    for (const due of this.#due) due.echo.saw(bytes);
  }

  /** A line feed, or an editor that stops reading, is when a submitted line leaves. */
  lineLeft(by: 'feed' | 'off'): void {
    const { screen, time } = this.#state;
    if (this.#leftBy !== undefined && this.#leftBy !== by) {
      this.#leftBy = undefined;
      return;
    }
    if (this.#due.length === 0) return;
    const line = lineOnScreen(this.#state);
    for (;;) {
      const [due] = this.#due;
      if (due === undefined) return;
      const { state } = due.keys;
      const shown = state.kind === 'known' && state.texts.some((text) => visible(line, text));
      // So early it cannot be the answer to the submit key.
      if (!shown && time.since(due.at) < 0.8 * time.roundTrip) return;
      const editor = by === 'off' || screen.modes.editorOn;
      this.#due.shift();
      const secret = neverShown(line, state, due.echo, editor && due.editor ? 'editor' : 'other');
      this.#read(due, line, secret);
      // What was not echoed went to a program without a trace: this may be the end of the next line.
      const next = secret ? this.#due[0]?.keys.state : undefined;
      const goesOn =
        next?.kind === 'known' ? next.texts.some((text) => text.trim() !== '' && visible(line, text)) : false;
      if (!goesOn) {
        if (editor && !secret) this.#leftBy = by;
        return;
      }
    }
  }

  /** An editor that reads again has ended each line that was submitted to it, whether or not its end was recognised. */
  editorReturned(): void {
    this.#leftBy = undefined;
    for (;;) {
      const [due] = this.#due;
      if (due === undefined || !due.editor || due.keys.state.kind !== 'known') return;
      const line = lineOnScreen(this.#state);
      this.#due.shift();
      this.#read(due, line, neverShown(line, due.keys.state, due.echo, 'editor'));
    }
  }

  /** An editor reads again, and a line submitted before was neither shown nor ended: a program took it silently. */
  takenSilently(): void {
    while (this.#state.reader === 'prompt') {
      const [due] = this.#due;
      if (due === undefined || this.#state.time.since(due.at) < this.#bound) return;
      const line = lineOnScreen(this.#state);
      const { state } = due.keys;
      if (state.kind !== 'known' || !neverShown(line, state, due.echo, 'other')) return;
      this.#due.shift();
      this.#read(due, line, true);
    }
  }

  get #bound(): number {
    return 400 + 2 * this.#state.time.roundTrip;
  }

  #read(due: Due, line: LineOnScreen, secret: boolean): void {
    const { state } = due.keys;
    const typed = this.#state.line;
    const fused = fuse({
      screen: line,
      redrawn: undefined,
      keys: state,
      plain: this.#state.plain,
      doubts: secret ? ['no-echo'] : [],
    });
    const reading = withReport(withWhatKeysKnow(fused, due.keys, secret), due.report);
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
        context: { ...this.#state.context(secret), reader: due.reader },
        at: due.at,
        heldFor: 0,
      },
    });
  }
}

/** What the keys know of is never passed over for what the screen has lost. */
function withWhatKeysKnow(fused: Reading, keys: KeysModel, secret: boolean): Reading {
  const nothing = fused.candidates.every((text) => text.trim() === '');
  const { state } = keys;
  const typed =
    (secret || nothing) && state.kind === 'known'
      ? state.texts.find((text) => text.trim() !== '')
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

function withReport(reading: Reading, report: Due['report']): Reading {
  if (typeof report === 'string') return reading;
  const { text } = report;
  return {
    ...reading,
    text,
    candidates: [...new Set([text, ...reading.candidates])],
    how: 'integrated',
    confidence: 1,
  };
}
