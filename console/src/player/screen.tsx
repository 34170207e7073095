// The real terminal, to look at only: nothing typed goes anywhere, links are not followed, and it takes as much room as the
// recorded one had.
import '@xterm/xterm/css/xterm.css';
import { Terminal } from '@xterm/xterm';
import { type Ref, useEffect, useImperativeHandle, useRef } from 'react';

export interface Screen {
  write(text: string): void;
  /** Begins anew with this size. */
  reset(columns: number, rows: number): void;
  resize(columns: number, rows: number): void;
  /** What it shows, line by line; for tests and screen readers. */
  text(): string;
}

export const TerminalScreen = ({ ref, label }: { readonly ref: Ref<Screen>; readonly label: string }) => {
  const place = useRef<HTMLDivElement>(null);
  const terminal = useRef<Terminal | null>(null);
  useEffect(() => {
    const made = new Terminal({
      cols: 80,
      rows: 24,
      disableStdin: true,
      cursorBlink: false,
      scrollback: 5_000,
      fontSize: 13,
      fontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
      theme: { background: '#101113', foreground: '#e9ecef' },
      linkHandler: { activate: () => {}, allowNonHttpProtocols: false },
      convertEol: false,
    });
    if (place.current !== null) made.open(place.current);
    terminal.current = made;
    return () => {
      terminal.current = null;
      made.dispose();
    };
  }, []);
  useImperativeHandle(
    ref,
    (): Screen => ({
      write: (text) => terminal.current?.write(text),
      reset: (columns, rows) => {
        terminal.current?.reset();
        terminal.current?.resize(columns, rows);
      },
      resize: (columns, rows) => terminal.current?.resize(columns, rows),
      text: () => {
        const buffer = terminal.current?.buffer.active;
        if (buffer === undefined) return '';
        return Array.from(
          { length: buffer.length },
          (_, row) => buffer.getLine(row)?.translateToString(true) ?? '',
        ).join('\n');
      },
    }),
    [],
  );
  return (
    <section className="terminal" aria-label={label}>
      <div ref={place} />
    </section>
  );
};
