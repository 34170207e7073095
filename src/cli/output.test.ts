// Lists for people can't drive a terminal, lists for programs are one JSON object a line, and lengths of time are read.
import { describe, expect, it } from 'vitest';
import { withoutPassword } from './config.ts';
import { jsonLine, printList, printOne, table } from './output.ts';
import { readSince } from './since.ts';

const EVIL = 'a\u001b[31m\u009b\u0007\r\n\u202e';

const collected = (): { text: string; write: (text: string) => void } => {
  const sink = {
    text: '',
    write: (text: string): void => {
      sink.text += text;
    },
  };
  return sink;
};

describe('lists', () => {
  it('line up as a table', () => {
    const rows = [
      { name: 'a', hostKeys: ['x', 'y'], port: 22 },
      { name: 'longer', hostKeys: [], port: undefined },
    ];
    expect(table(rows, ['name', 'hostKeys', 'port'])).toBe(
      'NAME    HOST KEYS  PORT\na       x, y       22\nlonger  –          –\n',
    );
  });

  it.each([true, false])('never hold raw control characters (json: %s)', (json) => {
    const sink = collected();
    printList(sink, [{ name: EVIL, tags: [EVIL] }], ['name', 'tags'], json);
    printOne(sink, { name: EVIL, tags: [EVIL, EVIL] }, json);
    expect(sink.text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('are one JSON object a line that reads back the same', () => {
    const line = jsonLine({ name: EVIL, n: 1 });
    expect(line.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(line)).toEqual({ name: EVIL, n: 1 });
  });
});

describe('--since', () => {
  const now = Date.parse('2030-01-08T00:00:00Z');
  it.each([
    ['90s', '2030-01-07T23:58:30Z'],
    ['2h', '2030-01-07T22:00:00Z'],
    ['7d', '2030-01-01T00:00:00Z'],
    ['1w', '2030-01-01T00:00:00Z'],
    ['2029-12-31', '2029-12-31T00:00:00Z'],
    ['2029-12-31T10:00:00+02:00', '2029-12-31T08:00:00Z'],
  ])('reads %s', (text, expected) => {
    expect(readSince(text, now)).toBe(Date.parse(expected));
  });

  it.each(['', '2', 'h', '-2h', 'yesterday', '2030-13-01', '1'])('refuses %j', (text) => {
    expect(() => readSince(text, now)).toThrow();
  });
});

it('shows a database’s URL without its password', () => {
  const shown = withoutPassword('postgres://sallyport:hunter2@db/x?password=hunter2');
  expect(shown).toContain('db/x');
  expect(shown).not.toContain('hunter2');
  expect(withoutPassword('sqlite:/x')).toBe('sqlite:/x');
});
