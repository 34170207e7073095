// Lets a key through that submits nothing, and keeps account of it; or refuses it with a bell. Which of the two is
// decided by the caller.
import type { KeyToken } from '../terminal/keys.ts';
import type { GateState } from './gate-state.ts';
import { noteLineStart } from './line-start.ts';

export function forward(state: GateState, token: KeyToken): void {
  const { line, out, time } = state;
  noteLineStart(state);
  if (!line.keys.touched) {
    line.echo = state.echoes.witness();
    line.begun = {
      feeds: state.feeds,
      editor: state.screen.modes.editorOn,
      byProgram: !state.promptReads,
    };
  }
  line.drawnAnew = false;
  out.toDevice(token.bytes, 'user');
  line.keys.apply(token);
  state.multiplexer.key(token, time.now);
  line.used = true;
  time.sentKey();
}

/**
 * ^C, ^Z, ^\: what was typed is given up, and the prompt is waited for. Terminals can be set so that these keys do nothing,
 * and line editors keep their line at ^Z: until a prompt is back, it may still stand there.
 */
export function interrupt(state: GateState, token: KeyToken): void {
  state.mayLeave = true;
  state.mayGoOn = undefined;
  state.witness = undefined;
  state.out.toDevice(token.bytes, 'user');
  state.command.forget();
  if (!state.holds) {
    state.line.leave('doubtful');
    return;
  }
  state.line.givenUp = { interrupted: token.kind === 'control' && token.code === 0x03, feeds: state.feeds };
  state.line.keys.mayBeEmpty();
  state.waitForPrompt();
}
