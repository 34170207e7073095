// What rules take out: whole matches, in pieces or not, coloured or not, over many lines, and nothing else.
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { defaultRecorderOptions, Recorder } from './recorder.ts';
import { beginningsOf, RedactionRules, requiredOf } from './redaction-rules.ts';

const rules = new RedactionRules([
  { name: 'token', pattern: 'token=[a-z0-9]+' },
  { name: 'key', pattern: 'AKIA[0-9A-Z]{16}' },
  { name: 'pem', pattern: '-----BEGIN [A-Z ]*PRIVATE KEY-----', until: '-----END [A-Z ]*PRIVATE KEY-----' },
]);
const whole = new RedactionRules([{ name: 'word', pattern: '(?i)[h]unter[0-9]+' }]);

describe('a text', () => {
  it('loses what matches and keeps the rest, each line and sequence', () => {
    expect(rules.redact('a token=abc1 b\r\nAKIA0123456789ABCDEF.\r\n')).toBe(
      'a [redacted token] b\r\n[redacted key].\r\n',
    );
    expect(rules.redact('x \u001b[1mtok\u001b[32men=s\u001b[0me\bcret\u001b[0m y')).toBe(
      'x \u001b[1m[redacted token]\u001b[32m\u001b[0m\u001b[0m y',
    );
    expect(whole.redact('HUNTER2 and Hunter3')).toBe('[redacted word] and [redacted word]');
    expect(rules.redact('nothing here')).toBe('nothing here');
    expect(rules.redact('\u001b]0;curl token=abc now\u0007$ ')).toBe(
      '\u001b]0;curl [redacted token] now\u0007$ ',
    );
  });

  it('loses a block over many lines, whatever is in it', () => {
    const pem =
      '-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNzaC1r\r\ntoken=a\r\n-----END OPENSSH PRIVATE KEY-----';
    expect(rules.redact(`$ cat key\r\n${pem}\r\n$ `)).toBe('$ cat key\r\n[redacted pem]\r\n$ ');
    expect(rules.redact('-----BEGIN PRIVATE KEY-----\r\nnever ended')).toBe('[redacted pem]');
  });

  it('loses it from whatever stands within a value', () => {
    expect(rules.redactWithin({ command: 'login token=abc', list: ['token=d', 4], also: null })).toEqual({
      command: 'login [redacted token]',
      list: ['[redacted token]', 4],
      also: null,
    });
  });
});

describe('a text that comes in pieces', () => {
  const secret = fc.constantFrom('token=s3cret9', 'AKIA0123456789ABCDEF', 'hunter77');
  const noise = fc.oneof(
    fc.stringMatching(/^[ -Z]{0,20}$/),
    fc.constantFrom('\r\n', '\n', '\u001b[31m', '\u001b[0m', 'tok', 'AKI', '漢字', '\u001b]0;title\u0007'),
  );

  it('loses the same as one that comes at once, however it is cut', () => {
    const all = new RedactionRules([
      { name: 't', pattern: 'token=[a-z0-9]+' },
      { name: 'k', pattern: 'AKIA[0-9A-Z]{16}' },
      { name: 'h', pattern: '(?i)(HUNTER|gatherer)[0-9]+' },
    ]);
    const property = fc.property(
      fc.array(fc.oneof(noise, secret), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }),
      (parts, cuts) => {
        const text = parts.join('');
        const stream = all.stream();
        let out = '';
        let at = 0;
        for (let n = 0; at < text.length; n += 1) {
          const length = cuts[n % cuts.length] ?? 1;
          out += stream.feed(text.slice(at, at + length));
          at += length;
        }
        out += stream.flush();
        expect(out).toBe(all.redact(text));
        expect(out).not.toMatch(/token=[a-z0-9]|AKIA[0-9A-Z]{16}|hunter[0-9]/);
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  it('is stored at once where no match can begin, and held where one may', () => {
    const stream = rules.stream();
    expect(stream.feed('device$ ')).toBe('device$ ');
    expect(stream.feed('to')).toBe('');
    expect(stream.feed('p')).toBe('top');
    expect(stream.feed('\r\ntoken=a')).toBe('\r\n');
    expect(stream.feed('b')).toBe('');
    expect(stream.feed(' \r\n')).toBe('[redacted token] \r\n');
    const line = whole.stream();
    expect(line.feed('device$ ')).toBe('');
    expect(line.feed('ls\r\n')).toBe('device$ ls\r\n');
  });

  it('takes bounded memory, and a match across the bound is taken out all the same', () => {
    const stream = whole.stream();
    let out = '';
    let longest = 0;
    for (let n = 0; n < 3000; n += 1) {
      const piece = stream.feed(`filler ${n % 10} hunter42 `);
      longest = Math.max(longest, piece.length);
      out += piece;
    }
    out += stream.flush();
    expect(out).not.toContain('hunter');
    expect(out.match(/redacted/g)).toHaveLength(3000);
    expect(longest).toBeGreaterThan(1000);
  });
});

it('knows with what a match begins, or that it does not know', () => {
  const texts = (pattern: string) => beginningsOf(pattern).texts;
  expect(texts('password: .*')).toEqual(['password: ']);
  expect(texts('AKIA[0-9A-Z]{16}')).toEqual(['AKIA']);
  expect(texts('abc?d')).toEqual(['ab']);
  expect(beginningsOf('(?i)Secret')).toEqual({ texts: ['secret'], anyCase: true });
  expect(texts('(?:token|password)[=:]')).toEqual(['token', 'password']);
  for (const none of ['a|b', '(a|b)?c', '(a|b)c|d', '^x', 'a(?i)b', '(?is)a', '[ab]c', 'a?b', '(a*|b)c'])
    expect(texts(none), none).toEqual([]);
});

it('an expression is known by the text that stands in every match, wherever', () => {
  const text = (pattern: string) => requiredOf(pattern).texts[0];
  expect(text('^secret')).toBe('secret');
  expect(text('[a-z]+_token=[^ ]+')).toBe('_token=');
  expect(text('\\bAKIA\\.key')).toBe('AKIA.key');
  expect(text('ab(cd|ef)?ghij?')).toBe('ghi');
  expect(text('[^]]abcd')).toBe('abcd');
  expect(requiredOf('(?i)[a-z]*PassWord[=:]')).toEqual({ texts: ['password'], anyCase: true });
  const nothing = [
    'a|bcd',
    'x(?i)abcd',
    '(?s)abcd',
    '(?i:abc)d',
    '\\x41bcd',
    '\\pLabcd',
    '\\Qabcd',
    '\\101abc',
  ];
  for (const none of [...nothing, '[0-9]{13,16}', 'a{2,3}bc', '(abcd)?e', 'abc*'])
    expect(text(none), none).toBeUndefined();
});

it('that text stands in every match of it', () => {
  const part = fc.constantFrom(
    'ab',
    'c',
    'd?',
    'e+',
    '[fg]',
    '(?:h|ij)',
    '(kl)',
    'm{2}',
    '\\.',
    '\\d',
    '.',
    '|',
    'n*',
    '^',
  );
  const letters = fc.string({ unit: fc.constantFrom(...'abcdefghijklmn.7'), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 7 }), fc.array(letters, { maxLength: 40 }), (parts, texts) => {
      const pattern = parts.join('');
      const [required] = requiredOf(pattern).texts;
      if (required === undefined) return;
      for (const text of [...texts, parts.join('').replace(/[\\?+*(){}:|^[\]]/g, '')]) {
        const matcher = RE2JS.compile(pattern).matcher(text);
        if (matcher.find()) expect(matcher.group(), pattern).toContain(required);
      }
    }),
    { numRuns: 5000 },
  );
});

it('refuses what is no expression, and what matches everything', () => {
  for (const pattern of ['(', 'x*'])
    expect(() => new RedactionRules([{ name: 'x', pattern }])).toThrow('SP_RECORDING_PATTERN');
});

it('stands before everything that a recorder stores', () => {
  const lines: string[] = [];
  const recorder = new Recorder(
    { append: (line) => void lines.push(line) },
    { ...defaultRecorderOptions, redaction: rules },
  );
  const terminal = { type: 'xterm', columns: 80, rows: 24 };
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  for (const key of 'curl token=s3cret9') {
    recorder.input(0, Buffer.from(key));
    recorder.output(0, Buffer.from(key), 'stdout');
  }
  recorder.input(0, Buffer.from('\r'));
  recorder.marker(0, 'command', { command: 'curl token=s3cret9' });
  recorder.output(0, Buffer.from('\r\nwelcome, token=s3cr'), 'stdout');
  recorder.output(0, Buffer.from('et9'), 'stdout');
  recorder.channelStarted(1, { kind: 'exec', detail: 'login token=s3cret9', terminal: undefined });
  recorder.output(1, Buffer.from('error: token=s3cret9'), 'stderr');
  recorder.end();
  const text = lines.join('');
  expect(text).not.toContain('s3cr');
  // As input, in a mark, as the echo, what follows it, the command and its error.
  expect(text.match(/redacted token/g)).toHaveLength(6);
});
