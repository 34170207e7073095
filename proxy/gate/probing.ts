// Makes a line known that screen and keys alone do not tell: the line editor is asked to expand history in place, to end
// a search, or to draw its true buffer anew on an empty screen of the gate's own. Answers a reading when it has one.
import { LazyScreen } from '../terminal/lazy-screen.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { agreed, CERTAIN, type Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen, lineRedrawn } from './line-start.ts';
import type { ExpandPhase, Held, RedrawPhase } from './phases.ts';
import { doubted, expansionLeft } from './reading-doubts.ts';
import type { Settled } from './settling.ts';
import { ECHO_BOUND, PROMPT_ECHO_BOUND, SETTLE_BOUND } from './timing.ts';
import { weighed } from './weighing.ts';

/** A window wide enough for any line that is worth reading. */
const WIDE = 900;
/** Some editors fill the last column as well: the drawing needs room behind it. */
const ROOM = 50;
const FRESH_SCROLLBACK = 50;

const END_OF_LINE = Buffer.from('\x05');

/** `reading`: as certain as it gets. `probing`: the phase has changed to wait for an answer. `waiting`: not yet. */
export type Probed =
  | { readonly kind: 'reading'; readonly reading: Reading }
  | { readonly kind: 'probing' }
  | { readonly kind: 'waiting' };

const PROBING: Probed = { kind: 'probing' };
const WAITING: Probed = { kind: 'waiting' };

/** The echo is back: reads the line, or asks the editor for more. */
export function readOrProbe(state: GateState, held: Held, { line, doubts }: Settled): Probed {
  const reading = weighed(state, { screen: line, redrawn: undefined, doubts });
  const canProbe = state.settings.probes && mayProbe(state);
  if (reading.doubts.includes('search') && canProbe && !state.line.expanded && !state.line.viKeys) {
    state.line.expanded = true;
    state.line.keys.forget('search');
    return expand(state, held, 'search', END_OF_LINE);
  }
  if (expansionLeft(state, reading.text) && canProbe && !state.line.expanded) {
    const keys = expansionKeys(state);
    if (keys !== undefined) {
      state.line.expanded = true;
      return expand(state, held, 'history', keys);
    }
  }
  const suffix = canProbe ? suffixKeys(state) : undefined;
  if (suffix !== undefined) return expand(state, held, 'suffix', suffix);
  const way = canProbe ? redrawWay(state, reading) : undefined;
  if (way !== undefined) return startRedraw(state, held, line, way);
  state.line.kept.notRedrawn();
  return { kind: 'reading', reading: doubted(state, reading, doubts) };
}

/** The editor was asked to change the line in place. */
export function afterExpansion(state: GateState, phase: ExpandPhase): Probed {
  const { line, time } = state;
  // A suffix that need not go leaves no trace; the others change what is shown.
  const bound = phase.what === 'suffix' ? ECHO_BOUND : PROMPT_ECHO_BOUND;
  if (!time.mayAnswer(phase.since) && !time.isLate(phase.since, bound)) return WAITING;
  if (!time.isQuiet(phase.since, true) && !time.isLate(phase.since, SETTLE_BOUND)) return WAITING;
  const shown = lineOnScreen(state);
  if (line.keys.state.kind === 'known' && agreed(shown, line.keys.state) === undefined)
    line.keys.forget('redrawn');
  const reading = weighed(state, { screen: shown, redrawn: undefined, doubts: [] });
  const way = redrawWay(state, reading);
  if (way !== undefined) return startRedraw(state, phase.held, shown, way);
  line.kept.notRedrawn();
  return { kind: 'reading', reading: doubted(state, reading, []) };
}

/** The window was changed for a moment, and is changed back. */
export function afterRedraw(state: GateState, phase: RedrawPhase): Probed {
  const { time } = state;
  const waited = time.since(phase.since);
  const patience = 1.6 * time.roundTrip + (phase.step === 'grow' ? 40 : 60);
  const done = phase.answered
    ? time.silent >= Math.max(15, 0.4 * time.roundTrip) && waited >= time.roundTrip
    : waited >= patience;
  if (!done && waited < SETTLE_BOUND) return WAITING;
  if (phase.step === 'grow') {
    state.out.add({ kind: 'resizeDevice', columns: state.columns, rows: state.rows });
    state.phase = { ...phase, step: 'shrink', since: time.now, grown: phase.answered, answered: false };
    return PROBING;
  }
  const drawn = lineRedrawn(state, phase.fresh);
  phase.fresh[Symbol.dispose]();
  const tried = state.redraws[phase.way];
  // Where no editor announces itself, output in one step alone may be anybody's.
  const bySteps = phase.grown && phase.answered;
  const redrawn = bySteps || state.screen.modes.editorOn ? drawn : undefined;
  if (redrawn !== undefined || drawn === undefined) tried.note(redrawn !== undefined);
  const line = lineOnScreen(state);
  const reading = weighed(state, {
    // The screen may have changed under the first reading.
    screen: redrawn === undefined ? line : phase.passive,
    redrawn,
    doubts: redrawn === undefined && tried.worthTrying ? ['not-redrawn'] : [],
  });
  if (phase.way === 'rows' && redrawn === undefined && reading.confidence < CERTAIN && mayWiden(state)) {
    return startRedraw(state, phase.held, line, 'columns');
  }
  // An editor that shows nothing of what was put in has not shown itself.
  const blind = redrawn?.text.trim() === '' && state.line.insertedUnseen;
  if (redrawn !== undefined && !blind) drawnAnew(state, redrawn.anchor.prompt, bySteps);
  state.line.rowsDrawn = redrawn !== undefined && !phase.repainted;
  state.line.kept.notRedrawn();
  return { kind: 'reading', reading: doubted(state, reading, []) };
}

/** The editor has drawn its line behind this prompt, and so holds that and nothing else, if the prompt is one. */
function drawnAnew({ line, prompts }: GateState, prompt: string, bySteps: boolean): void {
  const known = prompts.known.includes(prompt);
  const { inserted } = line.keys;
  if (bySteps) line.kept.redrawn(prompt, known);
  line.drawnAnew = known || inserted.trim() === '' || !prompt.trimEnd().endsWith(inserted.trimEnd());
}

/** Asking for a redraw is safe only where a line editor reads. */
function mayProbe(state: GateState): boolean {
  return (state.screen.modes.editorOn || state.reader === 'prompt') && !state.freeProgram;
}

function expand(state: GateState, held: Held, what: ExpandPhase['what'], keys: Buffer): Probed {
  state.out.toDevice(keys, 'gate');
  state.phase = { kind: 'expand', held, since: state.time.now, what };
  return PROBING;
}

/** The keys that expand history in place, where the editor has such. */
export function expansionKeys(state: GateState): Buffer | undefined {
  if (state.line.viKeys || !state.screen.modes.editorOn) return undefined;
  switch (state.dialect) {
    case 'readline':
      return Buffer.from('\x1b^');
    case 'zsh':
      return Buffer.from('\x1b!');
    case 'fish':
    case 'other-editor':
    case 'tty':
    case 'help-key':
    case 'unknown':
      return undefined;
  }
}

/** zsh takes back the slash or blank that a completion added when the next key submits: these keys make it do so now. */
export function suffixKeys(state: GateState): Buffer | undefined {
  const keys = state.line.keys.state;
  const mayGo =
    state.dialect === 'zsh' &&
    !state.line.viKeys &&
    !state.line.suffixSettled &&
    keys.kind === 'unknown' &&
    keys.because === 'completion';
  if (!mayGo) return undefined;
  state.line.suffixSettled = true;
  return END_OF_LINE;
}

/** Which redraw would tell more about this reading, if any. */
function redrawWay(state: GateState, reading: Reading): RedrawPhase['way'] | undefined {
  const asked = state.line.kept.asksForRedraw || state.erasedBesideOutput;
  if (reading.confidence >= CERTAIN && !asked) return undefined;
  const scrolled =
    reading.doubts.includes('scrolled') || reading.doubts.includes('prompt-lost') || reading.how === 'keys';
  if (state.redraws.rows.worthTrying && !(scrolled && !state.screen.modes.everEditor)) return 'rows';
  return mayWiden(state) ? 'columns' : undefined;
}

/** Editors that announce themselves wrap long lines; only the others scroll sideways. */
function mayWiden(state: GateState): boolean {
  return state.redraws.columns.worthTrying && !state.screen.modes.everEditor;
}

function startRedraw(state: GateState, held: Held, passive: LineOnScreen, way: RedrawPhase['way']): Probed {
  const { screen, time } = state;
  const columns = way === 'columns' ? WIDE : state.columns;
  const fresh = new LazyScreen(way === 'columns' ? WIDE + ROOM : columns, state.rows, FRESH_SCROLLBACK);
  const { row, column } = screen.cursor;
  fresh.write(Buffer.from(`\x1b[${row - screen.top + 1};${column + 1}H`));
  const rows = way === 'rows' ? state.rows + 1 : state.rows;
  state.out.add({ kind: 'resizeDevice', columns, rows });
  state.phase = {
    kind: 'redraw',
    held,
    step: 'grow',
    way,
    since: time.now,
    fresh,
    passive,
    grown: false,
    answered: false,
    repainted: false,
  };
  return PROBING;
}
