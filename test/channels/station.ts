// A gateway in this process, down to the connection alone: what the directory, the store and the recorder would answer
// is kept in memory, so that tests can change it in mid-session and see what was told to them.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type GateFactory, openGates } from '../../proxy/channels/gate-port.ts';
import type { ChannelDescription, ExitOutcome, SessionRecorder } from '../../proxy/channels/ports.ts';
import type { DeviceSecret } from '../../proxy/device/ports.ts';
import { DEFAULT_LOCKOUT } from '../../proxy/login/lockout.ts';
import { DEFAULT_LOGIN_SETTINGS } from '../../proxy/login/login.ts';
import { createPasswordChecker } from '../../proxy/login/password.ts';
import type { ChannelKind, LoginUser, Target } from '../../proxy/login/ports.ts';
import { NOTHING_REVOKED } from '../../proxy/login/revocations.ts';
import { createTurns } from '../../proxy/login/turns.ts';
import { type Connection, serveConnection } from '../../proxy/server/connection.ts';
import { type ConnectionSettings, DEFAULT_CONNECTION_SETTINGS } from '../../proxy/server/connection-ports.ts';
import type { SessionEnd, SessionOrder, SessionStart } from '../../proxy/server/ports.ts';
import { loadHostKeys } from '../../proxy/transport/host-keys.ts';
import type { Device } from '../harness/device.ts';
import type { KeyPair } from '../harness/keys.ts';
import type { Scratch } from '../harness/scratch.ts';

export const everyChannel: readonly ChannelKind[] = [
  'shell',
  'exec',
  'sftp',
  'scp',
  'forward',
  'agent',
  'x11',
];

export interface Recorded {
  readonly kind: 'started' | 'input' | 'output' | 'resize' | 'exit' | 'ended';
  readonly channel: number;
  readonly detail?: ChannelDescription | ExitOutcome | string;
  readonly bytes?: Buffer;
}

/** Of each piece. Bytes. */
const KEPT = 4096;

/** Keeps what it is told; `pendingBytes` is the test's to set. */
export class MemoryRecorder implements SessionRecorder {
  readonly events: Recorded[] = [];
  pendingBytes = 0;
  closed = false;
  onDrain: (() => void) | undefined;
  onFailure: ((error: Error) => void) | undefined;
  bytesOut = 0;
  readonly #told: () => void;

  constructor(told: () => void) {
    this.#told = told;
  }

  channelStarted(channel: number, description: ChannelDescription): void {
    this.events.push({ kind: 'started', channel, detail: description });
  }
  input(channel: number, bytes: Buffer): void {
    if (this.events.length < 1_000) {
      this.events.push({ kind: 'input', channel, bytes: Buffer.from(bytes.subarray(0, KEPT)) });
    }
  }
  output(channel: number, bytes: Buffer, stream: 'stdout' | 'stderr'): void {
    this.bytesOut += bytes.length;
    if (this.events.length < 1_000) {
      this.events.push({
        kind: 'output',
        channel,
        detail: stream,
        bytes: Buffer.from(bytes.subarray(0, KEPT)),
      });
    }
  }
  resize(channel: number, columns: number, rows: number): void {
    this.events.push({ kind: 'resize', channel, detail: `${columns}x${rows}` });
    this.#told();
  }
  exit(channel: number, outcome: ExitOutcome): void {
    this.events.push({ kind: 'exit', channel, detail: outcome });
  }
  channelEnded(channel: number): void {
    this.events.push({ kind: 'ended', channel });
  }
  async close(): Promise<void> {
    this.closed = true;
  }
  text(kind: 'input' | 'output'): string {
    return Buffer.concat(
      this.events.filter((e) => e.kind === kind).map((e) => e.bytes ?? Buffer.alloc(0)),
    ).toString();
  }
}

export interface Refusal {
  readonly user: string;
  readonly wanted: string;
  readonly code: string;
  readonly detail: string;
}

export interface StationOptions {
  readonly gates?: GateFactory;
  readonly settings?: Partial<ConnectionSettings>;
  readonly user?: Partial<LoginUser>;
  readonly secret?: DeviceSecret;
  readonly channels?: readonly ChannelKind[];
  readonly subsystems?: readonly string[];
  readonly recording?: 'strict' | 'best-effort';
  readonly pinned?: readonly string[];
  readonly endsAt?: number;
}

export class Station {
  readonly host = '127.0.0.1';
  port = 0;
  readonly connections = new Set<Connection>();
  readonly starts: SessionStart[] = [];
  readonly ends = new Map<string, SessionEnd>();
  readonly refusals: Refusal[] = [];
  readonly recorders: MemoryRecorder[] = [];
  readonly logged: { readonly fields: object; readonly message: string }[] = [];
  pins: string[] = [];
  /** Set to make the recorder or the register fail. */
  recordingFails = false;
  registerFails = false;
  readonly #orders = new Map<string, (order: SessionOrder) => void>();
  readonly #changed = new Set<() => void>();

  order(order: SessionOrder): void {
    for (const give of this.#orders.values()) give(order);
  }

  /** Waits until `look` answers something; looks again whenever anything is told to the station. */
  until<T>(look: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#changed.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#changed.delete(check);
        reject(new Error(`${what} did not happen; log: ${JSON.stringify(this.logged.slice(-5))}`));
      }, 15_000);
      this.#changed.add(check);
      check();
    });
  }

  ended(index = 0): Promise<SessionEnd> {
    return this.until(() => {
      const start = this.starts[index];
      return start === undefined ? undefined : this.ends.get(start.id);
    }, `the end of session ${index}`);
  }

  static async open(
    scratch: Scratch,
    device: Device,
    key: KeyPair,
    options: StationOptions = {},
  ): Promise<Station> {
    const station = new Station();
    const told = (): void => {
      for (const check of [...station.#changed]) check();
    };
    const target: Target = {
      device: { id: 'd1', name: 'web1', host: device.host, port: device.port, tags: [], os: 'linux' },
      credential: { id: 'c1', name: 'web1-login', username: device.account.name },
      grant: {
        id: 'g1',
        name: 'web',
        channels: options.channels ?? everyChannel,
        subsystems: options.subsystems ?? [],
        recording: options.recording ?? 'strict',
        endsAt: options.endsAt,
      },
    };
    const user: LoginUser = {
      id: 'u1',
      name: 'alice',
      passwordHash: undefined,
      keys: [key.publicKey],
      totpSecret: undefined,
      combinations: [['publickey']],
      roles: ['engineer'],
      groups: [],
      disabledReason: undefined,
      ...options.user,
    };
    station.pins = [...(options.pinned ?? [device.hostKey])];
    const hostKeys = await loadHostKeys(scratch.path('gateway-keys'));
    const log = (fields: object, message: string): void => {
      station.logged.push({ fields, message });
      told();
    };
    let sequence = 0;
    const deps = {
      transport: { hostKeys },
      login: {
        directory: {
          findUser: async (name: string) => (name === user.name ? user : undefined),
          acceptTotpStep: async () => true,
        },
        failures: {
          recent: async () => [],
          record: async () => {},
          clear: async () => {},
          knownSource: async () => false,
          rememberSource: async () => {},
        },
        passwords: await createPasswordChecker(),
        turns: createTurns(),
        authorities: () => [],
        revocations: () => NOTHING_REVOKED,
        settings: { ...DEFAULT_LOGIN_SETTINGS, lockout: DEFAULT_LOCKOUT },
        now: () => Date.now(),
        report: undefined,
      },
      grants: {
        targetsOf: async () => [target],
        decide: async (_user: string, account: string | undefined, name: string) =>
          name === 'web1' &&
          (account === undefined || account === device.account.name || account === target.credential.name)
            ? ({ kind: 'granted', target } as const)
            : ({
                kind: 'denied',
                code: 'not-granted',
                detail: `no grant for ${name}`,
                tell: `You may not reach ${name}. Ask carol, who administers it.`,
              } as const),
      },
      vault: {
        secretOf: async (): Promise<DeviceSecret> =>
          options.secret ?? { kind: 'privateKey', privateKey: device.key.privateKey, password: undefined },
      },
      pins: {
        pinnedKeys: async () => station.pins,
        pinFirst: async (_device: string, line: string) => {
          if (station.pins.length === 0) station.pins.push(line);
          return station.pins;
        },
      },
      register: {
        newId: () => {
          sequence += 1;
          return `s${sequence}`;
        },
        open: async (start: SessionStart) => {
          if (station.registerFails) throw new Error('the disk is full');
          station.starts.push(start);
          told();
        },
        close: async (id: string, end: SessionEnd) => {
          station.ends.set(id, end);
          told();
        },
        refused: async (event: Refusal) => {
          station.refusals.push(event);
          told();
        },
      },
      recordings: {
        start: async () => {
          if (station.recordingFails) throw new Error('the disk is full');
          const recorder = new MemoryRecorder(told);
          station.recorders.push(recorder);
          told();
          return recorder;
        },
      },
      orders: {
        listen: (
          sessionId: string,
          _user: string,
          onOrder: (order: SessionOrder) => void,
          until: AbortSignal,
        ) => {
          station.#orders.set(sessionId, onOrder);
          until.addEventListener('abort', () => station.#orders.delete(sessionId), { once: true });
        },
      },
      gates: options.gates ?? openGates,
      log: { info: log, warn: log },
      settings: { ...DEFAULT_CONNECTION_SETTINGS, ...options.settings },
      now: () => Date.now(),
    };
    const server = createServer({ noDelay: true }, (socket: Socket) => {
      const connection = serveConnection(
        socket,
        { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
        deps,
      );
      station.connections.add(connection);
      void connection.done.then(() => {
        station.connections.delete(connection);
        told();
      });
    });
    server.listen(0, station.host);
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    station.port = address.port;
    scratch.atEnd(() => {
      server.close();
      for (const connection of station.connections) connection[Symbol.dispose]();
    });
    return station;
  }
}
