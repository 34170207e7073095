// Asks for a verdict on a line that was read, and does what the answer says. Fails closed: no answer in time is a
// refusal, and an approved line that was not read with certainty is typed anew or refused unless the settings allow it.
import { CERTAIN, type Doubt, type Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import type { VerdictAnswer, VerdictRequest } from './gate-types.ts';
import { lineOnScreen, withOtherStarts } from './line-start.ts';
import { pasteProven } from './pasting.ts';
import type { Held, Judged, Phase, ProvePhase } from './phases.ts';
import { canProve, startProof } from './proving.ts';
import { withMark, withoutIndent, withoutWhatIsForgotten } from './reading-doubts.ts';
import { refuseUnread, release } from './releasing.ts';
import { replayOf } from './replaying.ts';
import { isMasked, neverShown, showsEnd } from './secrets.ts';
import { takeBack } from './taking-back.ts';
import { VERDICT_BOUND } from './timing.ts';

/**
 * Something was put in, and that it is gone again is only what the keys say, or an interrupt: no editor announced itself
 * and no known prompt stands before the cursor, or others wrote meanwhile. The reader may know none of these keys and
 * have the text still.
 */
function onlySaidToBeGone(state: GateState, seen: Reading): boolean {
  const { line, prompts, screen } = state;
  if (seen.text.trim() !== '' || line.keys.inserted.trim() === '' || line.drawnAnew) return false;
  if (state.erasedBesideOutput) return true;
  return !screen.modes.editorOn && prompts.atCursor(screen) !== 'known';
}

/**
 * Others wrote while something was taken out of the line, or nobody knows what a key has done to it: it is judged as if
 * no key had done anything but put text in, too.
 */
function withErased(state: GateState, reading: Reading): Reading {
  const { keys } = state.line;
  const outside = reading.doubts.includes('prompt-lost') || reading.doubts.includes('cursor-outside');
  const beside = state.erasedBesideOutput || (outside && state.line.erased && !state.line.drawnAnew);
  if (!beside && !state.keysUntold) return reading;
  const tail = keys.state.kind === 'unknown' ? keys.state.tail : '';
  const others = [keys.inserted, tail].filter(
    (text) => text.trim() !== '' && !reading.candidates.includes(text),
  );
  if (others.length === 0) return reading;
  return {
    ...reading,
    candidates: [...new Set([...reading.candidates, ...others])],
    confidence: Math.min(reading.confidence, CERTAIN - 0.05),
    doubts: [...new Set<Doubt>([...reading.doubts, state.keysUntold ? 'unknown-key' : 'output'])],
  };
}

/** Where nothing is shown, a reader may know none of the keys that take something away: it has all that was put in. */
function withInserted(reading: Reading, inserted: string): Reading {
  if (reading.candidates.includes(inserted)) return reading;
  const blank = reading.text.trim() === '';
  return {
    text: blank ? inserted : reading.text,
    candidates: [...new Set([...reading.candidates, inserted])],
    how: 'keys',
    confidence: Math.min(reading.confidence, 0.4),
    doubts: [...new Set<Doubt>([...reading.doubts, 'no-echo'])],
  };
}

export function judge(state: GateState, held: Held, found: Reading): void {
  const { line, screen, time } = state;
  const keys = line.keys.state;
  const marked = withMark(state, withoutWhatIsForgotten(state, withoutIndent(state, found)));
  const seen = { ...marked, candidates: withOtherStarts(state, marked.candidates) };
  const shown = lineOnScreen(state);
  const echoes = screen.modes.editorOn ? 'editor' : line.keys.edits === 'editing' ? 'edited' : 'other';
  // That it was taken out again is only what the keys say.
  const erasedUnseen = seen.text.trim() === '' && keys.kind === 'known' && line.insertedUnseen;
  const unshown =
    (seen.confidence < CERTAIN || seen.text.trim() === '') && neverShown(shown, keys, line.echo, echoes);
  // An editor that came up shows what was typed since.
  const endShown =
    unshown && echoes === 'editor' && seen.how === 'screen' && showsEnd({ ...shown, text: seen.text }, keys);
  const blind =
    erasedUnseen || (keys.kind === 'known' && onlySaidToBeGone(state, seen)) || (unshown && !endShown);
  // What is not shown of a line that the keys do not tell is no certain password: it is hidden, and doubted all the same.
  const secret = blind || (state.keysUntold && line.insertedUnseen);
  const reading = line.kept.before(blind ? withInserted(seen, line.keys.inserted) : withErased(state, seen));
  const empty =
    reading.confidence >= CERTAIN &&
    // Only keys tell that there is nothing: what was recalled or completed may be out of sight.
    keys.kind === 'known' &&
    reading.candidates.every((text) => text.trim() === '') &&
    state.command.isEmpty &&
    // What stands left of it may have been filled in.
    !(state.promptUnproven && screen.modes.editorOn && !state.prompts.known.includes(line.left));
  const context = state.context(secret, secret && isMasked(shown, keys));
  const request: VerdictRequest = {
    id: state.nextId(),
    what: 'line',
    reading,
    preceding: [...state.command.lines],
    context: endShown ? { ...context, secretBefore: true } : context,
    anyEnd: state.endsMayRun,
    unproven: state.promptUnproven
      ? {
          left: screen.modes.editorOn ? line.left : '',
          provable: !secret && shown.text.trim() !== '' && canProve(state, shown),
        }
      : undefined,
    at: time.outside(time.now),
    heldFor: time.since(held.since),
  };
  const judged: Judged = { ...held, id: request.id, reading, secret, request };
  if (empty) release(state, judged);
  else ask(state, judged);
}

function ask(state: GateState, judged: Judged): void {
  state.phase = { kind: 'judge', judged, until: state.time.now + VERDICT_BOUND };
  state.out.add({ kind: 'requestVerdict', request: judged.request });
}

/** The line editor has proven that it has the line, or has not: the verdict is asked for with that. */
export function proofOver(state: GateState, { what }: ProvePhase, proven: boolean): void {
  if ('kind' in what) {
    pasteProven(state, what, proven);
    return;
  }
  const judged = what;
  const id = state.nextId();
  const unproven = proven ? undefined : { left: '', ...judged.request.unproven, provable: false };
  ask(state, {
    ...judged,
    id,
    request: { ...judged.request, id, unproven },
    spoiled: !proven,
  });
}

/** Waits for the verdict, within its bound, unless the user gives up. */
export function judgeWaits(state: GateState, phase: Extract<Phase, { kind: 'judge' }>): boolean {
  const { judged, until } = phase;
  if (state.input.cancelled()) {
    state.out.outcome(judged.id, 'cancelled', judged.reading.text);
    takeBack(state, judged, 'prompt', '');
    return true;
  }
  if (state.time.now < until) return false;
  state.out.alarm('SP_GATE_VERDICT_LATE', 'no verdict came in time');
  answered(state, judged, {
    kind: 'block',
    notice: 'No decision came in time; the command was not run.',
  });
  return true;
}

export function answered(state: GateState, judged: Judged, answer: VerdictAnswer): void {
  const { out, time } = state;
  switch (answer.kind) {
    case 'release':
      approved(state, judged);
      return;
    case 'prove':
      startProof(state, judged, answer.digits, answer.beyond);
      return;
    case 'block':
      out.outcome(judged.id, 'blocked', judged.reading.text);
      out.notify(answer.notice);
      takeBack(state, judged, 'prompt', '');
      return;
    case 'interrupt':
      out.outcome(judged.id, 'blocked', judged.reading.text);
      out.notify(answer.notice);
      takeBack(state, judged, 'end', answer.notice);
      return;
    case 'wait':
      out.notify(answer.notice);
      state.phase = { kind: 'judge', judged, until: Math.max(time.now, time.inside(answer.until)) };
      return;
    case 'ask':
      out.question(answer.question);
      state.phase = { kind: 'ask', judged, since: time.now, echo: answer.echo, answer: '' };
      return;
  }
}

function approved(state: GateState, judged: Judged): void {
  const { settings } = state;
  if (judged.spoiled === true) {
    refuseUnread(state, judged);
    return;
  }
  const certain = judged.reading.confidence >= CERTAIN;
  // Nothing but the keys can tell what a program was given without echo.
  const secret =
    judged.secret &&
    judged.reading.doubts.includes('no-echo') &&
    state.reader === 'program' &&
    !state.screen.modes.editorOn;
  const replay = settings.replay === 'always' || (settings.replay === 'uncertain' && !certain && !secret);
  const text = replay ? replayOf(state, judged.reading) : undefined;
  if (text !== undefined) {
    takeBack(state, { ...judged, reading: { ...judged.reading, text } }, 'replay', '');
    return;
  }
  if (certain || secret || settings.uncertain === 'allow' || state.freeProgram) release(state, judged);
  else refuseUnread(state, judged);
}
