// The menu before a gate: what it takes, what waits while it is open, and that nothing of it reaches the device.
import { describe, expect, it } from 'vitest';
import type {
  ChannelGate,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateFactory,
  GateOutlet,
} from '../channels/gate-port.ts';
import { EscapeGate, escapableGates } from './escape-gate.ts';
import type { AskOutcome, EscapeDesk, OwnRequest, StoppedCommand } from './ports.ts';

const KEY = '\x1d';
const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';

const command: StoppedCommand = {
  id: 'command-1',
  at: 0,
  device: 'web1',
  command: 'reboot',
  outcome: 'blocked',
  detail: '',
  rule: undefined,
  asked: undefined,
};

const context: GateContext = {
  sessionId: 'session-1',
  channel: 0,
  startedAt: 0,
  user: { id: 'user-1', name: 'alice', groups: [] },
  device: { id: 'device-1', name: 'web1', tags: [], os: undefined },
  credential: { id: 'credential-1', name: 'root@web1', username: 'root' },
  grant: { id: 'grant-1', name: 'web' },
  sourceAddress: '127.0.0.1',
  environment: new Map(),
  terminal: { type: 'xterm', columns: 80, rows: 24, modes: Buffer.alloc(0) },
};

/** A channel between a client and a device, as far as the gate sees it, with a gate behind that passes everything. */
class Channel {
  shown = '';
  recorded = '';
  delivered = '';
  readonly marks: string[] = [];
  readonly asked: string[] = [];
  readonly read: string[] = [];
  alternate = false;
  readonly gate: ChannelGate;
  #told: (() => void) | undefined;

  constructor(over: Partial<EscapeDesk> = {}) {
    const desk: EscapeDesk = {
      key: 29,
      rating: async () => ({ value: 8, changes: [] }),
      stopped: async () => command,
      requests: async () => [],
      ask: async (_who, id, reason): Promise<AskOutcome> => {
        this.asked.push(`${id}: ${reason}`);
        return { kind: 'asked', id: 'request-1' };
      },
      unread: async () => [],
      markRead: async (_who, requests) => {
        this.read.push(...requests.map(({ id }) => id));
      },
      note: (_who, what) => {
        this.marks.push(what);
      },
      log: { warn: () => {} },
      ...over,
    };
    const outlet: GateOutlet = {
      held: false,
      toDevice: (event) => {
        if (event.kind === 'data') this.delivered += event.data.toString('latin1');
        else this.delivered += `<${event.kind}>`;
      },
      toClient: (event) => {
        this.#show(event.kind === 'data' ? event.data.toString('utf8') : `<${event.kind}>`);
      },
      injectToDevice: () => {},
      injectToClient: (data) => {
        this.recorded += data.toString('utf8');
        this.#show(data.toString('utf8'));
      },
      keptLess: () => {},
      endChannel: () => {},
      endSession: () => {},
    };
    const channel = this;
    const passing: GateFactory = {
      open: (_context, to) => ({
        start: () => ({ kind: 'pass' }),
        fromClient: (event) => to.toDevice(event),
        fromDevice: (event) => to.toClient(event),
        get picture() {
          return { alternate: channel.alternate, paint: () => '' };
        },
        keptFromClient: 0,
        keptFromDevice: 0,
        passesFromClient: true,
        passesFromDevice: true,
        [Symbol.dispose]: () => {},
      }),
    };
    this.gate = escapableGates(passing, desk).open(context, outlet);
  }

  async start(kind: 'shell' | 'exec' = 'shell'): Promise<this> {
    await this.gate.start(kind === 'shell' ? { kind } : { kind, command: Buffer.from('top') });
    this.gate.goOn?.();
    return this;
  }

  /** As the relay does: what the gate does not take is recorded and delivered. */
  type(...pieces: readonly string[]): void {
    for (const piece of pieces) {
      const data = Buffer.from(piece, 'latin1');
      if (this.gate.takes?.(data) !== true) this.client({ kind: 'data', data });
    }
  }

  client(event: ClientEvent): void {
    this.gate.fromClient(event);
  }

  device(event: DeviceEvent | string): void {
    this.gate.fromDevice(
      typeof event === 'string' ? { kind: 'data', data: Buffer.from(event), stream: 'stdout' } : event,
    );
  }

  async until(text: string): Promise<void> {
    while (!this.shown.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  #show(text: string): void {
    this.shown += text;
    this.#told?.();
  }
}

describe('the escape', () => {
  it('opens at the start of a line, takes what is typed, and gives the terminal back', async () => {
    const channel = await new Channel().start();
    channel.type('ls\r', KEY);
    expect(channel.shown).toContain(ENTER);
    channel.type('remove it\r', 'zz');
    channel.type('q', 'pwd\r');
    expect(channel.delivered).toBe('ls\rpwd\r');
    expect(channel.shown.endsWith(LEAVE)).toBe(true);
    expect(channel.marks).toEqual(['opened', 'rating', 'closed']);
  });

  it('is an ordinary key within a line, in a paste, in the alternate screen, and where it is off', async () => {
    for (const pieces of [['l', KEY], [`\x1b[200~`, KEY], [`x\r${KEY}`], [`${KEY}ls\r`]]) {
      const channel = await new Channel().start();
      channel.type(...pieces);
      expect(channel.delivered, JSON.stringify(pieces)).toBe(pieces.join(''));
      expect(channel.shown).toBe('');
    }
    const editor = await new Channel().start();
    editor.alternate = true;
    editor.type(KEY);
    expect(editor.delivered).toBe(KEY);
    const off = await new Channel({ key: undefined }).start();
    off.type(KEY);
    expect(off.delivered).toBe(KEY);
    const other = await new Channel({ key: 30 }).start();
    other.type(KEY);
    expect(other.delivered).toBe(KEY);
  });

  it('is not there where a program was started instead of a shell', async () => {
    const channel = await new Channel().start('exec');
    channel.type(KEY);
    expect(channel.delivered).toBe(KEY);
    expect(channel.gate.passesFromDevice).toBe(true);
  });

  it('typed twice reaches the device once', async () => {
    const channel = await new Channel().start();
    channel.type(KEY, KEY, 'a');
    expect(channel.delivered).toBe(`${KEY}a`);
    expect(channel.shown.endsWith(LEAVE)).toBe(true);
  });

  it('keeps what the device shows meanwhile, in its order, and counts it', async () => {
    const channel = await new Channel().start();
    channel.type(KEY);
    const before = channel.shown;
    channel.device('one ');
    channel.device('two');
    expect(channel.shown).toBe(before);
    expect(channel.gate.keptFromDevice).toBe(7);
    channel.type('q');
    expect(channel.shown).toBe(`${before}${LEAVE}one two`);
    expect(channel.gate.keptFromDevice).toBe(0);
  });

  it('is opened by nothing that the device says', async () => {
    const channel = await new Channel().start();
    channel.device(`${KEY}\r\n${KEY}`);
    expect(channel.shown).toBe(`${KEY}\r\n${KEY}`);
  });

  it('closes when either side ends, with all that was said', async () => {
    const channel = await new Channel().start();
    channel.type(KEY);
    channel.device('last words');
    channel.device({ kind: 'closed' });
    expect(channel.shown.endsWith(`${LEAVE}last words<closed>`)).toBe(true);
    const client = await new Channel().start();
    client.type(KEY);
    client.client({ kind: 'eof' });
    expect(client.shown.endsWith(LEAVE)).toBe(true);
    expect(client.delivered).toBe('<eof>');
  });

  it('gives the terminal back when somebody else needs it', async () => {
    const channel = await new Channel().start();
    channel.type(KEY);
    channel.gate.giveBack?.();
    expect(channel.shown.endsWith(LEAVE)).toBe(true);
    channel.type('ls\r');
    expect(channel.delivered).toBe('ls\r');
  });

  it('asks for an exception with the reason that was typed', async () => {
    const channel = await new Channel().start();
    channel.type(KEY, 'e');
    await channel.until('Why do you need it?');
    channel.type('for the kernel update', '\r');
    await channel.until('waits for an administrator');
    expect(channel.asked).toEqual(['command-1: for the kernel update']);
    expect(channel.delivered).toBe('');
    expect(channel.recorded).toBe('');
  });

  it('says when something cannot be read, and goes on', async () => {
    const channel = await new Channel({
      rating: async () => {
        throw new Error('the store is away');
      },
    }).start();
    channel.type(KEY, 'r');
    await channel.until('not possible at the moment');
    channel.type('w');
    await channel.until('reboot');
  });
});

describe('a decision that its user has not seen', () => {
  const decided = (id: string): OwnRequest => ({
    id,
    askedAt: 0,
    device: 'web1',
    command: 'reboot',
    state: 'granted',
    decidedBy: 'carol',
    comment: 'on\x1b[2J Sunday',
  });

  it('is told before anything that the device shows, once', async () => {
    const channel = await new Channel({ unread: async () => [decided('request-1')] }).start();
    channel.gate.goOn?.();
    channel.device('$ ');
    expect(channel.shown).toBe(
      '\r\nsallyport: Your request: reboot on web1 granted by carol: on[2J Sunday\r\n$ ',
    );
    expect(channel.recorded).toContain('granted by carol');
    expect(channel.read).toEqual(['request-1']);
  });

  it('keeps no shell from starting when it cannot be read', async () => {
    const channel = await new Channel({
      unread: async () => {
        throw new Error('the store is away');
      },
    }).start();
    channel.type('ls\r', KEY);
    expect(channel.gate).toBeInstanceOf(EscapeGate);
    expect(channel.shown).toContain(ENTER);
  });
});
