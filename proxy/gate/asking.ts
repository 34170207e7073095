// The user is asked something while a submit key is held: their keys answer the question and do not reach the device.
import type { GateState } from './gate-state.ts';
import { answered } from './judging.ts';
import type { AskPhase } from './phases.ts';
import { takeBack } from './taking-back.ts';
import { ASK_BOUND, VERDICT_BOUND } from './timing.ts';

const MOST_ANSWER = 1_024;
const NEXT_LINE = Buffer.from('\r\n');

export function asking(state: GateState, phase: AskPhase): boolean {
  const { judged } = phase;
  if (state.time.since(phase.since) >= ASK_BOUND) {
    state.out.add({ kind: 'answered', id: judged.id, answer: undefined });
    answered(state, judged, {
      kind: 'block',
      notice: 'No answer came in time; the command was not run.',
    });
    return true;
  }
  const token = state.input.shift();
  if (token === undefined) return false;
  switch (token.kind) {
    case 'text':
      if (phase.answer.length < MOST_ANSWER) {
        phase.answer += token.text;
        if (phase.echo) state.out.toClient(Buffer.from(token.text));
      }
      return true;
    case 'control':
      controlKey(state, phase, token.code);
      return true;
    case 'meta':
    case 'key':
    case 'paste-start':
    case 'paste-text':
    case 'paste-end':
    case 'mouse':
    case 'focus':
    case 'report':
    case 'escape':
    case 'unknown':
    case 'invalid':
      return true;
  }
}

function controlKey(state: GateState, phase: AskPhase, code: number): void {
  const { judged } = phase;
  const { out } = state;
  if (code === 0x0d || code === 0x0a) {
    out.toClient(NEXT_LINE);
    out.add({ kind: 'answered', id: judged.id, answer: phase.answer });
    state.phase = { kind: 'judge', judged, until: state.time.now + VERDICT_BOUND };
  } else if (code === 0x03 || code === 0x04) {
    out.toClient(NEXT_LINE);
    out.add({ kind: 'answered', id: judged.id, answer: undefined });
    out.outcome(judged.id, 'cancelled', judged.reading.text);
    takeBack(state, judged, 'prompt', '');
  } else if ((code === 0x7f || code === 0x08) && phase.answer !== '') {
    phase.answer = phase.answer.slice(0, -1);
    if (phase.echo) out.toClient(Buffer.from('\b \b'));
  }
}
