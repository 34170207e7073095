// The one door to command-line analysis: a line and the grammar of what reads it, in; commands, opacity and
// completeness, out. Never throws, whatever the input; the work is bounded by `analysisLimits`.

import { parse } from 'unbash';
import { abbreviationWords, sqlStatements } from './statements.ts';
import {
  type AnalyseOptions,
  type Analysis,
  analysisLimits,
  emptyShellState,
  type Grammar,
  type Incomplete,
} from './types.ts';
import { Walker } from './walk.ts';

/** Analyses what the user typed, or what a script holds, as `grammar` (default: a POSIX-like shell) would read it. */
export function analyse(typed: string, options: AnalyseOptions = {}): Analysis {
  const grammar = options.grammar ?? 'posix-shell';
  const state = options.state ?? emptyShellState;
  if (typed.length > analysisLimits.line || tooManyDocuments(typed))
    return opaqueWhole(typed, grammar, options, 'length');
  try {
    return analyseBounded(typed, grammar, options);
  } catch (error) {
    // A fault in the grammar library must not let a line through unjudged: it is opaque as a whole.
    const reason = error instanceof RangeError ? 'depth' : 'grammar';
    return { ...opaqueWhole(typed, grammar, options, reason), stateAfter: { ...state, tainted: true } };
  }
}

const tooManyDocuments = (text: string): boolean => {
  let count = 0;
  for (let at = text.indexOf('<<'); at !== -1; at = text.indexOf('<<', at + 2)) count += 1;
  return count > analysisLimits.hereDocuments;
};

function opaqueWhole(
  typed: string,
  grammar: Grammar,
  options: AnalyseOptions,
  why: 'length' | 'depth' | 'grammar',
): Analysis {
  return {
    typed,
    grammar,
    commands: [],
    opaque: [{ why, where: 'line', text: typed.slice(0, 200), hint: undefined }],
    incomplete: 'none',
    hereDocument: undefined,
    truncated: true,
    stateAfter: { ...(options.state ?? emptyShellState), tainted: true },
  };
}

function analyseBounded(typed: string, grammar: Grammar, options: AnalyseOptions): Analysis {
  const walker = new Walker(grammar, options.state ?? emptyShellState);
  let incomplete: Incomplete = 'none';
  switch (grammar) {
    case 'posix-shell':
    case 'csh':
      walker.line(typed);
      incomplete = walker.incomplete === 'none' && continues(typed) ? 'continuation' : walker.incomplete;
      if (grammar === 'csh' && incomplete !== 'continuation')
        incomplete = incomplete === 'here-document' ? incomplete : 'none';
      break;
    case 'fish':
      walker.fish(typed);
      incomplete = fishIncomplete(typed);
      break;
    case 'network-cli':
      for (const command of abbreviationWords(typed))
        walker.bareWords(command.words, { start: 0, end: typed.length }, command.fedBy);
      break;
    case 'sql': {
      const statements = sqlStatements(typed);
      for (const words of statements.statements) walker.bareWords(words, { start: 0, end: typed.length }, []);
      walker.foreign('sql', typed);
      incomplete = statements.open;
      break;
    }
    case 'python':
      walker.foreign('python', typed);
      if (/^\s*[!%]/.test(typed)) walker.line(typed.replace(/^\s*[!%]+(?:sx|system|bash|sh)?/, ''));
      break;
  }
  return {
    typed,
    grammar,
    commands: walker.commands,
    opaque: walker.opaque,
    incomplete,
    hereDocument: incomplete === 'here-document' ? walker.hereDocument : undefined,
    truncated: walker.truncated,
    stateAfter: walker.state(),
  };
}

/** A backslash at the very end that is neither quoted nor in a comment: the shell joins the next line. */
function continues(typed: string): boolean {
  const text = typed.endsWith('\n') ? typed.slice(0, -1) : typed;
  let slashes = 0;
  while (text.charCodeAt(text.length - 1 - slashes) === 92) slashes++;
  if (slashes % 2 === 0) return false;
  // In a comment the backslash belongs to no command, so the last one ends before it.
  const script = parse(text);
  const last = script.commands[script.commands.length - 1];
  if (last !== undefined && last.end >= text.length) return true;
  return !/(^|[\s;|&(])#[^\n]*$/.test(text);
}

/** Blocks, quotes and brackets that fish would wait for. */
function fishIncomplete(typed: string): Incomplete {
  const text = typed.endsWith('\n') ? typed.slice(0, -1) : typed;
  let quote = '';
  let level = 0;
  let word = '';
  let blocks = 0;
  let atStart = true;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i] ?? '\n';
    if (quote !== '') {
      if (c === '\\') i++;
      else if (c === quote) quote = '';
      if (i >= text.length && quote !== '') return 'quote';
      continue;
    }
    if (c === '\\') {
      if (i === text.length - 1) return 'continuation';
      i++;
      word += 'x';
      continue;
    }
    if (c === "'" || c === '"') {
      quote = c;
      word += 'x';
      continue;
    }
    if (/[\s;|&()]/.test(c)) {
      if (word !== '') {
        if (atStart && /^(if|while|for|begin|switch|function)$/.test(word)) blocks++;
        else if (atStart && word === 'end') blocks--;
        atStart = /^(and|or|not|else|if|while|begin|!)$/.test(word) && atStart;
      }
      word = '';
      if (c === '(') level++;
      else if (c === ')') level--;
      if (/[\n;|&(]/.test(c)) atStart = true;
      continue;
    }
    if (c === '#' && word === '') {
      const end = text.indexOf('\n', i);
      if (end < 0) break;
      i = end - 1;
      continue;
    }
    word += c;
  }
  if (level > 0) return 'substitution';
  if (blocks > 0) return 'compound';
  return /[|]\s*$/.test(text) ? 'operator' : 'none';
}
