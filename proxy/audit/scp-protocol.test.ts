// The scp protocol held to its order: what a sink may read as a record has been asked about, whatever either side sends
// and however it is cut.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readScpArguments } from './scp-arguments.ts';
import { type ScpAction, ScpProtocol } from './scp-protocol.ts';

const text = (actions: readonly ScpAction[], kind: 'to-sink' | 'to-source'): string =>
  actions.map((action) => (action.kind === kind ? action.bytes.toString() : '')).join('');

/** Bytes as the relay gives them: in memory that is used again as soon as the call returns. */
const alone = (bytes: string): Buffer => {
  const lent = Buffer.allocUnsafeSlow(Buffer.byteLength(bytes));
  lent.write(bytes);
  return lent;
};

class Copy {
  readonly protocol = new ScpProtocol();
  readonly sink: string[] = [];
  readonly source: string[] = [];
  readonly other: ScpAction[] = [];
  readonly #allow: (name: string) => boolean;

  constructor(allow: (name: string) => boolean = () => true) {
    this.#allow = allow;
  }

  take(actions: readonly ScpAction[]): void {
    this.sink.push(text(actions, 'to-sink'));
    this.source.push(text(actions, 'to-source'));
    for (const action of actions) {
      if (action.kind === 'to-sink' || action.kind === 'to-source') continue;
      this.other.push(action);
      if (action.kind !== 'ask') continue;
      const allowed = this.#allow(action.record.name);
      this.take(
        this.protocol.verdict(
          allowed ? { kind: 'allow' } : { kind: 'deny', message: `${action.record.name}: no` },
        ),
      );
    }
  }

  fromSource(bytes: string): void {
    const lent = alone(bytes);
    this.take(this.protocol.fromSource(lent));
    lent.fill(0xee);
  }

  fromSink(bytes: string): void {
    const lent = alone(bytes);
    this.take(this.protocol.fromSink(lent));
    lent.fill(0xee);
  }
}

describe('the scp protocol', () => {
  it('passes a record only when the sink is ready, and data only when it took the record', () => {
    const copy = new Copy();
    copy.fromSource('C0644 5 a\nhello\0');
    expect(copy.sink.join('')).toBe('');
    copy.fromSink('\0');
    expect(copy.sink.join('')).toBe('C0644 5 a\n');
    copy.fromSink('\0');
    expect(copy.sink.join('')).toBe('C0644 5 a\nhello\0');
    copy.fromSink('\0');
    expect(copy.other.map(({ kind }) => kind)).toEqual(['ask', 'finished']);
    expect(copy.source.join('')).toBe('\0\0\0');
  });

  it('a denied file is answered, and the next one goes on', () => {
    const copy = new Copy((name) => name !== 'b');
    copy.fromSink('\0');
    copy.fromSource('C0644 0 b\n');
    copy.fromSource('T1 0 1 0\n');
    copy.fromSink('\0');
    copy.fromSource('C0644 0 c\n');
    expect(copy.sink.join('')).toBe('T1 0 1 0\nC0644 0 c\n');
    expect(copy.source.join('')).toBe('\0\x01scp: b: no\n\0');
  });

  it('data behind a record that the sink refused is not data', () => {
    const copy = new Copy();
    copy.fromSink('\0');
    copy.fromSource('C0644 21 a\nC0644 0 .bashrc\nmore\0');
    copy.fromSink('\x01scp: a: Is a directory\n');
    // What follows is read as a record, as the sink reads it: and asked about.
    expect(copy.other.filter(({ kind }) => kind === 'ask')).toMatchObject([
      { record: { name: 'a' } },
      { record: { name: '.bashrc' } },
    ]);
  });

  it.each([
    ['a path in a name', 'C0644 1 ../x\n'],
    ['the folder above', 'D0755 0 ..\n'],
    ['no record', 'hello\n'],
    ['an end without a beginning', 'E\n'],
    ['a size that is none', 'C0644 -1 x\n'],
  ])('ends for %s', (_, line) => {
    const copy = new Copy();
    copy.fromSink('\0');
    copy.fromSource(line);
    expect(copy.other.at(-1)).toMatchObject({ kind: 'malformed' });
    expect(copy.sink.join('')).toBe('');
  });

  it('whatever both sides send in whatever pieces: a sink reads no record that was not allowed', () => {
    const piece = fc.constantFrom(
      'C0644 3 ok\n',
      'C0644 9 bad\n',
      'D0755 0 dir\n',
      'E\n',
      'T1 0 1 0\n',
      'abc',
      'C0644 0 bad\n',
      '\0',
      '\x01oops\n',
      '\x02end\n',
      '\n',
      'C',
    );
    const event = fc.tuple(fc.boolean(), piece, fc.nat(6));
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const allowed = (name: string): boolean => name !== 'bad';
        const copy = new Copy(allowed);
        let sent = 0;
        for (const [fromSource, bytes, cut] of events) {
          sent += bytes.length;
          for (const part of [bytes.slice(0, cut), bytes.slice(cut)]) {
            if (fromSource) copy.fromSource(part);
            else copy.fromSink(part);
          }
        }
        expect(copy.protocol.keptFromSource + copy.protocol.keptFromSink).toBeLessThanOrEqual(sent);
        // A sink of our own, which reads what came through as OpenSSH's does.
        expect(recordsRead(copy.sink.join(''), copy.source.join(''))).not.toContain('bad');
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Names of the records in what a sink was sent, given the answers it gave. */
const recordsRead = (sent: string, answers: string): string[] => {
  const names: string[] = [];
  // Answers of the gate's own are no answers of the sink.
  const given = [...answers.replace(/\x01scp: bad: no\n/g, '').matchAll(/\0|\x01[^\n]*\n|\x02[^\n]*\n/g)].map(
    ([one]) => one,
  );
  let at = 0;
  let answer = 1;
  while (at < sent.length) {
    const end = sent.indexOf('\n', at);
    if (end < 0) break;
    const line = sent.slice(at, end);
    at = end + 1;
    if (line.startsWith('\x01')) continue;
    if (line.startsWith('\x02')) break;
    const taken = given[answer] === '\0';
    answer += 1;
    const match = /^[CD]\d+ (\d+) (.+)$/.exec(line);
    if (match?.[2] !== undefined) names.push(match[2]);
    if (!line.startsWith('C') || !taken) continue;
    at += Number(match?.[1]);
    if (sent[at] === '\0') at += 1;
    else at = sent.indexOf('\n', at) + 1 || sent.length;
    answer += 1;
  }
  return names;
};

describe('command lines of scp', () => {
  it.each([
    ['scp -t up.bin', { direction: 'to-device', paths: [{ text: 'up.bin', pattern: 'none' }] }],
    ['scp -r -p -d -t -- /srv/x', { recursive: true, intoFolder: true, paths: [{ text: '/srv/x' }] }],
    ["scp -f '/a b/c' d\\ e", { direction: 'from-device', paths: [{ text: '/a b/c' }, { text: 'd e' }] }],
    ['scp -f /var/log/*.log', { paths: [{ text: '/var/log/*.log', pattern: 'name' }] }],
    ["scp -f '/var/*/x'", { paths: [{ text: '/var/*/x', pattern: 'none' }] }],
    ['scp -f /home/*/x', { paths: [{ pattern: 'folder' }] }],
  ])('%s', (line, wanted) => {
    expect(readScpArguments(line)).toMatchObject(wanted);
  });
});
