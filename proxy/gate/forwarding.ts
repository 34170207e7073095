// Lets a key through that submits nothing, and keeps account of it; or refuses it with a bell. Which of the two is
// decided by the caller.
import type { KeyToken } from '../terminal/keys.ts';
import type { GateState } from './gate-state.ts';
import { noteLineStart } from './line-start.ts';

export function forward(state: GateState, token: KeyToken): void {
  const { line, out, time } = state;
  noteLineStart(state);
  if (!line.keys.touched) line.echo = state.echoes.witness();
  out.toDevice(token.bytes, 'user');
  line.keys.apply(token);
  line.used = true;
  time.sentKey();
}

/** ^C, ^Z, ^\: whatever was typed is given up, and the prompt is waited for. */
export function interrupt(state: GateState, token: KeyToken): void {
  state.mayLeave = true;
  state.mayGoOn = undefined;
  state.witness = undefined;
  state.out.toDevice(token.bytes, 'user');
  state.line.reset();
  state.command.forget();
  if (state.holds) state.waitForPrompt();
}
