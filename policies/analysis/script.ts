// Reads a script as the shell does: line after line, until a complete command stands there. For channels that feed a
// shell without a terminal (`ssh -T` with stdin) and for judging stored scripts. Bounded: an unfinished command that
// grows too long is handed out as it is, and is then opaque.

import { analyse } from './analyse.ts';
import {
  type Analysis,
  analysisLimits,
  emptyShellState,
  type Grammar,
  type Incomplete,
  type ShellState,
} from './types.ts';

/** Characters that may be analysed for one command, each time it is looked at again counted. */
const MOST_WORK = 2 * 1024 * 1024;

/** What a line must hold to end what is open. */
const CLOSING: Readonly<Record<Exclude<Incomplete, 'none'>, RegExp>> = {
  continuation: /(?:)/,
  operator: /(?:)/,
  'here-document': /(?:)/,
  quote: /['"`]/,
  substitution: /[)`'"}]/,
  compound: /[)}\]'"`]|<<|\\$|\b(?:fi|done|esac|end)\b/,
};

const tooLong = (text: string, grammar: Grammar, state: ShellState): Analysis => ({
  ...analyse('', { grammar, state: { ...state, tainted: true } }),
  typed: text,
  opaque: [{ why: 'length', where: 'line', text: text.slice(0, 200), hint: undefined }],
  truncated: true,
});

export interface ScriptReader {
  /** Takes one line, without its newline. Answers the analysis of the command it completes, if it does. */
  push(line: string): Analysis | undefined;
  /** The input ended: what is pending is read as the shell would at end of file. */
  end(): Analysis | undefined;
  /** True while a command is unfinished. */
  readonly pending: boolean;
  /** What the shell knows after the last complete command. */
  readonly state: ShellState;
}

/** A reader for one shell; `state` is what it knows already. */
export function scriptReader(
  grammar: Grammar = 'posix-shell',
  state: ShellState = emptyShellState,
): ScriptReader {
  let known = state;
  let text = '';
  let lines = 0;
  let open: Incomplete = 'none';
  let work = 0;
  let hereDocument: { readonly delimiter: string; readonly stripTabs: boolean } | undefined;
  const hand = (analysis: Analysis): Analysis => {
    known = analysis.stateAfter;
    text = '';
    lines = 0;
    hereDocument = undefined;
    open = 'none';
    work = 0;
    return analysis;
  };
  return {
    push(line) {
      const first = lines === 0;
      text = first ? line : `${text}\n${line}`;
      lines++;
      if (text.length > analysisLimits.line) {
        // Keep reading a long here-document to its end, but judge it as too long, not piece by piece.
        if (hereDocument === undefined) return hand(analyse(text, { grammar, state: known }));
      }
      if (hereDocument !== undefined) {
        const candidate = hereDocument.stripTabs ? line.replace(/^\t+/, '') : line;
        open = 'none';
        if (candidate !== hereDocument.delimiter) {
          if (text.length > 4 * 1024 * 1024) return hand(analyse(text, { grammar, state: known }));
          return undefined;
        }
      }
      if (first && line.trim() === '') {
        text = '';
        lines = 0;
        return undefined;
      }
      // A line that can close nothing changes nothing of what is open.
      if (open !== 'none' && !CLOSING[open].test(line)) return undefined;
      work += text.length;
      if (work > MOST_WORK) return hand(tooLong(text, grammar, known));
      const analysis = analyse(text, { grammar, state: known });
      open = analysis.incomplete;
      switch (analysis.incomplete) {
        case 'none':
          return hand(analysis);
        case 'here-document':
          hereDocument = analysis.hereDocument;
          return undefined;
        case 'continuation':
        case 'quote':
        case 'substitution':
        case 'operator':
        case 'compound':
          hereDocument = undefined;
          return undefined;
      }
    },
    end() {
      return lines === 0 ? undefined : hand(analyse(text, { grammar, state: known }));
    },
    get pending() {
      return lines > 0;
    },
    get state() {
      return known;
    },
  };
}
