// What the device prints, on its way onto the gate's screens, and what its mode changes tell: a line editor that starts
// or stops reading. Nothing that is printed lets anything through.
import type { OutputEvent } from '../terminal/modes.ts';
import type { GateState } from './gate-state.ts';
import { editorLeft, editorReads, multiplexerGone, wroteMeanwhile } from './leaving.ts';
import type { Observer } from './observing.ts';

/** Longer output is not one line editor drawing, but one may have come up at its end: so much of it is looked at. Bytes. */
const MOST_DRAWN_AT_ONCE = 3_072;
const END_OF_LONG = 1_024;

const ZSH_DRAWS = Buffer.from('\x1b[27m\x1b[24m');
const FISH_DRAWS = Buffer.from('\u23ce');
/** What a multiplexer draws a whole screen with; editors move within their line. */
const PLACES_OR_CLEARS = /\x1b\[[0-9;]*H|\x1b\[2J/;
const CLEARS_LINE = Buffer.from('\x1b[K');

/** Whether the user sees this output: what is drawn for a window that they do not have is not for them. */
export function isForClient(state: GateState): boolean {
  const { phase } = state;
  return !(phase.kind === 'redraw' && phase.way === 'columns' && phase.step === 'grow');
}

export function deviceWrote(state: GateState, observer: Observer, bytes: Buffer): void {
  noticeDialect(state, bytes);
  state.echoes.saw(bytes);
  if (bytes.includes(0x0a)) {
    state.feeds += 1;
    state.line.kept.answered('feed');
  }
  let data = bytes;
  // In observe mode a line is read at the moment when the editor leaves it: everything typed has been echoed then.
  while (observer.waiting) {
    const feed = data.indexOf(0x0a);
    if (feed === -1) break;
    // The carriage returns before it would take the cursor out of the line.
    let end = feed;
    while (end > 0 && data[end - 1] === 0x0d) end -= 1;
    write(state, observer, data.subarray(0, end));
    observer.lineLeft('feed');
    write(state, observer, data.subarray(end, feed + 1));
    data = data.subarray(feed + 1);
  }
  write(state, observer, data);
}

function write(state: GateState, observer: Observer, data: Buffer): void {
  if (data.length === 0) return;
  const { phase } = state;
  if (phase.kind === 'redraw') {
    phase.answered = true;
    if (PLACES_OR_CLEARS.test(data.toString('latin1'))) phase.repainted = true;
    if (phase.way === 'rows' || phase.step === 'grow') phase.fresh.write(data);
    if (!isForClient(state)) return;
  }
  let from = 0;
  state.screen.write(data, (event) => {
    meanwhile(state, data.subarray(from, event.at));
    from = event.at;
    noticed(state, observer, event);
  });
  meanwhile(state, data.subarray(from));
}

function meanwhile(state: GateState, data: Buffer): void {
  if (state.phase.kind === 'left') wroteMeanwhile(state, state.phase, data);
}

function noticed(state: GateState, observer: Observer, event: OutputEvent): void {
  switch (event.kind) {
    case 'editor-on':
      editorOn(state, observer);
      return;
    case 'editor-off':
      editorOff(state, observer);
      return;
    case 'alternate-off':
      if (state.phase.kind === 'left') multiplexerGone(state, state.phase);
      state.screenGivenBack();
      return;
    case 'mark':
      if (event.mark === 'B') state.promptEndsHere();
      return;
    case 'alternate-on':
      state.multiplexer.screenTaken();
      return;
    case 'other':
      return;
  }
}

function editorOn(state: GateState, observer: Observer): void {
  const { line, phase } = state;
  if (state.dialect === 'unknown') state.dialect = 'readline';
  // Editors switch bracketed paste on for themselves; when one has gone, the known prompt tells.
  if (state.fullScreen) return;
  line.kept.answered('editor');
  switch (phase.kind) {
    case 'after':
    case 'erase':
      phase.editorBack = true;
      return;
    case 'left':
      editorReads(state, phase);
      return;
    case 'open':
      // A line editor came up while input flowed: what was running has ended.
      observer.editorReturned();
      state.mayLeave = false;
      state.reader = 'prompt';
      if (line.keys.touched) line.editorCameBack = true;
      else {
        line.anchor = undefined;
        line.used = false;
      }
      return;
    case 'settle':
    case 'report':
    case 'redraw':
    case 'expand':
    case 'judge':
    case 'judge-paste':
    case 'ask':
    case 'prove':
    case 'retype':
    case 'ended':
      return;
  }
}

function editorOff(state: GateState, observer: Observer): void {
  const { line, phase } = state;
  state.mayGoOn = undefined;
  line.kept.answered('editor');
  if (line.resumed && phase.kind === 'open') {
    // It was only slow: the line that was let go ends now.
    line.reset();
    state.reader = 'program';
    state.waitForPrompt();
    return;
  }
  observer.lineLeft('off');
  if (!state.mayLeave && state.holds && (phase.kind === 'open' || phase.kind === 'settle'))
    editorLeft(state, phase.kind === 'settle' ? phase.held : undefined);
}

/** Editors give themselves away by how they draw; it only decides which keys expand history. */
function noticeDialect(state: GateState, bytes: Buffer): void {
  const drawn = bytes.length > MOST_DRAWN_AT_ONCE ? bytes.subarray(-END_OF_LONG) : bytes;
  if (drawn.includes(ZSH_DRAWS)) state.dialect = 'zsh';
  else if (drawn.includes(FISH_DRAWS) && drawn.includes(CLEARS_LINE)) state.dialect = 'fish';
}
