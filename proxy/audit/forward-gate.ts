// The gate of one forwarded connection, agent or X11 channel: judged by where it leads before it is opened, measured while
// it lasts, and stopped where a rule forbids SSH inside. It reads nothing of what is carried but that first line.
import type { Operation } from '../../policies/match.ts';
import { copyOf } from '../channels/channel-end.ts';
import type {
  Admission,
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateOutlet,
  StartVerdict,
} from '../channels/gate-port.ts';
import { IdentificationWatch } from './forward-identification.ts';
import {
  type Asked,
  OperationJudge,
  type OperationRecord,
  type OperationRequest,
  type OperationRuling,
} from './operations.ts';
import type { AuditDeps } from './ports.ts';

/** A forward that was let through before its channel was there. */
export interface Admitted {
  readonly record: OperationRecord | undefined;
  readonly rules: readonly string[];
}

export type ForwardStart = Exclude<ChannelStart, { kind: 'shell' | 'exec' | 'subsystem' }>;

export const isForward = (start: ChannelStart): start is ForwardStart =>
  start.kind !== 'shell' && start.kind !== 'exec' && start.kind !== 'subsystem';

interface Forward {
  readonly kind: 'forward' | 'agent' | 'x11';
  readonly word: string;
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

const forwardOf = (start: ForwardStart, what: 'open' | 'listen'): Forward => {
  switch (start.kind) {
    case 'direct-tcpip':
    case 'forwarded-tcpip': {
      const { address, port } = start;
      const word = what === 'listen' ? 'listen' : start.kind === 'direct-tcpip' ? 'forward' : 'forwarded';
      const host = address.includes(':') ? `[${address}]` : address;
      return { kind: 'forward', word, address, port, text: `${word} ${host}:${port}` };
    }
    case 'streamlocal': {
      const word = what === 'listen' ? 'listen' : start.openedBy === 'client' ? 'forward' : 'forwarded';
      return {
        kind: 'forward',
        word,
        address: `unix:${start.path}`,
        port: 0,
        text: `${word} unix:${start.path}`,
      };
    }
    case 'agent':
      return { kind: 'agent', word: 'agent', address: 'agent', port: 0, text: 'agent' };
    case 'x11':
      return { kind: 'x11', word: 'x11', address: 'x11', port: 0, text: 'x11' };
  }
};

/** Names and addresses by which a system reaches itself. */
const OWN_HOST = new Set([
  'localhost',
  'localhost.',
  '0.0.0.0',
  '::',
  '0',
  '',
  'ip6-localhost',
  'ip6-loopback',
]);

const askedOf = ({ address, port }: Forward, protocol: 'ssh' | undefined): Asked => {
  const operation = (host: string): Operation => ({
    channel: 'forward',
    address: host,
    port,
    ...(protocol === undefined ? {} : { protocol }),
  });
  const others = OWN_HOST.has(address.toLowerCase()) ? ['127.0.0.1', '::1', 'localhost'] : [];
  if (address.endsWith('.')) others.push(address.slice(0, -1));
  return {
    operation: operation(address),
    also: others.filter((other) => other !== address).map(operation),
  };
};

const requestOf = (forward: Forward, protocol: 'ssh' | undefined): OperationRequest => ({
  kind: forward.kind,
  word: protocol === undefined ? forward.word : 'inner-ssh',
  typed: forward.text,
  command: protocol === undefined ? forward.text : `ssh inside: ${forward.text}`,
  asked: [askedOf(forward, protocol)],
  analysed: {
    operation: forward.word,
    address: forward.address,
    port: forward.port,
    ...(protocol === undefined ? {} : { protocol, readable: false }),
  },
  quiet: false,
  durable: protocol === undefined,
});

/** Judges a forward before anything is opened or listened for. */
export const admitForward = async (
  deps: AuditDeps,
  context: GateContext,
  start: ForwardStart,
  what: 'open' | 'listen',
): Promise<{ readonly admission: Admission; readonly admitted: Admitted | undefined }> => {
  using judge = new OperationJudge(deps, context, {
    waiting: () => {},
    // Whoever can't be logged is refused; there is no channel that would have to end.
    logFailed: () => {},
    roomAgain: () => {},
  });
  const ruling = await judge.judge(requestOf(forwardOf(start, what), undefined));
  switch (ruling.kind) {
    case 'pass':
      return { admission: { kind: 'pass' }, admitted: { record: ruling.record, rules: ruling.rules } };
    case 'deny':
      return { admission: refusal(ruling.reason), admitted: undefined };
    case 'end':
      return {
        admission: { kind: 'end', reason: 'interrupted-by-rule', tell: ruling.reason },
        admitted: undefined,
      };
  }
};

const refusal = (reason: string): Extract<StartVerdict, { kind: 'refuse' }> => ({
  kind: 'refuse',
  code: 'SP_FORWARD_BLOCKED',
  detail: reason,
  tell: reason,
});

type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'open' }
  /** Somebody speaks SSH inside, and a rule has to say whether they may. */
  | { readonly kind: 'asking' }
  | { readonly kind: 'ended' };

type Kept =
  | { readonly to: 'device'; readonly event: ClientEvent }
  | { readonly to: 'client'; readonly event: DeviceEvent };

/** In memory of its own: bytes that pass through are used again. */
const ownedBy = (kept: Kept): Kept => {
  if (kept.to === 'device') {
    const { event } = kept;
    return event.kind === 'data' ? { to: 'device', event: { ...event, data: copyOf(event.data) } } : kept;
  }
  const { event } = kept;
  return event.kind === 'data' ? { to: 'client', event: { ...event, data: copyOf(event.data) } } : kept;
};

export class ForwardGate implements ChannelGate {
  readonly #outlet: GateOutlet;
  readonly #judge: OperationJudge;
  readonly #now: () => number;
  readonly #began: number;
  readonly #fromClient = new IdentificationWatch();
  readonly #fromDevice = new IdentificationWatch();
  #admission: Admitted | undefined;
  #forward: Forward | undefined;
  #phase: Phase = { kind: 'starting' };
  #noticed = false;
  #kept: Kept[] = [];
  #keptFromClient = 0;
  #keptFromDevice = 0;
  #toDevice = 0;
  #toClient = 0;

  /** `admission`: it was judged before it was opened. */
  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet, admission: Admitted | undefined) {
    this.#outlet = outlet;
    this.#admission = admission;
    this.#now = deps.clock;
    this.#began = deps.clock();
    this.#judge = new OperationJudge(deps, context, {
      waiting: () => {},
      logFailed: () =>
        this.#outlet.endSession(
          'audit-log-failed',
          'This session was stopped: the audit log cannot be written at the moment.',
        ),
      roomAgain: () => {},
    });
  }

  get keptFromClient(): number {
    return this.#keptFromClient;
  }

  get keptFromDevice(): number {
    return this.#keptFromDevice;
  }

  /** Of what goes by at most the first bytes are looked at; what waits for a rule is copied. */
  get passesFromClient(): boolean {
    return true;
  }

  get passesFromDevice(): boolean {
    return true;
  }

  async start(start: ChannelStart): Promise<StartVerdict> {
    if (!isForward(start)) throw new Error(`a forward was expected, not ${start.kind}`);
    const forward = forwardOf(start, 'open');
    this.#forward = forward;
    if (this.#admission === undefined) {
      const ruling = await this.#judge.judge(requestOf(forward, undefined));
      if (ruling.kind === 'end') this.#outlet.endSession('interrupted-by-rule', ruling.reason);
      // Nobody reads text on such a channel.
      if (ruling.kind !== 'pass') return { ...refusal(ruling.reason), tell: '' };
      this.#admission = ruling;
    }
    if (this.#phase.kind === 'starting') this.#phase = { kind: 'open' };
    return { kind: 'pass' };
  }

  fromClient(event: ClientEvent): void {
    if (event.kind === 'data') {
      if (this.#phase.kind === 'open' && this.#fromClient.push(event.data)) this.#innerSsh();
    }
    this.#take({ to: 'device', event });
  }

  fromDevice(event: DeviceEvent): void {
    if (event.kind === 'data') {
      if (this.#phase.kind === 'open' && this.#fromDevice.push(event.data)) this.#innerSsh();
    }
    this.#take({ to: 'client', event });
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #take(kept: Kept): void {
    switch (this.#phase.kind) {
      case 'open':
        this.#pass(kept);
        return;
      case 'asking':
        if (kept.event.kind === 'data') {
          if (kept.to === 'device') this.#keptFromClient += kept.event.data.length;
          else this.#keptFromDevice += kept.event.data.length;
        }
        this.#kept.push(ownedBy(kept));
        return;
      case 'starting':
        return;
      case 'ended':
        if (kept.event.kind !== 'data') this.#pass(kept);
        return;
    }
  }

  #pass(kept: Kept): void {
    if (kept.event.kind === 'data') {
      if (kept.to === 'device') this.#toDevice += kept.event.data.length;
      else this.#toClient += kept.event.data.length;
    }
    if (kept.to === 'device') this.#outlet.toDevice(kept.event);
    else this.#outlet.toClient(kept.event);
  }

  /** The bytes that say so have not been passed on yet. */
  #innerSsh(): void {
    const forward = this.#forward;
    if (this.#noticed || forward?.kind !== 'forward') return;
    this.#noticed = true;
    const ruling = this.#judge.judgeAgain(requestOf(forward, 'ssh'), this.#admission?.rules ?? []);
    if (!(ruling instanceof Promise)) {
      this.#ruled(ruling);
      return;
    }
    this.#phase = { kind: 'asking' };
    void ruling.then((decided) => {
      if (this.#phase.kind !== 'asking') return;
      this.#phase = { kind: 'open' };
      this.#ruled(decided);
      const kept = this.#kept;
      this.#kept = [];
      this.#keptFromClient = 0;
      this.#keptFromDevice = 0;
      for (const one of kept) this.#take(one);
      this.#outlet.keptLess();
    });
  }

  #ruled(ruling: OperationRuling): void {
    switch (ruling.kind) {
      case 'pass':
        return;
      case 'deny':
        this.#end('SSH inside is forbidden');
        this.#outlet.endChannel('blocked-by-rule', '');
        return;
      case 'end':
        this.#end('SSH inside is forbidden');
        this.#outlet.endSession('interrupted-by-rule', ruling.reason);
        return;
    }
  }

  #end(why?: string): void {
    const { kind } = this.#phase;
    if (kind === 'ended') return;
    this.#phase = { kind: 'ended' };
    const seconds = ((this.#now() - this.#began) / 1000).toFixed(1);
    const detail = `${this.#toDevice} bytes to the device, ${this.#toClient} bytes from the device, ${seconds} s`;
    if (kind !== 'starting') {
      this.#admission?.record?.settle('ran', why === undefined ? detail : `${detail}; ${why}`);
    }
    this.#judge[Symbol.dispose]();
  }
}
