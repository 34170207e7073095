// A network device's command line, small and strange as they are: no bracketed paste, its own editing keys, help on
// `?`, abbreviations, `-- More --` pages, a prompt that changes with the mode, ^C and ^Z that mean something else.
// It writes each line that it runs to the file given as its argument.
import { appendFileSync } from 'node:fs';

const truth = process.argv[2] ?? '/dev/null';
const history: string[] = [];
let mode: 'user' | 'enable' | 'config' = 'enable';
let buffer = '';
let cursor = 0;
let historyAt = 0;
let paging: string[] = [];

const out = (text: string): void => void process.stdout.write(text);
const prompt = (): string => ({ user: 'sw1>', enable: 'sw1#', config: 'sw1(config)#' })[mode];

function redraw(previous: number): void {
  out(`${'\b'.repeat(previous)}${buffer} \b${'\b'.repeat(buffer.length - cursor)}`);
}

function page(lines: string[]): void {
  const now = lines.slice(0, 20);
  paging = lines.slice(20);
  for (const line of now) out(`${line}\r\n`);
  if (paging.length > 0) out(' --More-- ');
  else out(prompt());
}

function run(line: string): void {
  appendFileSync(truth, `${line}\0`);
  history.push(line);
  historyAt = history.length;
  const words = line.trim().split(/\s+/);
  const verb = words[0] ?? '';
  if (verb === 'disable') mode = 'user';
  else if (verb === 'enable') mode = 'enable';
  else if ('configure'.startsWith(verb) && verb.length >= 4) mode = 'config';
  else if (verb === 'end' || (verb === 'exit' && mode === 'config')) mode = 'enable';
  else if (verb === 'show' && words[1] === 'log') {
    page(Array.from({ length: 50 }, (_, index) => `%SYS-5-EVENT: message ${index}`));
    return;
  } else if (!/^(show|echo|ping|interface|no|ip|description|write)$/.test(verb)) {
    out(`% Unknown command: ${verb}\r\n`);
  } else out(`ok ${words.length}\r\n`);
  out(prompt());
}

function key(text: string): void {
  if (paging.length > 0) {
    out('\b'.repeat(10) + ' '.repeat(10) + '\b'.repeat(10));
    if (text === ' ') page(paging);
    else {
      paging = [];
      out(prompt());
    }
    return;
  }
  const before = cursor;
  switch (text) {
    case '\r':
    case '\n': {
      out('\r\n');
      const line = buffer;
      buffer = '';
      cursor = 0;
      if (line.trim() === '') out(prompt());
      else run(line);
      return;
    }
    case '\x03':
      out(`\r\n${prompt()}`);
      buffer = '';
      cursor = 0;
      return;
    case '\x1a':
      out(`^Z\r\n`);
      mode = 'enable';
      buffer = '';
      cursor = 0;
      out(prompt());
      return;
    case '\x7f':
    case '\b':
      if (cursor === 0) return;
      buffer = buffer.slice(0, cursor - 1) + buffer.slice(cursor);
      cursor -= 1;
      redraw(before);
      return;
    case '\x15':
      out('\b'.repeat(cursor) + ' '.repeat(buffer.length) + '\b'.repeat(buffer.length));
      buffer = '';
      cursor = 0;
      return;
    case '\x01':
      out('\b'.repeat(cursor));
      cursor = 0;
      return;
    case '\x05':
      out(buffer.slice(cursor));
      cursor = buffer.length;
      return;
    case '\x1b[D':
    case '\x02':
      if (cursor > 0) {
        cursor -= 1;
        out('\b');
      }
      return;
    case '\x1b[C':
    case '\x06':
      if (cursor < buffer.length) {
        out(buffer[cursor] ?? '');
        cursor += 1;
      }
      return;
    case '\x1b[A':
    case '\x10':
    case '\x1b[B':
    case '\x0e': {
      const step = text === '\x1b[A' || text === '\x10' ? -1 : 1;
      const next = historyAt + step;
      if (next < 0 || next > history.length) return;
      historyAt = next;
      out('\b'.repeat(cursor) + ' '.repeat(buffer.length) + '\b'.repeat(buffer.length));
      buffer = history[next] ?? '';
      cursor = buffer.length;
      out(buffer);
      return;
    }
    case '?':
      out(`?\r\n  WORD  help\r\n${prompt()}${buffer}`);
      return;
    case '\t': {
      const word = /\S*$/.exec(buffer.slice(0, cursor))?.[0] ?? '';
      const all = ['show', 'interface', 'configure', 'description', 'version', 'running-config'];
      const matches = all.filter((other) => word !== '' && other.startsWith(word));
      if (matches.length === 1 && cursor === buffer.length) {
        const rest = `${(matches[0] ?? '').slice(word.length)} `;
        buffer += rest;
        cursor = buffer.length;
        out(`\r\n${prompt()}${buffer}`);
      }
      return;
    }
    default:
      if (text < ' ') return;
      buffer = buffer.slice(0, cursor) + text + buffer.slice(cursor);
      cursor += text.length;
      out(buffer.slice(before) + '\b'.repeat(buffer.length - cursor));
  }
}

process.stdin.setRawMode?.(true);
process.stdin.setEncoding('utf8');
process.stdin.on('data', (data) => {
  for (const match of String(data).matchAll(/\x1b\[[\d;]*[A-Za-z~]|[\s\S]/gu)) key(match[0]);
});
out(`\r\nsw1 is ready\r\n\r\n${prompt()}`);
