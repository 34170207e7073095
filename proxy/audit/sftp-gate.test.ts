// The sftp gate against a device and a client in memory: framing in every cut, request numbers, hashes, bounds, and bytes
// that are no sftp at all.
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../policies/check.ts';
import type { ClientEvent, DeviceEvent, GateContext, GateOutlet } from '../channels/gate-port.ts';
import type { AuditDeps, AuditedCommand, CommandOutcome } from './ports.ts';
import { SftpGate } from './sftp-gate.ts';
import { FX, FXP, LONGEST_PACKET, LONGEST_WHOLE, SftpReader } from './sftp-packets.ts';
import { readRequest } from './sftp-requests.ts';

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
};
const u64 = (value: bigint): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(value);
  return out;
};
const str = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
};
const packet = (type: number, id: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat([Buffer.from([type]), u32(id), ...parts]);
  return Buffer.concat([u32(body.length), body]);
};
const init = packet(FXP.INIT, 3);
const open = (id: number, path: string, flags: number): Buffer =>
  packet(FXP.OPEN, id, str(path), u32(flags), u32(0));
const write = (id: number, handle: string, offset: number, data: Buffer): Buffer =>
  packet(FXP.WRITE, id, str(handle), u64(BigInt(offset)), str(data));
const close = (id: number, handle: string): Buffer => packet(FXP.CLOSE, id, str(handle));
const READ = 1;
const PUT = 2 | 8 | 16;

interface Row extends AuditedCommand {
  outcome: CommandOutcome;
  detail: string;
}

const context: GateContext = {
  sessionId: 's1',
  channel: 0,
  startedAt: 0,
  user: { id: 'u1', name: 'alice', groups: [] },
  device: { id: 'd1', name: 'web1', tags: [], os: 'linux' },
  credential: { id: 'c1', name: 'web1-login', username: 'alice' },
  grant: { id: 'g1', name: 'web' },
  sourceAddress: '127.0.0.1',
  environment: new Map(),
  terminal: undefined,
};

/** A device that serves sftp from nowhere: every path exists, files take and give bytes. */
class TinyServer {
  readonly received: { type: number; id: number; path: string }[] = [];
  readonly #reader = new SftpReader(() => true);
  #handles = 0;
  content: Buffer = Buffer.alloc(0);

  take(data: Buffer): Buffer[] {
    this.#reader.push(data);
    const replies: Buffer[] = [];
    for (let part = this.#reader.next(); part !== undefined; part = this.#reader.next()) {
      if (part.kind !== 'packet') throw new Error(`the gate let through what is no packet: ${part.kind}`);
      const { type, id, body } = part;
      const length = body.length >= 4 ? body.readUInt32BE(0) : 0;
      const path = body.toString('utf8', 4, 4 + length);
      this.received.push({ type, id, path });
      replies.push(this.#answer(type, id, path, body));
    }
    return replies;
  }

  #answer(type: number, id: number, path: string, body: Buffer): Buffer {
    switch (type) {
      case FXP.INIT:
        return packet(FXP.VERSION, 3);
      case FXP.REALPATH:
        return packet(
          FXP.NAME,
          id,
          u32(1),
          str(path === '.' ? '/home/alice' : path.startsWith('/') ? path : `/home/alice/${path}`),
          str(''),
          u32(0),
        );
      case FXP.OPEN:
      case FXP.OPENDIR:
        this.#handles += 1;
        return packet(FXP.HANDLE, id, str(`h${this.#handles}`));
      case FXP.READ: {
        const at = Number(body.readBigUInt64BE(body.length - 12));
        const length = body.readUInt32BE(body.length - 4);
        if (at >= this.content.length) return packet(FXP.STATUS, id, u32(FX.EOF), str(''), str(''));
        return packet(FXP.DATA, id, str(this.content.subarray(at, at + length)));
      }
      default:
        return packet(FXP.STATUS, id, u32(FX.OK), str(''), str(''));
    }
  }
}

interface Answer {
  readonly type: number;
  readonly id: number;
  readonly body: Buffer;
}

/** Gives bytes as the relay does: in memory that is used again as soon as the call returns. */
const lend = (bytes: Buffer, give: (lent: Buffer) => void): void => {
  const lent = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(lent);
  give(lent);
  lent.fill(0xee);
};

class Bench {
  readonly rows: Row[] = [];
  readonly server = new TinyServer();
  readonly answers: Answer[] = [];
  readonly toDevice: Buffer[] = [];
  readonly notices: string[] = [];
  readonly ends: string[] = [];
  readonly gate: SftpGate;
  /** What the device has said and the gate has not been given yet. */
  readonly said: Buffer[] = [];
  automatic = true;
  readonly #client = new SftpReader(() => true);

  constructor(rules = '  []') {
    const compiled = compilePolicy([{ file: 'test.yaml', text: `name: test\nrules:\n${rules}` }]);
    expect(compiled.problems).toEqual([]);
    let ids = 0;
    const deps: AuditDeps = {
      policies: { current: compiled.set, onChange: () => () => {} },
      log: {
        newId: () => {
          ids += 1;
          return `c${ids}`;
        },
        append: async (command) => {
          this.rows.push({ ...command });
        },
        settle: async (id, outcome, detail) => {
          const row = this.rows.find((one) => one.id === id);
          if (row !== undefined) Object.assign(row, { outcome, detail });
        },
        occurrences: async () => new Map(),
      },
      approvals: { patience: 1_000, ask: () => Promise.reject(new Error('not here')) },
      identification: { questionFor: async () => undefined, check: async () => 'wrong' },
      userLock: { disable: async () => {} },
      events: { info: () => {}, warn: () => {} },
      now: () => Date.now(),
      clock: () => performance.now(),
    };
    const outlet: GateOutlet = {
      toDevice: (event: ClientEvent) => {
        if (event.kind === 'data') this.#device(event.data);
      },
      toClient: (event: DeviceEvent) => {
        if (event.kind === 'data') this.#seen(event.data);
      },
      injectToDevice: (data) => this.#device(data),
      held: false,
      injectToClient: (data, stream) => {
        if (stream === 'stdout') this.#seen(data);
        else this.notices.push(data.toString());
      },
      keptLess: () => {},
      endChannel: (reason) => {
        this.ends.push(`channel ${reason}`);
      },
      endSession: (reason) => {
        this.ends.push(`session ${reason}`);
      },
    };
    this.gate = new SftpGate(deps, context, outlet);
    this.gate.start({ kind: 'subsystem', name: 'sftp' });
  }

  #device(passed: Buffer): void {
    const data = Buffer.from(passed);
    this.toDevice.push(data);
    const replies = this.server.take(data);
    this.said.push(...replies);
    // A device answers later, not within the call.
    if (this.automatic) queueMicrotask(() => this.deliver());
  }

  deliver(): void {
    for (const bytes of this.said.splice(0))
      lend(bytes, (data) => this.gate.fromDevice({ kind: 'data', data, stream: 'stdout' }));
  }

  #seen(passed: Buffer): void {
    this.#client.push(Buffer.from(passed));
    for (let part = this.#client.next(); part !== undefined; part = this.#client.next()) {
      // Longer than this reader takes in one: a client waits for the rest, which never comes.
      if (part.kind === 'malformed' && /^a packet of type \d+ with \d+ bytes$/.test(part.why)) return;
      if (part.kind !== 'packet') throw new Error('the client was sent what is no packet');
      this.answers.push({ type: part.type, id: part.id, body: part.body });
    }
  }

  send(...data: Buffer[]): void {
    for (const bytes of data) lend(bytes, (lent) => this.gate.fromClient({ kind: 'data', data: lent }));
  }

  /** Lets everything that is under way come to rest. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  answer(id: number): Answer | undefined {
    return this.answers.find((one) => one.id === id);
  }

  status(id: number): number | undefined {
    const found = this.answer(id);
    return found?.type === FXP.STATUS ? found.body.readUInt32BE(0) : undefined;
  }
}

const BLOCK = '  - {name: no, path: "~/.bashrc", action: block}';

describe('the sftp gate', () => {
  it('answers what is denied itself, under the number of the request, and lets the rest through', async () => {
    const bench = new Bench(BLOCK);
    bench.send(init);
    await bench.rest();
    bench.send(
      open(7, '.bashrc', PUT),
      open(8, 'other', PUT),
      packet(FXP.REMOVE, 9, str('/home/alice//x/../.bashrc')),
      packet(FXP.RENAME, 10, str('other'), str('.bashrc')),
      packet(FXP.EXTENDED, 11, str('posix-rename@openssh.com'), str('other'), str('.bashrc')),
      packet(FXP.EXTENDED, 12, str('hardlink@openssh.com'), str('.bashrc'), str('other')),
      packet(FXP.MKDIR, 13, str('free'), u32(0)),
    );
    await bench.rest();
    expect([7, 8, 9, 10, 11, 12, 13].map((id) => bench.status(id))).toEqual([3, undefined, 3, 3, 3, 3, 0]);
    expect(bench.answer(8)?.type).toBe(FXP.HANDLE);
    expect(bench.answer(7)?.body.toString()).toContain('rule test/no');
    const kinds = bench.server.received.filter(({ type }) => type !== FXP.REALPATH && type !== FXP.INIT);
    expect(kinds).toEqual([
      { type: FXP.OPEN, id: 8, path: 'other' },
      { type: FXP.MKDIR, id: 13, path: 'free' },
    ]);
  });

  it('never shows the client an answer to its own questions', async () => {
    const bench = new Bench(BLOCK);
    bench.send(init, open(1, 'a', PUT));
    await bench.rest();
    expect(bench.answers.map(({ type, id }) => [type, id])).toEqual([
      [FXP.VERSION, 3],
      [FXP.HANDLE, 1],
    ]);
  });

  it('hashes what goes both ways in order, whatever the cuts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 5 }),
        async (writes, cuts) => {
          const bench = new Bench();
          bench.send(init);
          await bench.rest();
          const pieces: Buffer[] = [open(1, 'f', PUT)];
          let offset = 0;
          const all: Buffer[] = [];
          writes.forEach((length, n) => {
            const data = randomBytes(length);
            all.push(data);
            pieces.push(write(2 + n, 'h1', offset, data));
            offset += length;
          });
          bench.send(open(1, 'f', PUT));
          await bench.rest();
          let rest = Buffer.concat([...pieces.slice(1), close(100, 'h1')]);
          for (let n = 0; rest.length > 0; n += 1) {
            const length = cuts[n % cuts.length] ?? 1;
            bench.send(rest.subarray(0, length));
            rest = rest.subarray(length);
          }
          await bench.rest();
          const hash = createHash('sha256').update(Buffer.concat(all)).digest('hex');
          expect(bench.rows[0]?.detail).toBe(`wrote ${offset} bytes sha256:${hash}`);
          expect(bench.gate.keptFromClient).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('says of a file that was not written in order, or not closed, that its hash is not known', async () => {
    const bench = new Bench();
    bench.send(init);
    await bench.rest();
    bench.send(open(1, 'f', PUT), open(2, 'g', PUT), open(3, 'h', 2));
    await bench.rest();
    bench.send(
      write(4, 'h1', 5, Buffer.from('later')),
      write(5, 'h1', 0, Buffer.from('first')),
      close(6, 'h1'),
    );
    bench.send(write(7, 'h2', 0, Buffer.from('never closed')));
    bench.send(write(8, 'h3', 0, Buffer.from('over what was there')), close(9, 'h3'));
    await bench.rest();
    bench.gate.fromClient({ kind: 'closed' });
    await bench.rest();
    expect(bench.rows.map(({ detail }) => detail)).toEqual([
      'wrote 10 bytes partial: not from the beginning',
      'wrote 12 bytes partial: the channel was closed',
      'wrote 19 bytes partial: written over an older content',
    ]);
  });

  it('knows a whole file that was read from one of which the end was not seen', async () => {
    const bench = new Bench();
    bench.server.content = randomBytes(50_000);
    bench.send(init);
    await bench.rest();
    bench.send(open(1, 'f', READ), open(2, 'g', READ));
    await bench.rest();
    const read = (id: number, handle: string, at: number) =>
      packet(FXP.READ, id, str(handle), u64(BigInt(at)), u32(32_768));
    bench.send(read(3, 'h1', 0), read(4, 'h1', 32_768), read(5, 'h1', 50_000), close(6, 'h1'));
    bench.send(read(7, 'h2', 0), close(8, 'h2'));
    await bench.rest();
    const hash = createHash('sha256').update(bench.server.content).digest('hex');
    expect(bench.rows.map(({ detail }) => detail)).toEqual([
      `read 50000 bytes sha256:${hash}`,
      'read 32768 bytes partial: not to the end',
    ]);
  });

  it('puts its own answer between two packets of the device, never into one', async () => {
    const bench = new Bench(BLOCK);
    bench.send(init);
    await bench.rest();
    bench.server.content = randomBytes(20_000);
    bench.send(open(1, 'f', READ));
    await bench.rest();
    bench.automatic = false;
    bench.send(packet(FXP.READ, 2, str('h1'), u64(0n), u32(20_000)));
    const [data] = bench.said.splice(0);
    if (data === undefined) throw new Error('no data');
    bench.gate.fromDevice({ kind: 'data', data: data.subarray(0, 1_000), stream: 'stdout' });
    // Refused without a question to the device.
    bench.send(packet(FXP.REMOVE, 9, str('x/'.repeat(3_000))));
    await bench.rest();
    expect(bench.answer(9)).toBeUndefined();
    bench.gate.fromDevice({ kind: 'data', data: data.subarray(1_000), stream: 'stdout' });
    await bench.rest();
    expect(bench.answers.slice(-2).map(({ id }) => id)).toEqual([2, 9]);
    expect(bench.status(9)).toBe(FX.FAILURE);
  });

  it.each([
    ['a number that is in use', [open(5, 'a', PUT), open(5, 'b', PUT)]],
    ['a packet that is too long', [u32(LONGEST_PACKET + 1), Buffer.alloc(16)]],
    [
      'a request that is too long',
      [Buffer.concat([u32(LONGEST_WHOLE + 1), Buffer.from([FXP.OPEN]), u32(1)])],
    ],
    ['a short request', [packet(FXP.OPEN, 1, u32(100))]],
    ['an answer', [packet(FXP.STATUS, 1, u32(0), str(''), str(''))]],
    ['a second greeting', [init]],
    ['a write whose length lies', [packet(FXP.WRITE, 1, str('h'), u64(0n), u32(99), Buffer.from('short'))]],
  ])('ends the channel for %s', async (_, sent) => {
    const bench = new Bench();
    bench.send(init);
    await bench.rest();
    bench.automatic = false;
    bench.send(...sent);
    await bench.rest();
    expect(bench.ends).toEqual(['channel sftp-broken']);
  });

  it('lets what it does not understand through only where no rule could forbid it', async () => {
    for (const [rules, code] of [
      ['  []', FX.OK],
      [BLOCK, FX.OP_UNSUPPORTED],
    ] as const) {
      const bench = new Bench(rules);
      bench.send(init);
      await bench.rest();
      bench.send(packet(FXP.EXTENDED, 1, str('surprise@example.org'), str('.bashrc')), packet(24, 2));
      await bench.rest();
      expect([bench.status(1), bench.status(2)]).toEqual([code, code]);
    }
  });

  it('refuses paths that it could not judge', async () => {
    const bench = new Bench();
    bench.send(init);
    await bench.rest();
    bench.send(open(1, '.bashrc\0.txt', PUT), open(2, 'x/'.repeat(3_000), PUT));
    await bench.rest();
    expect([bench.status(1), bench.status(2)]).toEqual([FX.BAD_MESSAGE, FX.FAILURE]);
    expect(bench.server.received.some(({ type }) => type === FXP.OPEN)).toBe(false);
  });

  it('opens a bounded number of files', async () => {
    const bench = new Bench();
    bench.send(init);
    await bench.rest();
    for (let id = 1; id <= 4_200; id += 1) {
      bench.send(open(id, `f${id}`, READ));
      if (id % 100 === 0) await bench.rest();
    }
    await bench.rest();
    expect(bench.status(4_097)).toBe(FX.FAILURE);
    expect(bench.answer(4_096)?.type).toBe(FXP.HANDLE);
  });

  it('never throws, never lets a forbidden name through, and keeps no more than it was sent, for any bytes', async () => {
    const names = fc.constantFrom('.bashrc', './.bashrc', '/home/alice/.bashrc', 'a', 'x/../.bashrc', '');
    const id = fc.integer({ min: 0, max: 30 });
    const one: fc.Arbitrary<Buffer> = fc.oneof(
      fc.tuple(id, names, fc.integer({ min: 0, max: 63 })).map(([i, n, f]) => open(i, n, f)),
      fc
        .tuple(fc.constantFrom(11, 13, 14, 15, 16, 17, 9), id, names)
        .map(([t, i, n]) => packet(t, i, str(n), u32(1), u64(0n))),
      fc
        .tuple(fc.constantFrom(18, 20, 21), id, names, names)
        .map(([t, i, a, b]) => packet(t, i, str(a), str(b), Buffer.from([1]))),
      fc.tuple(id, names, fc.nat(40)).map(([i, h, n]) => write(i, h, n, Buffer.alloc(n))),
      fc
        .tuple(fc.nat(255), id, fc.uint8Array({ maxLength: 40 }))
        .map(([t, i, b]) => packet(t, i, Buffer.from(b))),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { maxLength: 12 }),
        fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 4 }),
        fc.nat(3),
        async (packets, noise, cut) => {
          const bench = new Bench(BLOCK);
          bench.send(init);
          await bench.rest();
          let sent = 0;
          for (const bytes of packets) {
            const short = cut === 0 ? bytes.subarray(0, Math.max(0, bytes.length - 1)) : bytes;
            sent += short.length;
            bench.send(short);
          }
          await bench.rest();
          for (const bytes of noise) {
            lend(Buffer.from(bytes), (lent) =>
              bench.gate.fromDevice({ kind: 'data', data: lent, stream: 'stdout' }),
            );
          }
          await bench.rest();
          expect(bench.gate.keptFromClient).toBeLessThanOrEqual(sent);
          for (const { type, path } of bench.server.received) {
            const touches = [FXP.OPEN, FXP.REMOVE, FXP.MKDIR, FXP.RMDIR, FXP.SETSTAT, FXP.RENAME].some(
              (t) => t === type,
            );
            expect(touches && path.endsWith('.bashrc')).toBe(false);
          }
          bench.gate[Symbol.dispose]();
        },
      ),
      { numRuns: 150, examples: [[[], [Uint8Array.of(0, 1), Uint8Array.of(0, 1, 0, 0, 0, 0, 0)], 0]] },
    );
  });
});

describe('requests of later versions', () => {
  const whole = (bytes: Buffer) => {
    const reader = new SftpReader(() => true);
    reader.push(bytes);
    const part = reader.next();
    if (part?.kind !== 'packet') throw new Error('no packet');
    return part;
  };

  it('knows reading from writing by access mask', () => {
    const masked = (mask: number, flags: number) =>
      readRequest(whole(packet(FXP.OPEN, 1, str('f'), u32(mask), u32(flags), u32(0))), 6);
    expect(masked(0x1, 2)).toMatchObject({ kind: 'open', access: ['read'], fresh: false });
    expect(masked(0x2, 1)).toMatchObject({ access: ['write'], fresh: true });
    expect(masked(0x1, 1)).toMatchObject({ access: ['read', 'write'] });
    expect(masked(0x1, 2 | 0x800)).toMatchObject({ access: ['read', 'delete'] });
  });

  it('a shortened file is a written one', () => {
    expect(readRequest(whole(packet(FXP.SETSTAT, 1, str('f'), u32(1), u64(0n))), 3)).toMatchObject({
      word: 'truncate',
      uses: [{ access: ['write'] }],
    });
    expect(readRequest(whole(packet(FXP.SETSTAT, 1, str('f'), u32(4), u32(0o4755))), 3)).toMatchObject({
      word: 'setstat',
      how: 'mode=4755',
    });
  });
});
