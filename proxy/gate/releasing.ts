// Lets an approved submit key through, and holds what follows until a prompt is back or the bound has passed: so pasted
// lines and typed-ahead text are read one at a time.

import { KeysModel } from '../terminal/keys-model.ts';
import { CERTAIN } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import type { Parting } from './kept-text.ts';
import { leftOfCursor, lineStartHere } from './line-start.ts';
import type { AfterPhase, Judged } from './phases.ts';
import { takeBack } from './taking-back.ts';
import { ANCHOR_SILENCE, editorSilence, PASTE_BOUND, PROMPT_BOUND } from './timing.ts';
import type { GivenUp } from './typed-line.ts';

export function release(state: GateState, judged: Judged): void {
  state.out.outcome(judged.id, 'released', judged.reading.text);
  letGo(state, judged, judged.token.bytes, 'user');
}

export function refuseUnread(state: GateState, judged: Judged): void {
  state.out.outcome(judged.id, 'unverifiable', judged.reading.text);
  state.out.notify(
    'This line could not be read with certainty, so it was not run. Please type it again in full.',
  );
  takeBack(state, judged, 'prompt', '');
}

export function letGo(state: GateState, judged: Judged, bytes: Buffer, origin: 'user' | 'gate'): void {
  const { line, screen, time } = state;
  if (line.anchor?.verified === true && judged.reading.confidence >= CERTAIN) {
    state.prompts.learn(line.anchor.prompt);
  }
  const { text } = judged.reading;
  const complete = state.command.add({
    text,
    secret: judged.secret,
    prompt: line.anchor?.prompt,
    oneLine: state.dialect === 'fish',
  });
  // What is typed into an editor on the whole screen starts nothing, though it takes pastes like a line editor.
  const starts = state.reader === 'prompt' || (screen.modes.editorOn && !state.freeProgram);
  if (complete !== undefined && !complete.secret && starts) {
    state.runs(complete.text);
    state.contexts.released(complete.text, line.anchor?.prompt ?? '');
  }
  state.mayLeave = true;
  state.started ||= judged.reading.candidates.some((candidate) => candidate.trim() !== '');
  const { witness } = state;
  state.witness = undefined;
  // What was known of the terminal ends with what runs there.
  state.fact = { echo: undefined, foreground: undefined, shellReads: undefined };
  state.prefilled = judged.keyClass === 'submit-and-next';
  state.maySpell = bytes.length > 1 && origin === 'user';
  state.mayGoOn =
    // Others say so when they stop reading, and a multiplexer in between may leave that out.
    (state.dialect === 'fish' || (state.dialect === 'zsh' && judged.token.kind === 'meta')) &&
    screen.modes.editorOn &&
    judged.keyClass === 'submit'
      ? { keys: line.keys, anchor: line.anchor, text, witness }
      : undefined;
  // What the gate has typed anew is not what the shell had reported.
  if (origin === 'user' && line.report?.allow !== undefined) state.out.toDevice(line.report.allow, 'gate');
  state.out.toDevice(bytes, origin);
  line.kept.submitted(
    [text, ...judged.reading.candidates],
    judged.secret || line.insertedUnseen,
    judged.token.kind === 'control' && judged.keyClass === 'submit' ? 'submitted' : 'submitted-oddly',
  );
  line.keys = new KeysModel();
  line.reset();
  state.reader = 'program';
  time.sentKey();
  state.waitForPrompt();
}

/** Something was let through: opens when the prompt is back, or when it has been waited for long enough. */
export function promptAwaited(state: GateState, phase: AfterPhase): boolean {
  const { input, line, time } = state;
  if (lineGoesOn(state, phase)) return true;
  if (promptReady(state, phase)) {
    // What looks like a prompt where the line stood may be the line itself, that its editor has kept.
    const elsewhere =
      state.screen.cursor.row !== line.anchor?.row ||
      state.screen.modes.editorOn ||
      state.prompts.atCursor(state.screen) === 'known';
    if (line.givenUp !== undefined && elsewhere) line.leave(partingOf(state, line.givenUp));
    line.givenUp = undefined;
    if (state.prompts.atCursor(state.screen) === 'known') line.kept.promptBack();
    state.reader = 'prompt';
    if (phase.editorBack) state.mayLeave = false;
    const prompt = leftOfCursor(state);
    state.contexts.promptSeen(prompt);
    state.command.promptSeen(prompt);
    if (phase.editorBack && !line.used && !state.prefilled) state.prompts.editorBehind(prompt);
    if (!line.used) line.anchor = lineStartHere(state, true);
    if (state.prefilled) line.keys.forget('history');
  } else if (!time.isLate(phase.since, PROMPT_BOUND)) return false;
  else {
    if (state.maySpell) line.keys.forget('key');
    if (line.givenUp !== undefined && state.screen.cursor.row !== line.anchor?.row) {
      line.leave(line.givenUp.interrupted ? 'interrupted' : 'doubtful');
      line.anchor = lineStartHere(state, false);
    }
    line.givenUp = undefined;
  }
  state.maySpell = false;
  const pasting = input.first?.kind === 'paste-start' && input.pasting;
  if (pasting && time.since(phase.since) < PASTE_BOUND) return false;
  state.phase = { kind: 'open' };
  return true;
}

/** An interrupt that a prompt of this terminal has followed, on a row of its own or behind what was typed, was obeyed. */
function partingOf(state: GateState, { interrupted, feeds }: GivenUp): Parting {
  const { line, prompts, screen } = state;
  const moved = state.feeds > feeds || screen.cursor.column !== line.anchor?.column;
  return interrupted && moved && prompts.endsAtCursor(screen) ? 'prompt-back' : 'doubtful';
}

/** The editor took the submit key as a new row of the same buffer: the line goes on. */
function lineGoesOn(state: GateState, phase: AfterPhase): boolean {
  const { mayGoOn: gone, line, time } = state;
  if (gone === undefined || phase.editorBack || !state.screen.modes.editorOn) return false;
  if (time.since(phase.since) < Math.max(150, 1.6 * time.roundTrip + 90)) return false;
  if (time.silent < 30 || time.lastDevice < phase.since) return false;
  state.mayGoOn = undefined;
  line.kept.clear();
  line.keys = gone.keys;
  line.keys.insert('\n');
  line.anchor = gone.anchor;
  line.manyRows = true;
  line.used = true;
  line.resumed = true;
  line.begun = { feeds: state.feeds, editor: true, byProgram: false };
  state.witness = gone.witness;
  state.reader = 'prompt';
  // The whole buffer is read again at the next submit key.
  state.command.takeBack(gone.text);
  state.phase = { kind: 'open' };
  return true;
}

function promptReady(state: GateState, { since, editorBack }: AfterPhase): boolean {
  const { prompts, screen, time } = state;
  const { silent } = time;
  const waited = time.since(since);
  // Looking at the screen draws it: not while output streams, nor where no silence so short could mean anything.
  if (time.lastDevice < since || silent < leastSilence(state, editorBack)) return false;
  const at = prompts.atCursor(screen);
  if (editorBack) return silent >= editorSilence(at, screen.cursor.column);
  // A full-screen program draws all sorts of things: only a prompt that is known says that it has gone.
  if (state.fullScreen) return at === 'known' && silent >= 60;
  if (state.dialect === 'zsh' || state.dialect === 'fish') {
    // These editors always announce themselves; a prompt without that is a program's.
    return at === 'known' && silent >= 250 && waited >= time.roundTrip;
  }
  if (screen.modes.everEditor) return at === 'known' && silent >= 60 && waited >= time.roundTrip;
  if (waited < 0.8 * time.roundTrip) return false;
  if (at === 'known') return silent >= 12;
  if (at === 'alike') return silent >= 80;
  // What came so far may still be the echo of what was typed before.
  if (waited < 1.4 * time.roundTrip + ANCHOR_SILENCE) return false;
  return prompts.known.length === 0 && silent >= ANCHOR_SILENCE && screen.cursor.column > 0;
}

/** A shorter silence is no prompt's, whatever the screen shows: it is not looked at for that. */
function leastSilence({ dialect, prompts, screen }: GateState, editorBack: boolean): number {
  if (editorBack) return editorSilence('known', 0);
  if (prompts.known.length === 0) return ANCHOR_SILENCE;
  return dialect === 'zsh' || dialect === 'fish' || screen.modes.everEditor ? 60 : 12;
}
