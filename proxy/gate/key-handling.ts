// What becomes of each key while input flows: passed on, refused, or, when it submits, handed to whoever reads the line.
import type { KeyToken } from '../terminal/keys.ts';
import { forward, interrupt } from './forwarding.ts';
import type { GateState } from './gate-state.ts';
import { classify, type KeyClass } from './key-classes.ts';
import { lineOnScreen } from './line-start.ts';
import { pasted, pastedAsKeys } from './pasting.ts';

/** Takes the key; a submit key is given to `submit` instead of being sent. */
export function handleKey(
  state: GateState,
  token: KeyToken,
  submit: (token: KeyToken, keyClass: KeyClass) => void,
): void {
  const { line, out } = state;
  if (token.kind === 'paste-start') {
    pasted(state, token);
    return;
  }
  if (state.holds && (token.kind === 'paste-text' || token.kind === 'paste-end')) {
    // Outside of a paste that was judged as one, text is keys.
    if (token.kind === 'paste-text') pastedAsKeys(state, token.bytes);
    return;
  }
  const keyClass = classify(token);
  const gate = state.gatesKeys;
  switch (keyClass) {
    case 'silent':
      out.toDevice(token.bytes, 'user');
      state.multiplexer.key(token, state.time.now);
      return;
    case 'submit':
      submit(token, keyClass);
      return;
    case 'submit-and-next':
      // Only zsh has accept-and-hold on a Meta key.
      if (token.kind === 'meta' && state.dialect !== 'zsh' && !gate) forward(state, token);
      else submit(token, keyClass);
      return;
    case 'end-of-file':
      // On a line without an editor ^D hands over what was typed so far.
      if (gate && !state.editorProven && !line.keys.empty) {
        submit(token, 'submit');
        return;
      }
      if (line.keys.empty) state.mayLeave = true;
      forward(state, token);
      return;
    case 'interrupt':
      interrupt(state, token);
      return;
    case 'completion':
      if (gate && !state.programTakesKeys && holdsSubstitution(state)) {
        out.refusedKey(token.bytes, 'completion could run what stands in $( ), backticks or <( )');
        return;
      }
      line.slow = true;
      forward(state, token);
      return;
    case 'dangerous':
      if (gate && !(state.programTakesKeys && isWholeKey(token))) {
        out.refusedKey(token.bytes, 'this key could run something unread');
        return;
      }
      line.slow = true;
      forward(state, token);
      return;
    case 'escape':
      line.viKeys = true;
      line.slow = true;
      forward(state, token);
      return;
    case 'history':
    case 'search':
    case 'paste':
      line.slow = true;
      forward(state, token);
      return;
    case 'text':
      if (
        gate &&
        !state.programTakesKeys &&
        line.viKeys &&
        token.kind === 'text' &&
        /[v#@]/.test(token.text)
      ) {
        out.refusedKey(token.bytes, 'after ESC this key could run something unread');
        return;
      }
      forward(state, token);
      return;
    case 'edit':
      forward(state, token);
      return;
  }
}

/** A key that is known for what it is, not bytes that nobody understands. */
function isWholeKey(token: KeyToken): boolean {
  return token.kind === 'control' || token.kind === 'meta' || token.kind === 'key';
}

/** While something runs: interrupts and the terminal's own answers do not wait behind typed-ahead text. */
export function passesAtOnce(state: GateState, token: KeyToken): boolean {
  switch (classify(token)) {
    case 'silent':
      if (state.input.length > 0) return false;
      state.out.toDevice(token.bytes, 'user');
      return true;
    case 'interrupt':
      // The device's tty would throw typed-ahead input away as well.
      state.input.clear();
      interrupt(state, token);
      return true;
    case 'submit':
    case 'submit-and-next':
    case 'text':
    case 'edit':
    case 'history':
    case 'completion':
    case 'search':
    case 'end-of-file':
    case 'paste':
    case 'escape':
    case 'dangerous':
      return false;
  }
}

function holdsSubstitution(state: GateState): boolean {
  const { keys } = state.line;
  const typed = keys.state;
  const texts = typed.kind === 'known' ? [...typed.texts] : [];
  texts.push(lineOnScreen(state).text);
  return texts.some((text) => /\$\(|`|<\(|>\(|=\(/.test(text));
}
