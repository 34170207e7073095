// Bracketed pastes. Where a line editor takes the text as one, a paste with line ends is judged whole before anything
// of it is passed on; where none does, its line ends are submit keys like any other.
import { type KeyToken, KeyTokenizer } from '../terminal/keys.ts';
import { forward } from './forwarding.ts';
import type { GateState } from './gate-state.ts';
import type { VerdictAnswer, VerdictRequest } from './gate-types.ts';
import { lineOnScreen, noteLineStart } from './line-start.ts';
import type { PastePhase } from './phases.ts';
import { canProve, startProof } from './proving.ts';
import { takeBack } from './taking-back.ts';
import { VERDICT_BOUND } from './timing.ts';

const MOST_CANDIDATES = 10_000;

/** The start of a paste was taken from the queue. */
export function pasted(state: GateState, start: KeyToken): void {
  const { input, line, out } = state;
  const rest = input.restOfPaste();
  if (rest === undefined) {
    // The rest has not come yet; keep the start until it has.
    if (input.pasting && state.holds) {
      input.putBack([start]);
      state.waitForPrompt();
      return;
    }
    // A beginning without an end begins nothing.
    if (state.holds) return;
    line.slow = true;
    forward(state, start);
    return;
  }
  const tokens = [start, ...rest];
  const content = Buffer.concat(
    tokens.filter((token) => token.kind === 'paste-text').map((token) => token.bytes),
  );
  if (state.holds && !state.screen.modes.editorOn) {
    pastedAsKeys(state, content);
    return;
  }
  if (state.gatesKeys && /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(content.toString('latin1'))) {
    out.refusedKey(start.bytes, 'a paste may not hold control characters');
    return;
  }
  if (state.gatesKeys && /[\r\n]/.test(content.toString('latin1'))) {
    askForPaste(state, tokens, content);
    return;
  }
  passPaste(state, tokens);
}

/** No line editor takes the paste as one text: each line end in it submits. */
export function pastedAsKeys(state: GateState, content: Buffer): void {
  const tokenizer = new KeyTokenizer();
  // A paste within a paste is none: its marks would make keys of it that nobody judges.
  state.input.putBack([...tokenizer.push(withoutMarks(content)), ...tokenizer.flush()]);
}

export function pasteJudged(state: GateState, phase: PastePhase, answer: VerdictAnswer): void {
  const { out } = state;
  state.phase = { kind: 'open' };
  if (answer.kind === 'release' && phase.spoiled === true) {
    const notice = 'Not pasted: nothing proves that a line editor takes it. Paste it line by line.';
    pasteJudged(state, phase, { kind: 'block', notice });
    return;
  }
  switch (answer.kind) {
    case 'release':
      out.outcome(phase.id, 'released', '');
      passPaste(state, phase.tokens);
      return;
    case 'prove':
      startProof(state, phase, answer.digits, answer.beyond);
      return;
    case 'block':
    case 'wait':
    case 'ask':
      out.outcome(phase.id, 'blocked', '');
      out.notify(
        answer.kind === 'block'
          ? answer.notice
          : 'A paste with line ends needs a decision that cannot be asked for here.',
      );
      takeBack(state, undefined, 'prompt', '');
      return;
    case 'interrupt':
      out.outcome(phase.id, 'blocked', '');
      out.notify(answer.notice);
      takeBack(state, undefined, 'end', answer.notice);
      return;
  }
}

/** The line editor that is to take the paste has proven that it reads, or has not: the verdict is asked for with that. */
export function pasteProven(state: GateState, phase: PastePhase, proven: boolean): void {
  const id = state.nextId();
  const unproven = proven ? undefined : { left: '', ...phase.request.unproven, provable: false };
  const request = { ...phase.request, id, unproven };
  state.phase = { ...phase, id, request, since: state.time.now, spoiled: !proven };
  state.out.add({ kind: 'requestVerdict', request });
}

/** Waits for the verdict, within its bound. */
export function pasteWaits(state: GateState, phase: PastePhase): boolean {
  if (state.time.since(phase.since) < VERDICT_BOUND) return false;
  pasteJudged(state, phase, { kind: 'block', notice: 'No decision came in time; nothing was pasted.' });
  return true;
}

function askForPaste(state: GateState, tokens: readonly KeyToken[], content: Buffer): void {
  const { time } = state;
  noteLineStart(state);
  const id = state.nextId();
  const before = state.line.keys.state;
  const typed = before.kind === 'known' ? (before.texts[0] ?? '') : lineOnScreen(state).text;
  const text = content.toString('utf8').replace(/\r\n?/g, '\n');
  const joined = `${typed}${text}`;
  const shown = lineOnScreen(state);
  const request: VerdictRequest = {
    id,
    what: 'paste',
    reading: {
      text: joined,
      candidates: [...new Set([joined, text, ...text.split('\n')])].slice(0, MOST_CANDIDATES),
      how: 'keys',
      confidence: 1,
      doubts: [],
    },
    preceding: [...state.command.lines],
    context: state.context(false),
    anyEnd: false,
    unproven: state.promptUnproven ? { left: state.line.left, provable: canProve(state, shown) } : undefined,
    at: time.outside(time.now),
    heldFor: 0,
  };
  state.phase = { kind: 'judge-paste', id, tokens, request, since: time.now };
  state.out.add({ kind: 'requestVerdict', request });
}

function passPaste(state: GateState, tokens: readonly KeyToken[]): void {
  state.line.slow = true;
  for (const token of tokens) {
    forward(state, token);
    if (token.kind === 'paste-text' && /[\r\n]/.test(token.bytes.toString('latin1')))
      state.line.manyRows = true;
  }
}

/** Without the marks that bracket a paste. Where taking them out makes new ones, somebody has built it so: no ESC stays. */
function withoutMarks(content: Buffer): Buffer {
  const marks = /\x1b\[20[01]~/g;
  const text = content.toString('latin1').replace(marks, '');
  return Buffer.from(text.search(marks) === -1 ? text : text.replaceAll('\x1b', ''), 'latin1');
}
