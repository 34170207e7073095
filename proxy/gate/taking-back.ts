// Takes a line back that is not to run, and verifies on screen that it is gone. The submit key was never sent, so nothing
// has run; if no clean prompt appears the channel ends, because what stands there could run with the next key.
import type { GateState } from './gate-state.ts';
import { leftOfCursor, lineOnScreen, lineStartHere } from './line-start.ts';
import type { ErasePhase, Judged } from './phases.ts';
import { ERASE_BOUND, editorSilence } from './timing.ts';

const INTERRUPT = Buffer.from('\x03');
const KILL_LINE = Buffer.from('\x15');

export function takeBack(
  state: GateState,
  judged: Judged | undefined,
  then: ErasePhase['then'],
  notice: string,
): void {
  const { line, out, time } = state;
  if (state.freeProgram && then === 'prompt') {
    // Nothing was submitted. The program gives up what stands in its own command line, as a person would make it.
    out.toDevice(INTERRUPT, 'gate');
    line.kept.clear();
    line.reset();
    state.phase = { kind: 'open' };
    return;
  }
  state.mayLeave = true;
  state.mayGoOn = undefined;
  state.witness = undefined;
  const erase = state.settings.erase === 'interrupt' ? INTERRUPT : KILL_LINE;
  out.toDevice(line.report?.drop ?? erase, 'gate');
  line.report = undefined;
  state.command.forget();
  // Until its editor draws something else: whatever looks like a clean prompt may have been printed by anybody.
  line.kept.add(held(state, judged), false, line.insertedUnseen, 'prompt-back');
  line.keys.reset();
  line.used = false;
  state.prefilled = false;
  state.phase = { kind: 'erase', since: time.now, then, judged, notice, editorBack: false };
}

/** What the editor has that is to be taken back. */
function held({ line }: GateState, judged: Judged | undefined): readonly string[] {
  const { state, inserted } = line.keys;
  const typed = state.kind === 'known' ? state.texts : [];
  return [...typed, inserted, ...(judged === undefined ? [] : judged.reading.candidates)];
}

/** `clean`: the prompt is back and a line begins there. `moved`: the phase has changed. */
export function takingBack(state: GateState, phase: ErasePhase): 'waiting' | 'clean' | 'moved' {
  const clean = cleanPrompt(state, phase);
  if (!clean && !state.time.isLate(phase.since, ERASE_BOUND)) return 'waiting';
  if (phase.then === 'end') {
    state.end('SP_GATE_INTERRUPTED', phase.notice);
    return 'moved';
  }
  if (!clean) {
    state.out.alarm('SP_GATE_ERASE_UNVERIFIED', 'no clean prompt was seen after the line was taken back');
    if (phase.judged !== undefined && phase.then === 'replay') {
      state.out.outcome(phase.judged.id, 'unverifiable', phase.judged.reading.text);
    }
    state.end(
      'SP_GATE_ERASE_UNVERIFIED',
      'The refused line could not be taken back safely, so this terminal is closed.',
    );
    return 'moved';
  }
  state.line.reset();
  state.reader = 'prompt';
  state.line.anchor = lineStartHere(state, true);
  return 'clean';
}

function cleanPrompt(state: GateState, phase: ErasePhase): boolean {
  const { prompts, screen, time } = state;
  const { silent } = time;
  if (time.lastDevice < phase.since || time.since(phase.since) < 0.8 * time.roundTrip) return false;
  if (silent < 8) return false;
  if (state.settings.erase === 'kill-line') return silent >= 40 && lineOnScreen(state).text.trim() === '';
  const at = prompts.atCursor(screen);
  if (phase.editorBack) return silent >= editorSilence(at, screen.cursor.column);
  switch (at) {
    case 'known':
      return silent >= 30;
    case 'alike':
      return silent >= 120;
    case 'no':
      // A prompt that is not known yet: the same text as before the line, on a new row.
      return silent >= 150 && sameAsBefore(state);
  }
}

function sameAsBefore(state: GateState): boolean {
  const { anchor } = state.line;
  if (anchor === undefined || anchor.prompt.trim() === '') return false;
  return leftOfCursor(state).endsWith(anchor.prompt.slice(-8));
}
