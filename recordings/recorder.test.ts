// What is stored of which channel, and in which form.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEvent, type RecordedEvent, shapeOf } from './format.ts';
import { defaultRecorderOptions, Recorder } from './recorder.ts';
import { RedactionRules } from './redaction-rules.ts';
import type { RecordedChannel } from './session.ts';

const shell: RecordedChannel = {
  kind: 'shell',
  detail: '',
  terminal: { type: 'xterm-256color', columns: 120, rows: 40 },
};
const exec: RecordedChannel = { kind: 'exec', detail: 'make', terminal: undefined };
const sftp: RecordedChannel = { kind: 'subsystem', detail: 'sftp', terminal: undefined };

class Tape {
  lines: string[] = [];
  times: number[] = [];
  marks: [number, string][] = [];
  now = 1000;
  readonly redaction = new RedactionRules([
    { name: 'pem', pattern: '-----BEGIN KEY', until: 'END KEY-----' },
  ]);
  readonly recorder = new Recorder(
    {
      append: (line, at, mark) => {
        this.lines.push(line);
        this.times.push(at);
        if (mark !== undefined) this.marks.push([at, mark]);
      },
    },
    { ...defaultRecorderOptions, commandOutputBytes: 16, now: () => this.now, redaction: this.redaction },
  );

  get events(): RecordedEvent[] {
    let at = 0;
    const events: RecordedEvent[] = [];
    for (const line of this.lines) {
      const event = parseEvent(line, at);
      if (event === undefined) continue;
      at = event.at;
      events.push(event);
    }
    return events;
  }

  text(code: 'o' | 'i'): string {
    return this.events.map((event) => (event.code === code ? event.data : '')).join('');
  }

  words(channel: number, word: string): string[] {
    return this.events.flatMap((event) =>
      event.code === 'c' && event.channel === channel && event.word === word ? [event.data] : [],
    );
  }
}

describe('the first terminal', () => {
  it('holds nothing of a key that is typed over many lines, neither as input nor as its echo', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    for (const line of ['cat > key', '-----BEGIN KEY-----', 'MIIE', 'pAIB', '-----END KEY-----', 'done']) {
      tape.recorder.input(0, Buffer.from(`${line}\r`));
      tape.recorder.output(0, Buffer.from(`${line}\r\n`), 'stdout');
    }
    tape.recorder.end();
    expect(tape.text('i')).toBe('cat > key\r[redacted pem]\rdone\r');
    expect(tape.text('o')).toContain('done');
    expect(tape.lines.join('')).not.toMatch(/MIIE|pAIB/);
  });

  it('is recorded as plain asciicast, its shape with its start', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    tape.now += 250;
    tape.recorder.output(0, Buffer.from('hi\r\n'), 'stdout');
    tape.now += 1000;
    tape.recorder.resize(0, 100, 30);
    tape.recorder.exit(0, { kind: 'status', status: 7 });
    tape.recorder.end();
    expect(shapeOf(tape.words(0, 'start')[0] ?? '{}')).toEqual({
      columns: 120,
      rows: 40,
      type: 'xterm-256color',
    });
    expect(tape.times).toEqual([0, 0, 250_000, 1_250_000, 1_250_000, 1_250_000, 1_250_000, 1_250_000]);
    expect(tape.events.filter((event) => event.code !== 'c')).toEqual([
      { at: 0, code: 'r', columns: 120, rows: 40 },
      { at: 0.25, code: 'o', data: 'hi\r\n' },
      { at: 1.25, code: 'r', columns: 100, rows: 30 },
      { at: 1.25, code: 'x', data: '7' },
    ]);
    expect(tape.words(0, 'closed')).toEqual(['{"duration":1.25}']);
  });

  it('keeps a character whole whose bytes come in pieces', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    for (const byte of Buffer.from('€ 🙂')) tape.recorder.output(0, Buffer.from([byte]), 'stdout');
    tape.recorder.end();
    expect(tape.text('o')).toBe('€ 🙂');
  });

  it('replaces bytes that are no text, also at the end', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    tape.recorder.output(0, Buffer.from([0x61, 0xff, 0x62, 0xe2, 0x82]), 'stdout');
    tape.recorder.end();
    expect(tape.text('o')).toBe('a\ufffdb\ufffd');
  });

  it('keeps any bytes as their UTF-8 reading, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 }), (chunks) => {
        const tape = new Tape();
        tape.recorder.channelStarted(0, shell);
        for (const chunk of chunks) tape.recorder.output(0, Buffer.from(chunk), 'stdout');
        tape.recorder.end();
        expect(tape.text('o')).toBe(
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(chunks)),
        );
      }),
    );
  });

  it('stores echoed keys, and of others only how many there were', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    tape.recorder.input(0, Buffer.from('ls\r'));
    tape.recorder.output(0, Buffer.from('ls\r\nPassword: '), 'stdout');
    for (const guess of ['hunter2\r', 'hunter3\r']) {
      tape.recorder.input(0, Buffer.from(guess));
      tape.recorder.output(0, Buffer.from('\r\nSorry.\r\n'), 'stdout');
    }
    tape.recorder.end();
    expect(tape.text('i')).toBe('ls\r');
    expect(tape.words(0, 'hidden')).toEqual(['{"keys":7}', '{"keys":7}']);
    expect(tape.lines.join('')).not.toContain('hunter');
    const [end = '{}'] = tape.words(0, 'end');
    expect(JSON.parse(end)).toMatchObject({ input: { bytes: 19 } });
    expect(end).not.toContain('sha256');
  });
});

describe('other channels', () => {
  it('beside the first terminal are recorded under our code', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(0, shell);
    tape.recorder.channelStarted(1, shell);
    tape.recorder.output(1, Buffer.from('second'), 'stdout');
    tape.recorder.exit(1, { kind: 'signal', signal: 'KILL', coreDumped: false, message: '' });
    tape.recorder.end();
    expect(tape.text('o')).toBe('');
    expect(tape.words(1, 'o')).toEqual(['second']);
    expect(tape.words(1, 'exit')).toEqual(['{"signal":"KILL","coreDumped":false,"message":""}']);
  });

  it('keep the output of commands up to a bound, and its hash', () => {
    const tape = new Tape();
    const out = Buffer.from('0123456789abcdefXYZ');
    tape.recorder.channelStarted(3, exec);
    tape.recorder.output(3, out, 'stdout');
    tape.recorder.output(3, Buffer.from('oops'), 'stderr');
    tape.recorder.output(3, out, 'stdout');
    tape.recorder.end();
    expect(tape.words(3, 'o')).toEqual(['0123456789abcdef']);
    expect(tape.words(3, 'e')).toEqual(['oops']);
    expect(tape.words(3, 'cut')).toEqual(['{"stream":"stdout","reason":"bound"}']);
    const sha256 = createHash('sha256').update(out).update(out).digest('hex');
    expect(JSON.parse(tape.words(3, 'end')[0] ?? '{}')).toMatchObject({ stdout: { bytes: 38, sha256 } });
  });

  it('store nothing of binary output', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(3, exec);
    tape.recorder.output(3, Buffer.from([1, 0, 2]), 'stdout');
    tape.recorder.end();
    expect(tape.words(3, 'o')).toEqual([]);
    expect(tape.words(3, 'cut')).toEqual(['{"stream":"stdout","reason":"binary"}']);
  });

  it('hash of a long transfer its beginning, and count all of it', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(4, sftp);
    const piece = Buffer.alloc(3 * 1024 * 1024, 'y');
    for (let n = 0; n < 22; n += 1) tape.recorder.output(4, piece, 'stdout');
    tape.recorder.end();
    const bytes = 64 * 1024 * 1024;
    const sha256 = createHash('sha256').update(Buffer.alloc(bytes, 'y')).digest('hex');
    expect(JSON.parse(tape.words(4, 'end')[0] ?? '{}').stdout).toEqual({
      bytes: 22 * piece.length,
      beginning: { bytes, sha256 },
    });
  });

  it('count transfers, hash them, and hash no input that is short enough to guess', () => {
    const tape = new Tape();
    tape.recorder.channelStarted(4, sftp);
    tape.recorder.input(4, Buffer.alloc(5000, 'x'));
    tape.recorder.output(4, Buffer.from('reply'), 'stdout');
    tape.recorder.channelStarted(5, exec);
    tape.recorder.input(5, Buffer.from('hunter2\n'));
    tape.recorder.end();
    const sha256 = createHash('sha256').update(Buffer.alloc(5000, 'x')).digest('hex');
    expect(JSON.parse(tape.words(4, 'end')[0] ?? '{}')).toMatchObject({ input: { bytes: 5000, sha256 } });
    expect(JSON.parse(tape.words(5, 'end')[0] ?? '{}').input).toEqual({ bytes: 8 });
    expect(tape.lines.join('')).not.toContain('xxx');
    expect(tape.lines.join('')).not.toContain('hunter2');
  });
});

it('notes marks with their moment, bounded', () => {
  const tape = new Tape();
  tape.recorder.channelStarted(0, shell);
  tape.now += 500;
  tape.recorder.marker(0, 'command', { command: 'ls', decision: 'log' });
  tape.recorder.marker(0, 'Tr\u001bansfer', { name: 'x'.repeat(100_000) });
  expect(tape.marks).toEqual([
    [500_000, 'command'],
    [500_000, 'ransfer'],
  ]);
  const [first = '', second = ''] = tape.words(0, 'mark');
  expect(JSON.parse(first)).toEqual({ kind: 'command', command: 'ls', decision: 'log' });
  expect(JSON.parse(second)).toMatchObject({ kind: 'ransfer' });
  expect(second.length).toBeLessThan(140_000);
});

it('records nothing once it has ended', () => {
  const tape = new Tape();
  tape.recorder.channelStarted(0, shell);
  tape.recorder.end();
  const { length } = tape.lines;
  tape.recorder.channelStarted(1, shell);
  tape.recorder.output(0, Buffer.from('late'), 'stdout');
  tape.recorder.end();
  expect(tape.lines.length).toBe(length);
});
