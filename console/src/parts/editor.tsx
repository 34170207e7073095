// The editor for rule files: YAML in colours, the keys of a rule to choose from, and every mistake where it stands, as the
// gateway finds it.
import { autocompletion, type CompletionContext, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { pageNonce } from '../nonce.ts';

export interface Mistake {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const KEYS: readonly (readonly [string, string])[] = [
  ['name', 'what the rule is called'],
  ['description', 'for people'],
  ['match', 'one glob for each word, ** for the rest'],
  ['regex', 'on the text of the command'],
  ['flags', 'options that must be there'],
  ['operand', 'globs for what is no option'],
  ['action', 'log, confirm, reauthenticate, approve, block, interrupt'],
  ['criticality', 'low, medium, high'],
  ['points', 'for the session’s risk'],
  ['occurrences', 'how often before it bites'],
  ['disableUser', 'true: the user is disabled'],
  ['scope', 'users, groups, devices, tags, credentials, channels, times'],
  ['message', 'told to the user'],
  ['contact', 'whom to ask'],
  ['shadow', 'true: only noted'],
  ['enabled', 'false: left out'],
  ['test', 'match: […], nomatch: […]'],
  ['rules', 'the list of rules'],
  ['defaults', 'for every rule of the file'],
];

const complete = (context: CompletionContext) => {
  const word = context.matchBefore(/(^|[\s-])[a-zA-Z]*$/);
  if (word === null || (!context.explicit && word.text.trim() === '')) return null;
  const from = word.to - (/[a-zA-Z]*$/.exec(word.text)?.[0].length ?? 0);
  return { from, options: KEYS.map(([label, detail]) => ({ label, detail, apply: `${label}: ` })) };
};

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'light-dark(#0b7285, #66d9e8)' },
  { tag: tags.string, color: 'light-dark(#2b6a1c, #a9e34b)' },
  { tag: [tags.number, tags.bool, tags.keyword], color: 'light-dark(#9c36b5, #e599f7)' },
  { tag: tags.comment, color: 'light-dark(#5c636a, #a6adb4)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'var(--mantine-color-body)' },
  '.cm-content': { fontFamily: 'var(--mantine-font-family-monospace)' },
  '.cm-gutters': {
    backgroundColor: 'light-dark(#f1f3f5, #25262b)',
    color: 'light-dark(#5c636a, #a6adb4)',
    border: 'none',
  },
  '.cm-activeLine': { backgroundColor: 'light-dark(#e3fafc55, #0b3b4455)' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
});

export const RuleEditor = ({
  text,
  change,
  readOnly,
  mistakes,
}: {
  /** Shown as it is when another file is opened; the editor then keeps its own. */
  readonly text: string;
  readonly change: (text: string) => void;
  readonly readOnly: boolean;
  readonly mistakes: readonly Mistake[];
}) => {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const told = useRef(change);
  told.current = change;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text of a file is taken once, when it is opened
  useEffect(() => {
    if (place.current === null) return undefined;
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(pageNonce),
          lineNumbers(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          lintGutter(),
          yaml(),
          syntaxHighlighting(colours),
          autocompletion({ override: [complete] }),
          // Tab leaves the editor, as the keyboard expects of a page.
          keymap.of([...defaultKeymap, ...historyKeymap, ...completionKeymap]),
          look,
          EditorView.contentAttributes.of({ 'aria-label': 'Rules' }),
          EditorView.lineWrapping,
          EditorState.readOnly.of(readOnly),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) told.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      view.current = null;
      made.destroy();
    };
  }, [readOnly]);
  useEffect(() => {
    const now = view.current;
    if (now === null) return;
    const { doc } = now.state;
    const diagnostics = mistakes
      .filter(({ line }) => line <= doc.lines)
      .map(({ line, column, message }): Diagnostic => {
        const start = doc.line(Math.max(1, line));
        const from = Math.min(start.to, start.from + Math.max(0, column - 1));
        return { from, to: Math.max(from, start.to), severity: 'error', message };
      });
    now.dispatch(setDiagnostics(now.state, diagnostics));
  }, [mistakes]);
  return <div className="editor" ref={place} />;
};
