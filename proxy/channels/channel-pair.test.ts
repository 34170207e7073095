import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Target } from '../login/ports.ts';
import { UNRESTRICTED } from '../login/restrictions.ts';
import {
  encodeChannelOpen,
  encodeExec,
  encodeExitSignal,
  encodeExitStatus,
  encodeGlobalRequest,
  encodePtyRequest,
  encodeWindowChange,
} from '../transport/messages.ts';
import type { ChannelPair, PairSession } from './channel-pair.ts';
import { ChannelTable } from './channel-table.ts';
import { DEFAULT_ENVIRONMENT } from './environment.ts';
import {
  type ChannelGate,
  type GateFactory,
  type GateOutlet,
  openGates,
  type StartVerdict,
} from './gate-port.ts';
import type { ExitOutcome, SessionRecorder } from './ports.ts';
import { ScriptedPeer } from './scripted-peer.ts';
import { SessionChannel } from './session-channel.ts';

const TARGET: Target = {
  device: { id: 'd', name: 'web1', host: 'web1', port: 22, tags: [], os: undefined },
  credential: { id: 'c', name: 'c', username: 'root' },
  grant: {
    id: 'g',
    name: 'g',
    channels: ['shell', 'exec'],
    subsystems: [],
    recording: 'strict',
    endsAt: undefined,
  },
};

class Recording implements SessionRecorder {
  readonly lines: string[] = [];
  pendingBytes = 0;
  onDrain: (() => void) | undefined;
  onFailure: ((error: Error) => void) | undefined;
  channelStarted(_channel: number, description: { kind: string; detail: string }): void {
    this.lines.push(`started ${description.kind} ${description.detail}`.trim());
  }
  input(_channel: number, data: Buffer): void {
    this.lines.push(`< ${data.toString('latin1').slice(0, 40)}`);
  }
  output(_channel: number, data: Buffer, stream: string): void {
    this.lines.push(`${stream} ${data.toString('latin1').slice(0, 40)}`);
  }
  resize(_channel: number, columns: number, rows: number): void {
    this.lines.push(`resize ${columns}x${rows}`);
  }
  exit(_channel: number, outcome: ExitOutcome): void {
    this.lines.push(`exit ${outcome.kind === 'status' ? outcome.status : outcome.kind}`);
  }
  channelEnded(): void {
    this.lines.push('ended');
  }
  async close(): Promise<void> {}
}

interface Bench {
  readonly client: ScriptedPeer;
  readonly device: ScriptedPeer;
  readonly recording: Recording;
  readonly session: PairSession & { held: boolean; ended: string | undefined; open: number };
  readonly pair: ChannelPair;
}

/** A client and a device with one session channel between them, before the start. */
function bench(
  options: { client?: ScriptedPeer; device?: ScriptedPeer; gates?: GateFactory; channels?: Target } = {},
): Bench {
  const client = options.client ?? new ScriptedPeer();
  const device = options.device ?? new ScriptedPeer();
  const recording = new Recording();
  const session = {
    recorder: recording,
    held: false,
    ended: undefined as string | undefined,
    open: 1,
    get recorderBehind(): boolean {
      return recording.pendingBytes > 1_000;
    },
    countFromClient: () => {},
    countFromDevice: () => {},
    end: (reason: string) => {
      session.ended = reason;
    },
    pairStarted: () => {},
    pairEnded: () => {
      session.open -= 1;
    },
  };
  let pair: ChannelPair | undefined;
  const deviceTable = new ChannelTable(device, { open: () => {}, globalRequest: () => {} });
  device.connect(deviceTable);
  const clientTable = new ChannelTable(client, {
    globalRequest: () => {},
    open: (open) => {
      deviceTable.open('session', Buffer.alloc(0), {
        refused: () => {},
        confirmed: (deviceEnd) => {
          const clientEnd = open.accept();
          if (clientEnd === undefined) throw new Error('not accepted');
          pair = new SessionChannel({
            client: clientEnd,
            device: deviceEnd,
            session,
            gates: options.gates ?? openGates,
            channel: 0,
            target: options.channels ?? TARGET,
            restrictions: UNRESTRICTED,
            environment: DEFAULT_ENVIRONMENT,
            context: {
              sessionId: 's',
              startedAt: 0,
              user: { id: 'u', name: 'alice', groups: [] },
              device: { id: 'd', name: 'web1', tags: [], os: undefined },
              credential: { id: 'c', name: 'web1-root', username: 'root' },
              grant: { id: 'g', name: 'g' },
              sourceAddress: '192.0.2.1',
            },
            refused: () => {},
            allowed: () => {},
          }).pair;
        },
      });
    },
  });
  client.connect(clientTable);
  client.opens();
  device.confirms();
  if (pair === undefined) throw new Error('no pair');
  return { client, device, recording, session, pair };
}

function started(options: Parameters<typeof bench>[0] = {}): Bench {
  const made = bench(options);
  made.client.requests('exec', encodeExec(Buffer.from('cat')), true);
  made.device.succeeds();
  return made;
}

describe('a channel pair', () => {
  it('passes exit status, EOF and CLOSE behind the data, in the order of the device', () => {
    const { client, device, session } = started();
    device.says(Buffer.from('out'));
    device.says(Buffer.from('err'), 'stderr');
    device.requests('exit-status', encodeExitStatus(7));
    device.ends();
    device.closes();
    expect(client.order).toEqual(['confirmed', 'success', 'stdout', 'stderr', 'exit-status', 'eof', 'close']);
    client.closes();
    expect(session.open).toBe(0);
  });

  it('keeps that order when the client opens its window only later', () => {
    const { client, device } = started({ client: new ScriptedPeer(2) });
    device.says(Buffer.from('abcdef'));
    device.requests(
      'exit-signal',
      encodeExitSignal({ signal: 'KILL', coreDumped: false, message: 'x\u001b[2J', language: '' }),
    );
    device.ends();
    device.closes();
    expect(client.order).toEqual(['confirmed', 'success', 'stdout']);
    client.allows(100);
    expect(client.order).toEqual(['confirmed', 'success', 'stdout', 'exit-signal', 'eof', 'close']);
    expect(client.text()).toBe('abcdef');
    expect(client.heard.at(-3)?.data?.includes(0x1b)).toBe(false);
  });

  // Both read into memory that is used again: what must wait is copied, wherever it waits.
  it('leaves bytes as they were, whatever makes them wait', () => {
    const piece = (letter: string) => Buffer.alloc(20_000, letter);
    const { client, device, session, pair } = started({
      client: new ScriptedPeer(30_000),
      device: new ScriptedPeer(30_000),
    });
    for (const peer of [client, device]) for (const letter of ['a', 'b']) peer.says(piece(letter));
    session.held = true;
    for (const peer of [client, device]) for (const letter of ['c', 'd']) peer.says(piece(letter));
    session.held = false;
    pair.resume();
    for (const peer of [client, device]) {
      peer.takes = false;
      peer.allows(1_000_000);
    }
    for (const peer of [client, device]) peer.says(piece('e'));
    for (const peer of [client, device]) peer.drains();
    for (const peer of [client, device]) peer.says(piece('f'));
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(20_000)).join('');
    expect(client.text() === all).toBe(true);
    expect(device.text() === all).toBe(true);
  });

  it('half-closes either way without closing the other', () => {
    const { client, device } = started();
    client.says(Buffer.from('in'));
    client.ends();
    expect(device.order).toEqual(['session', 'exec', 'stdout', 'eof']);
    device.says(Buffer.from('later'));
    expect(client.text()).toBe('later');
    device.ends();
    expect(client.order.at(-1)).toBe('eof');
    expect(device.order).not.toContain('close');
  });

  it('gives the exit status to a client that closed before it came', () => {
    const { client, device, session } = started();
    client.ends();
    device.ends();
    client.closes();
    expect(device.order.slice(-2)).toEqual(['eof', 'close']);
    expect(client.order.at(-1)).toBe('eof');
    device.requests('exit-status', encodeExitStatus(3));
    device.closes();
    expect(client.order.slice(-3)).toEqual(['eof', 'exit-status', 'close']);
    expect(session.open).toBe(0);
  });

  it('gives it also to one that closed with data still queued for it, without the data', () => {
    const { client, device, session } = started({ client: new ScriptedPeer(1) });
    device.says(Buffer.from('abc'));
    device.requests('exit-status', encodeExitStatus(3));
    device.closes();
    client.closes();
    expect(client.text()).toBe('a');
    expect(client.order.slice(-2)).toEqual(['exit-status', 'close']);
    expect(session.open).toBe(0);
  });

  it('that a client leaves before the start closes both sides', () => {
    const { client, device, session } = bench();
    client.closes();
    expect(client.order).toEqual(['confirmed', 'close']);
    expect(device.order).toEqual(['session', 'close']);
    device.closes();
    expect(session.open).toBe(0);
  });

  it('keeps input that comes before the start, and passes it right after it (defect D7)', () => {
    const { client, device } = bench();
    client.says(Buffer.from('early'));
    expect(device.text()).toBe('');
    client.requests('exec', encodeExec(Buffer.from('cat')), true);
    expect(device.order).toEqual(['session', 'exec', 'stdout']);
    expect(device.text()).toBe('early');
  });

  it('answers requests in the order in which they came, the unknown with failure (defect D8)', () => {
    const { client, device } = started();
    client.requests('signal', Buffer.from([0, 0, 0, 3, 73, 78, 84]), true);
    client.requests('winadj@putty.projects.tartarus.org', Buffer.alloc(0), true);
    expect(client.order).toEqual(['confirmed', 'success']);
    device.succeeds();
    expect(client.order).toEqual(['confirmed', 'success', 'success', 'failure']);
  });

  it('refuses a peer that overruns its window', () => {
    const full = started({ device: new ScriptedPeer(0) });
    full.client.says(Buffer.alloc(4_000_000));
    expect(full.client.allowed).toBe(0);
    expect(() => full.client.saysAnyway(Buffer.alloc(1))).toThrow(/SP_CHANNEL_WINDOW_OVERRUN/);
  });

  it('refuses a packet beyond the maximum', () => {
    const { client } = started();
    expect(() => client.saysAnyway(Buffer.alloc(40_000))).toThrow(/SP_CHANNEL_PACKET_TOO_LARGE/);
  });

  it('refuses a maximum packet size that can carry nothing, from either side (defect D1)', () => {
    expect(() => bench({ client: new ScriptedPeer(1000, 0) })).toThrow(/maximum packet size/);
    expect(() => bench({ device: new ScriptedPeer(1000, 0) })).toThrow(/maximum packet size/);
  });

  it('bounds what a stalled reader costs to one window', () => {
    const { client, device, pair } = started({ client: new ScriptedPeer(1000) });
    let sent = 0;
    for (let round = 0; round < 100; round += 1) sent += device.says(Buffer.alloc(1_000_000));
    expect(sent).toBeLessThanOrEqual(2 * 1024 * 1024 + 1000);
    expect(pair.backlog).toBeLessThanOrEqual(2 * 1024 * 1024);
    client.allows(10_000_000);
    expect(device.allowed).toBeGreaterThan(1_000_000);
  });

  it('sends nothing while the transport is above its high-water mark', () => {
    const { client, device } = started();
    client.takes = false;
    device.says(Buffer.from('one'));
    device.says(Buffer.from('two'));
    expect(client.text()).toBe('one');
    client.drains();
    expect(client.text()).toBe('onetwo');
  });

  it('grants no more window while the recorder is behind', () => {
    const { device, recording, pair } = started({ client: new ScriptedPeer(10_000_000) });
    recording.pendingBytes = 5_000;
    let sent = 0;
    for (let round = 0; round < 100; round += 1) sent += device.says(Buffer.alloc(32_768));
    expect(sent).toBeLessThanOrEqual(2 * 1024 * 1024);
    recording.pendingBytes = 0;
    pair.resume();
    expect(device.allowed).toBeGreaterThan(1_000_000);
  });

  it('passes eow ahead of what is queued (defect D12)', () => {
    const { client, device } = started({ device: new ScriptedPeer(0) });
    client.says(Buffer.from('stuck'));
    client.requests('eow@openssh.com');
    expect(device.order).toEqual(['session', 'exec', 'eow@openssh.com']);
  });

  it('keeps only the newest size while the session is held, and delivers nothing', () => {
    const { client, device, session, pair, recording } = started();
    session.held = true;
    for (let columns = 80; columns < 3_000; columns += 1) {
      client.requests(
        'window-change',
        encodeWindowChange({ columns, rows: 24, widthPixels: 0, heightPixels: 0 }),
      );
    }
    client.says(Buffer.from('x'));
    device.says(Buffer.from('y'));
    expect(device.order).toEqual(['session', 'exec']);
    expect(client.text()).toBe('');
    expect(recording.lines).toContain('stdout y');
    expect(recording.lines).not.toContain('< x');
    session.held = false;
    pair.resume();
    expect(device.order).toEqual(['session', 'exec', 'window-change', 'stdout']);
    expect(client.text()).toBe('y');
  });

  describe('of a gate that looks at what comes', () => {
    const looking: GateFactory = {
      open: (context, outlet) => Object.assign(openGates.open(context, outlet), { passesFromDevice: false }),
    };
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const packet = (letter: string): Buffer => Buffer.from(letter.repeat(3));

    it('records what came together as one piece, and only then shows it', async () => {
      const { client, device, recording } = started({ gates: looking });
      for (const letter of ['a', 'b', 'c']) device.says(packet(letter));
      expect(client.text()).toBe('');
      await turn();
      expect(recording.lines.slice(1)).toEqual(['stdout aaabbbccc']);
      expect(client.order.filter((what) => what === 'stdout')).toHaveLength(1);
      expect(client.text()).toBe('aaabbbccc');
    });

    it('keeps it in its place before errors, the exit status and notices', () => {
      const { client, device, recording, pair } = started({ gates: looking });
      device.says(packet('a'));
      device.says(packet('b'), 'stderr');
      device.says(packet('c'));
      device.requests('exit-status', encodeExitStatus(0));
      device.ends();
      device.closes();
      expect(recording.lines.slice(1)).toEqual(['stdout aaa', 'stderr bbb', 'stdout ccc', 'exit 0']);
      expect(client.order.slice(2)).toEqual(['stdout', 'stderr', 'stdout', 'exit-status', 'eof', 'close']);
      pair[Symbol.dispose]();
    });

    it('records it, and shows it no more, when the session ends meanwhile', async () => {
      const { client, device, recording, pair } = started({ gates: looking });
      device.says(packet('a'));
      pair.end('over');
      await turn();
      expect(recording.lines.slice(1, 2)).toEqual(['stdout aaa']);
      expect(client.text()).toBe('');
      expect(client.text('stderr')).toContain('over');
    });

    it('grants the device no more window than it may have on its way', async () => {
      const { device, session } = started({ gates: looking });
      session.held = true;
      const granted = device.allowed;
      let sent = 0;
      while (sent < granted) {
        sent += device.says(Buffer.alloc(300_000, 0x61));
        await turn();
      }
      expect(sent).toBe(granted);
      expect(device.allowed).toBe(0);
    });
  });

  it('starts nothing on the device while the session is held', () => {
    const { client, device, session, pair } = bench();
    session.held = true;
    client.requests('exec', encodeExec(Buffer.from('id')), true);
    client.says(Buffer.from('input'));
    expect(device.order).toEqual(['session']);
    session.held = false;
    pair.resume();
    expect(device.order).toEqual(['session', 'exec', 'stdout']);
  });

  it('ends a client that piles up long requests during a hold, before they cost much', () => {
    const { client, device, session } = bench();
    session.held = true;
    const long = encodeExec(Buffer.alloc(30_000, 0x61));
    expect(() => {
      for (let n = 0; n < 100; n += 1) client.requests('env', long);
    }).toThrow(/while the session is held/);
    expect(device.order).toEqual(['session']);
  });

  it('keeps a long request of a started session from waiting for the device', () => {
    const { client, device } = started();
    client.requests('signal', Buffer.alloc(30_000, 0x61), true);
    expect(client.order.at(-1)).toBe('failure');
    expect(device.order).toEqual(['session', 'exec']);
  });

  it('filters the environment', () => {
    const { client, device } = bench();
    const env = (name: string): Buffer =>
      Buffer.concat([
        Buffer.from([0, 0, 0, name.length]),
        Buffer.from(name),
        Buffer.from([0, 0, 0, 1, 0x31]),
      ]);
    for (const name of ['LD_PRELOAD', 'LC_ALL', 'PATH', 'LANG']) client.requests('env', env(name), true);
    expect(device.order).toEqual(['session', 'env', 'env']);
    expect(client.order).toEqual(['confirmed', 'failure']);
  });

  it('tells a client whose command is not granted why, and closes the device', () => {
    const channels = { ...TARGET, grant: { ...TARGET.grant, channels: ['shell'] as const } };
    const { client, device, recording } = bench({ channels });
    client.requests('exec', encodeExec(Buffer.from('id')), true);
    expect(client.order).toEqual(['confirmed', 'success', 'stderr', 'exit-status', 'eof', 'close']);
    expect(client.text('stderr')).toContain('does not include running commands');
    expect(device.order).toEqual(['session', 'close']);
    expect(recording.lines).toContain('exit 255');
  });

  it('carries any mix of data, windows and turns unchanged, within every window', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('client' as const), size: fc.integer({ min: 0, max: 90_000 }) }),
      fc.record({ do: fc.constant('device' as const), size: fc.integer({ min: 0, max: 90_000 }) }),
      fc.record({ do: fc.constant('stderr' as const), size: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ do: fc.constant('client-window' as const), size: fc.integer({ min: 1, max: 50_000 }) }),
      fc.record({ do: fc.constant('device-window' as const), size: fc.integer({ min: 1, max: 50_000 }) }),
      fc.record({ do: fc.constant('stall' as const), size: fc.constant(0) }),
      fc.record({ do: fc.constant('drain' as const), size: fc.constant(0) }),
      fc.record({ do: fc.constant('hold' as const), size: fc.integer({ min: 0, max: 1 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 70_000 }), (steps, window) => {
        const { client, device, session, pair } = started({
          client: new ScriptedPeer(window, 5_000),
          device: new ScriptedPeer(window, 64),
        });
        let typed = '';
        let out = '';
        let err = '';
        let count = 0;
        const fresh = (size: number): Buffer => {
          count += 1;
          return Buffer.alloc(size, 33 + (count % 90));
        };
        for (const { do: what, size } of steps) {
          switch (what) {
            case 'client': {
              const data = fresh(size);
              typed += data.subarray(0, client.says(data)).toString('latin1');
              break;
            }
            case 'device': {
              const data = fresh(size);
              out += data.subarray(0, device.says(data)).toString('latin1');
              break;
            }
            case 'stderr': {
              const data = fresh(size);
              err += data.subarray(0, device.says(data, 'stderr')).toString('latin1');
              break;
            }
            case 'client-window':
              client.allows(size);
              break;
            case 'device-window':
              device.allows(size);
              break;
            case 'stall':
              client.takes = false;
              break;
            case 'drain':
              client.drains();
              break;
            case 'hold':
              session.held = size === 1;
              if (!session.held) pair.resume();
              break;
          }
          expect(pair.backlog).toBeLessThanOrEqual(4 * 1024 * 1024);
        }
        session.held = false;
        pair.resume();
        client.drains();
        client.ends();
        device.requests('exit-status', encodeExitStatus(0));
        device.ends();
        device.closes();
        client.allows(20_000_000);
        expect(client.text()).toBe(out);
        expect(client.text('stderr')).toBe(err);
        // The device has closed: what it had not taken by then is dropped, what it took is a prefix.
        expect(typed.startsWith(device.text())).toBe(true);
        expect(client.order.slice(-3)).toEqual(['exit-status', 'eof', 'close']);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a gate', () => {
  interface Held {
    readonly outlet: GateOutlet;
    readonly events: string[];
    readonly gate: ChannelGate & { keptFromClient: number };
    decide(verdict: StartVerdict): void;
  }

  function holding(): { gates: GateFactory; held: () => Held } {
    let held: Held | undefined;
    const gates: GateFactory = {
      open: (_context, outlet) => {
        const events: string[] = [];
        const decision = Promise.withResolvers<StartVerdict>();
        const gate = {
          start: () => decision.promise,
          fromClient: (event: { kind: string; data?: Buffer }) => {
            events.push(event.kind);
            gate.keptFromClient += event.data?.length ?? 0;
          },
          fromDevice: (event: Parameters<GateOutlet['toClient']>[0]) => outlet.toClient(event),
          goOn: () => void events.push('goes on'),
          keptFromClient: 0,
          keptFromDevice: 0,
          [Symbol.dispose]: () => {
            events.push('disposed');
          },
        };
        held = { outlet, events, gate, decide: (verdict) => decision.resolve(verdict) };
        return gate;
      },
    };
    return {
      gates,
      held: () => {
        if (held === undefined) throw new Error('no gate was opened');
        return held;
      },
    };
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('is asked before anything reaches the device, and decides what runs', async () => {
    const { gates, held } = holding();
    const { client, device } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('rm -rf /')), true);
    client.says(Buffer.from('input'));
    expect(device.order).toEqual(['session']);
    held().decide({ kind: 'replace', command: Buffer.from('true') });
    await turn();
    expect(device.order).toEqual(['session', 'exec']);
    expect(device.heard.at(-1)?.data?.toString('latin1')).toContain('true');
    expect(held().events).toEqual(['goes on', 'data']);
    expect(device.text()).toBe('');
  });

  it('that refuses lets nothing through and tells the user', async () => {
    const { gates, held } = holding();
    const { client, device } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('rm -rf /')), true);
    held().decide({ kind: 'refuse', code: 'blocked', detail: 'rule 1', tell: 'Blocked by rule 1.' });
    await turn();
    expect(device.order).toEqual(['session', 'close']);
    expect(client.text('stderr')).toContain('sallyport: Blocked by rule 1.');
    expect(client.order).toEqual(['confirmed', 'success', 'stderr', 'exit-status', 'eof', 'close']);
  });

  it('that refuses before the device has answered for the terminal tells the user all the same', async () => {
    const { gates, held } = holding();
    const { client } = bench({ gates });
    const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 };
    client.requests(
      'pty-req',
      encodePtyRequest({ terminal: 'xterm', ...size, modes: Buffer.alloc(0) }),
      true,
    );
    client.requests('exec', encodeExec(Buffer.from('rm -rf /')), true);
    held().decide({ kind: 'refuse', code: 'blocked', detail: 'rule 1', tell: 'Blocked by rule 1.' });
    await turn();
    // A client that is told that it gets no terminal shows nothing else.
    expect(client.order).toEqual([
      'confirmed',
      'success',
      'success',
      'stdout',
      'exit-status',
      'eof',
      'close',
    ]);
    expect(client.text()).toContain('Blocked by rule 1.');
  });

  it('keeps bytes at the cost of the window of their sender', async () => {
    const { gates, held } = holding();
    const { client, device } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('cat')), true);
    held().decide({ kind: 'pass' });
    await turn();
    let sent = 0;
    for (let round = 0; round < 100; round += 1) sent += client.says(Buffer.alloc(100_000));
    expect(sent).toBe(2 * 1024 * 1024);
    expect(client.allowed).toBe(0);
    held().gate.keptFromClient = 0;
    held().outlet.keptLess();
    expect(client.allowed).toBe(2 * 1024 * 1024);
    expect(device.text()).toBe('');
  });

  it('can type to the device and write to the client, the latter recorded', async () => {
    const { gates, held } = holding();
    const { client, device, recording } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('cat')), true);
    held().decide({ kind: 'pass' });
    await turn();
    held().outlet.injectToDevice(Buffer.from('\u0015'));
    held().outlet.injectToClient(Buffer.from('blocked'), 'stdout');
    expect(device.text()).toBe('\u0015');
    expect(client.text()).toBe('blocked');
    expect(recording.lines).toContain('stdout blocked');
    expect(recording.lines.join()).not.toContain('< ');
    held().outlet.endChannel('blocked', 'Ended.');
    expect(device.order.at(-1)).toBe('close');
    device.closes();
    client.closes();
    expect(held().events.at(-1)).toBe('disposed');
    held().outlet.injectToDevice(Buffer.from('after'));
    expect(device.text()).toBe('\u0015');
  });

  it('that lets something through while the session is held is heard after its release, in order', async () => {
    const { gates, held } = holding();
    const { client, device, session, pair } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('cat')), true);
    held().decide({ kind: 'pass' });
    await turn();
    session.held = true;
    expect(held().outlet.held).toBe(true);
    held().outlet.toDevice({ kind: 'data', data: Buffer.from('\r') });
    held().outlet.injectToDevice(Buffer.from('\u0015'));
    held().outlet.toDevice({ kind: 'eof' });
    expect(device.order).toEqual(['session', 'exec']);
    session.held = false;
    pair.resume();
    expect(device.text()).toBe('\r\u0015');
    expect(device.order.slice(-1)).toEqual(['eof']);
    expect(held().events.at(-1)).toBe('goes on');
  });

  it('that fails ends the session: fail closed', async () => {
    const gates: GateFactory = {
      open: () => {
        throw new Error('broken');
      },
    };
    const { client, device, session } = bench({ gates });
    client.requests('exec', encodeExec(Buffer.from('cat')), true);
    expect(device.order).toEqual(['session', 'close']);
    expect(session.ended).toContain('gate-failed');
  });
});

describe('a channel table', () => {
  it('survives arbitrary messages with an error for their sender only', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 80, max: 127 }), fc.uint8Array({ maxLength: 60 })), {
          maxLength: 30,
        }),
        (messages) => {
          const { client } = started();
          const peer = new ScriptedPeer();
          const table = new ChannelTable(peer, {
            open: (open) => open.accept()?.attach(IGNORE),
            globalRequest: (_type, _data, reply) => reply.fail(),
          });
          peer.connect(table);
          try {
            for (const [type, bytes] of messages) table.receive(Buffer.concat([Buffer.from([type]), bytes]));
          } catch (error) {
            expect(error).toMatchObject({ name: 'TransportError' });
          }
          expect(client.order).toEqual(['confirmed', 'success']);
        },
      ),
    );
  });

  it('ends a peer that piles up requests which want no answer and get none yet', () => {
    const peer = new ScriptedPeer();
    const waiting: (() => void)[] = [];
    const table = new ChannelTable(peer, {
      open: () => {},
      globalRequest: (_type, _data, reply) => waiting.push(() => reply.fail()),
    });
    const request = encodeGlobalRequest('tcpip-forward', false, Buffer.alloc(16));
    for (let round = 0; round < 10; round += 1) {
      for (let n = 0; n < 100; n += 1) table.receive(request);
      for (const settle of waiting.splice(0)) settle();
    }
    expect(() => {
      for (let n = 0; n < 1_000; n += 1) table.receive(request);
    }).toThrow(/too many global requests/);
    expect(waiting.length).toBeLessThan(200);
  });

  it('refuses channels beyond its limit, and pauses a peer that does not take its answers', () => {
    const peer = new ScriptedPeer();
    const table = new ChannelTable(peer, { open: () => {}, globalRequest: () => {} }, 5);
    peer.connect(table);
    for (let count = 0; count < 5; count += 1) peer.opens();
    expect(peer.order).toEqual([]);
    peer.opens();
    expect(peer.order).toEqual(['refused']);
    peer.pendingBytes = 5 * 1024 * 1024;
    table.receive(encodeChannelOpen({ type: 'x', sender: 1, initialWindow: 1, maximumPacket: 64 }));
    expect(peer.paused).toBe(true);
    peer.pendingBytes = 0;
    peer.drains();
    expect(peer.paused).toBe(false);
  });
});

const IGNORE = {
  data: () => {},
  request: (_name: string, _body: Buffer, reply: { settle(ok: boolean): void }) => reply.settle(false),
  eof: () => {},
  closed: () => {},
  flushed: () => {},
};
