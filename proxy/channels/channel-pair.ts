// Relays one channel between a user and a device. Each direction is a pipeline: what arrives is recorded, waits
// while the session is held or the start is undecided, goes through the gate, and is queued for the other end.
// A sender gets more window only for what has left that pipeline, so a stuck reader stops its own sender and costs
// at most the windows. The gate's outlet is the only way to the device's end; nothing else here writes to it
// except the launch of what the gate has let start.

import type { SeizedTerminal, TakeKeys } from '../identification/identification.ts';
import { parseWindowChange } from '../transport/messages.ts';
import type { ChannelEnd, ReplySlot } from './channel-end.ts';
import { copyOf, MAX_QUEUED_MARKS } from './channel-end.ts';
import { PeerViolation } from './errors.ts';
import { encodeExit, parseExit } from './exit-outcome.ts';
import type {
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateFactory,
  GateOutlet,
  PassedRequest,
  StartVerdict,
  TerminalPicture,
} from './gate-port.ts';
import { OrderedQueue, type Stream } from './ordered-queue.ts';
import type { ChannelDescription, ExitOutcome, SessionRecorder } from './ports.ts';
import { gatewayText } from './terminal-text.ts';

/** What a pair needs of the session that it belongs to. */
export interface PairSession {
  readonly recorder: SessionRecorder;
  /** While true nothing is delivered in either direction; output is still recorded as it comes. */
  readonly held: boolean;
  /** While true what sets a channel up waits as well. Absent: as long as the session is held. */
  readonly setupHeld?: boolean;
  /** While true no window is granted: the recorder is behind. */
  readonly recorderBehind: boolean;
  countFromClient(bytes: number): void;
  countFromDevice(bytes: number): void;
  end(reason: string, tell: string): void;
  pairStarted(pair: ChannelPair, description: ChannelDescription): void;
  pairEnded(pair: ChannelPair): void;
}

export interface PairOptions {
  readonly client: ChannelEnd;
  readonly device: ChannelEnd;
  readonly session: PairSession;
  readonly gates: GateFactory;
  readonly channel: number;
  /** Takes the client's requests until the channel has started. Absent: there are none. */
  readonly setup: ((name: string, body: Buffer, reply: ReplySlot) => void) | undefined;
}

export interface StartOptions {
  readonly context: GateContext;
  readonly start: ChannelStart;
  readonly description: ChannelDescription;
  /** Sends to the device what starts the channel there, if anything does. */
  readonly launch: (verdict: { kind: 'pass' } | { kind: 'replace'; command: Buffer }) => void;
  readonly refused: (verdict: Extract<StartVerdict, { kind: 'refuse' }>) => void;
  /** Answers the request that started the channel, where the device's answer is still to come when the channel ends. */
  readonly answered?: () => void;
}

type ClientMark = Exclude<ClientEvent, { kind: 'data' }>;
type DeviceMark = Exclude<DeviceEvent, { kind: 'data' }>;

/** `setup`: what the channel will be is not known yet. `starting`: the gate is asked. */
type Phase = 'setup' | 'starting' | 'open' | 'ended';

const PUMP_PIECE = 64 * 1024;
/** Pieces of a transfer: they go on at once, alone. */
const LARGE_PIECE = 8 * 1024;
/** Memory for small pieces that waits for its next use in this process: 1 MiB. */
const SPARE_ARRIVALS = 16;
const spareArrivals: Buffer[] = [];
/** Of requests that wait for the end of a hold: environment and the longest of commands. */
const MAX_WAITING_BYTES = 256 * 1024;
/** None of the requests that are passed on is longer by far; it bounds what waits for a stalled device. Bytes. */
const LONGEST_PASSED_REQUEST = 512;
/** How long bytes of a client that has closed its channel may wait for the device to take them. */
const CLOSED_CLIENT_GRACE_MS = 30_000;
export const REFUSED_STATUS = 255;

class ForwardedRequest implements PassedRequest {
  readonly name: string;
  readonly body: Buffer;
  readonly size: { readonly columns: number; readonly rows: number } | undefined;
  readonly reply: ReplySlot;
  readonly refuse: () => void;

  constructor(name: string, body: Buffer, reply: ReplySlot, size: PassedRequest['size']) {
    this.name = name;
    this.body = body;
    this.reply = reply;
    this.size = size;
    this.refuse = () => reply.settle(false);
  }
}

/** Requests of a started session that the device may see; all others are answered with failure. */
const PASSED_REQUESTS = new Set(['window-change', 'signal', 'break', 'xon-xoff']);

export class ChannelPair implements Disposable {
  readonly channel: number;
  readonly #client: ChannelEnd;
  readonly #device: ChannelEnd;
  readonly #session: PairSession;
  readonly #gates: GateFactory;
  readonly #setup: PairOptions['setup'];
  readonly #fromClient = new OrderedQueue<ClientMark>();
  readonly #fromDevice = new OrderedQueue<DeviceMark>();
  /** What the gate let through while the session was held: no more than it kept before. */
  readonly #frozen = new OrderedQueue<ClientMark>();
  #phase: Phase = 'setup';
  #gate: ChannelGate | undefined;
  #onTerminal = false;
  #interactive = false;
  #described = false;
  #answered: (() => void) | undefined;
  /** Bytes on their way through a gate that keeps none of them; they are used again afterwards. */
  #lent: Buffer | undefined;
  /** Takes what the client types while its terminal is asked something. */
  #seized: ((data: Buffer) => void) | undefined;
  #pumpingClient = false;
  #pumpingDevice = false;
  /** What a device's socket brought in this turn, of one stream: recorded, judged and passed on as one piece. */
  #arrived: Buffer | undefined;
  #arrivedBytes = 0;
  #arrivedStream: Stream = 'stdout';
  #passing = false;
  #grace: NodeJS.Timeout | undefined;
  /** What would act on the device while the session is held: requests before the start, and the start itself. */
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;

  constructor(options: PairOptions) {
    this.channel = options.channel;
    this.#client = options.client;
    this.#device = options.device;
    this.#session = options.session;
    this.#gates = options.gates;
    this.#setup = options.setup;
    this.#client.attach({
      data: (data) => this.#clientData(data),
      borrowed: (data) => this.#clientBorrowed(data),
      request: (name, body, reply) => this.#clientRequest(name, body, reply),
      eof: () => this.#clientMark({ kind: 'eof' }),
      closed: () => this.#clientClosed(),
      answersClose: true,
      flushed: () => this.#replenishDevice(),
    });
    this.#device.attach({
      data: (data, stream) => this.#deviceData(data, stream),
      borrowed: (data, stream) => this.#deviceBorrowed(data, stream),
      request: (name, body, reply) => this.#deviceRequest(name, body, reply),
      eof: () => this.#deviceMark({ kind: 'eof' }),
      closed: () => this.#deviceMark({ kind: 'closed' }),
      flushed: () => this.#replenishClient(),
    });
  }

  /** True for a shell with a terminal: notices are shown there. */
  get interactive(): boolean {
    return this.#interactive && this.#phase === 'open';
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Bytes that wait between the two ends. */
  get backlog(): number {
    return (
      this.#fromClient.bytes +
      this.#frozen.bytes +
      this.#fromDevice.bytes +
      this.#arrivedBytes +
      this.#client.queuedBytes +
      this.#device.queuedBytes +
      (this.#gate?.keptFromClient ?? 0) +
      (this.#gate?.keptFromDevice ?? 0)
    );
  }

  /** Asks the gate, then launches and lets events flow. */
  start(options: StartOptions): void {
    if (this.#phase !== 'setup') return;
    this.#phase = 'starting';
    this.#onTerminal = options.description.terminal !== undefined;
    this.#interactive = this.#onTerminal && options.start.kind === 'shell';
    this.#described = true;
    this.#answered = options.answered;
    this.#session.recorder.channelStarted(this.channel, options.description);
    this.#session.pairStarted(this, options.description);
    let verdict: StartVerdict | Promise<StartVerdict>;
    try {
      this.#gate = this.#gates.open(options.context, this.#outlet());
      verdict = this.#gate.start(options.start);
    } catch (error) {
      this.#gateFailed(error);
      return;
    }
    if (verdict instanceof Promise) {
      verdict.then(
        (decided) => this.#decided(decided, options),
        (error: unknown) => this.#gateFailed(error),
      );
    } else {
      this.#decided(verdict, options);
    }
  }

  /** What the client sent before there was a device, in order. */
  typedEarly(data: Buffer | 'eof'): void {
    if (data === 'eof') {
      this.#fromClient.pushMark({ kind: 'eof' });
      return;
    }
    this.#session.countFromClient(data.length);
    this.#fromClient.pushData('stdout', data);
  }

  /** The channel may not start: nothing reaches the device, the user is told. */
  refuse(description: ChannelDescription, tell: string): void {
    if (this.#phase !== 'setup') return;
    this.#onTerminal = description.terminal !== undefined;
    this.#described = true;
    this.#session.recorder.channelStarted(this.channel, description);
    this.end(tell);
  }

  /** The session was held or released, or the recorder has caught up. */
  resume(): void {
    while (!this.#session.held) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      next();
    }
    this.#thaw();
    this.#pumpDevice();
    this.#pumpClient();
    this.#replenishClient();
    this.#replenishDevice();
  }

  /**
   * Takes a terminal away from its device for a while: what the client types goes to `keys`, and what is shown goes
   * past the recording. The session must be held. Undefined: there is no terminal, or somebody has it already.
   */
  seize(keys: TakeKeys): SeizedTerminal | undefined {
    if (!this.#onTerminal || !this.#started || this.#seized !== undefined) return undefined;
    this.#gate?.giveBack?.();
    const picture = (): TerminalPicture | undefined => this.#gate?.picture;
    const alternate = picture()?.alternate === true;
    const terminal: SeizedTerminal = {
      alternate,
      show: (text) => {
        if (this.#started) this.#client.sendData(Buffer.from(text, 'utf8'), 'stdout');
      },
      paint: () => picture()?.paint() ?? '',
      release: () => {
        this.#seized = undefined;
      },
    };
    this.#seized = (data) => keys(terminal, data);
    return terminal;
  }

  get #ended(): boolean {
    return this.#phase === 'ended';
  }

  get #started(): boolean {
    return this.#phase === 'open' || this.#phase === 'starting';
  }

  /** Shows text of the gateway's on an interactive shell. */
  notice(text: string): void {
    if (!this.interactive) return;
    this.#ownOutput(gatewayText(text, true), 'stdout');
  }

  /** Tells the user why, closes both ends. The exit status is 255 unless told. */
  end(tell: string, status = REFUSED_STATUS): void {
    if (this.#phase === 'ended') return;
    this.#gate?.giveBack?.();
    if (this.#ended) return;
    const started = this.#described;
    // A client that is told that its request failed shows nothing else.
    if (this.#phase === 'open') this.#answered?.();
    this.#phase = 'ended';
    this.#passArrived();
    this.#waiting = [];
    this.#fromClient.clear();
    this.#frozen.clear();
    this.#fromDevice.clear();
    this.#device.abort();
    if (!this.#client.closing) {
      if (started && tell !== '') {
        this.#ownOutput(gatewayText(tell, this.#onTerminal), this.#onTerminal ? 'stdout' : 'stderr');
      }
      if (started && this.#setup !== undefined) {
        const outcome: ExitOutcome = { kind: 'status', status };
        this.#session.recorder.exit(this.channel, outcome);
        const encoded = encodeExit(outcome);
        if (encoded !== undefined) this.#client.sendRequest(encoded.name, encoded.body);
      }
      this.#client.sendEof();
      this.#client.close();
    }
    this.#finishIfDone();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#phase = 'ended';
    this.#waiting = [];
    this.#arrived = undefined;
    this.#arrivedBytes = 0;
    this.#fromClient.clear();
    this.#frozen.clear();
    this.#fromDevice.clear();
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.[Symbol.dispose]();
  }

  // ---- arrivals

  /** Bulk data goes straight through where nothing is in its way; otherwise it is copied. */
  #clientBorrowed(data: Buffer): void {
    if (this.#gate?.passesFromClient !== true) {
      this.#clientData(copyOf(data));
      return;
    }
    this.#lent = data;
    this.#clientData(data);
    this.#lent = undefined;
  }

  #deviceBorrowed(data: Buffer, stream: Stream): void {
    this.#lent = data;
    this.#deviceData(data, stream);
    this.#lent = undefined;
  }

  #isLent(data: Buffer): boolean {
    return data.buffer === this.#lent?.buffer;
  }

  /** What is kept must be ours. */
  #own(data: Buffer): Buffer {
    return this.#isLent(data) ? copyOf(data) : data;
  }

  #clientData(data: Buffer): void {
    this.#session.countFromClient(data.length);
    if (this.#phase === 'ended') return;
    if (this.#seized !== undefined) {
      this.#seized(data);
      this.#replenishClient();
      return;
    }
    if (this.#fromClient.empty && this.#flowing && !this.#pumpingClient) {
      this.#toGate({ kind: 'data', data });
      this.#replenishClient();
      return;
    }
    this.#fromClient.pushData('stdout', this.#own(data));
    this.#pumpClient();
  }

  #clientRequest(name: string, body: Buffer, reply: ReplySlot): void {
    if (this.#phase === 'ended') {
      reply.settle(false);
      return;
    }
    if (name === 'eow@openssh.com') {
      // The client reads no more: the device's end is told at once, for its data may never be taken.
      // Only a hint: while the session is held nothing of the client's acts there, and leaving it out costs no byte.
      if (this.#flowing) this.#device.sendUrgentRequest(name, Buffer.alloc(0));
      return;
    }
    if (this.#phase === 'setup') {
      const setup = this.#setup;
      if (setup === undefined) reply.settle(false);
      else if (this.#setupWaits(name)) this.#waitWith(name, body, reply);
      else setup(name, body, reply);
      return;
    }
    if (this.#setup === undefined || !PASSED_REQUESTS.has(name) || body.length > LONGEST_PASSED_REQUEST) {
      reply.settle(false);
      return;
    }
    const size = name === 'window-change' ? parseWindowChange(body) : undefined;
    if (size !== undefined) {
      this.#session.recorder.resize(this.channel, size.columns, size.rows);
      const last = this.#fromClient.lastMark;
      // Only the newest size matters while the session is held.
      if (last?.kind === 'request' && last.request.name === 'window-change') this.#fromClient.dropLastMark();
    }
    this.#clientMark({ kind: 'request', request: new ForwardedRequest(name, body, reply, size) });
  }

  #clientMark(mark: ClientMark): void {
    if (this.#phase === 'ended') return;
    if (mark.kind === 'request' && this.#fromClient.marks >= MAX_QUEUED_MARKS) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many requests wait');
    }
    this.#fromClient.pushMark(mark);
    this.#pumpClient();
  }

  /** The device is told; its exit status and its CLOSE are still to come, and go to the client in their order. */
  #clientClosed(): void {
    if (this.#phase === 'open') {
      this.#fromClient.pushMark({ kind: 'closed' });
      this.#pumpClient();
      this.#grace ??= setTimeout(() => this.#graceOver(), CLOSED_CLIENT_GRACE_MS).unref();
    } else {
      // Nothing was started that could want the rest.
      this.#phase = 'ended';
      this.#waiting = [];
      this.#device.abort();
      this.#client.close();
    }
    this.#finishIfDone();
  }

  #graceOver(): void {
    if (this.#device.queuedBytes === 0 && this.#fromClient.bytes === 0) return;
    this.#device.abort();
    this.#client.close();
    this.#finishIfDone();
  }

  /** A terminal's output comes in many small packets: those that come together are dealt with together. */
  #deviceData(data: Buffer, stream: Stream): void {
    this.#session.countFromDevice(data.length);
    if (this.#phase === 'ended') return;
    const passes = this.#gate?.passesFromDevice === true;
    const alone = this.#isLent(data)
      ? passes && (!this.#onTerminal || data.length >= LARGE_PIECE)
      : data.length >= LARGE_PIECE;
    if (alone || this.#arrivedStream !== stream || this.#arrivedBytes + data.length > PUMP_PIECE)
      this.#passArrived();
    if (alone) {
      this.#passDeviceData(data, stream);
      return;
    }
    this.#arrived ??= spareArrivals.pop() ?? Buffer.allocUnsafeSlow(PUMP_PIECE);
    data.copy(this.#arrived, this.#arrivedBytes);
    this.#arrivedStream = stream;
    this.#arrivedBytes += data.length;
    if (this.#passing) return;
    this.#passing = true;
    process.nextTick(this.#passSoon);
  }

  readonly #passSoon = (): void => {
    this.#passing = false;
    try {
      this.#passArrived();
    } catch (error) {
      this.#gateFailed(error);
    }
  };

  #passArrived(): void {
    const arrived = this.#arrived;
    if (arrived === undefined) return;
    const data = arrived.subarray(0, this.#arrivedBytes);
    this.#arrived = undefined;
    this.#arrivedBytes = 0;
    if (this.#gate?.passesFromDevice === true) {
      // Something else may be on its way through the other direction.
      const lent = this.#lent;
      this.#lent = data;
      this.#passDeviceData(data, this.#arrivedStream);
      this.#lent = lent;
    } else this.#passDeviceData(copyOf(data), this.#arrivedStream);
    if (spareArrivals.length < SPARE_ARRIVALS) spareArrivals.push(arrived);
  }

  #passDeviceData(data: Buffer, stream: Stream): void {
    if (this.#described) this.#session.recorder.output(this.channel, data, stream);
    if (this.#phase === 'ended') return;
    if (this.#fromDevice.empty && this.#flowing && !this.#pumpingDevice) {
      this.#toGateFromDevice({ kind: 'data', data, stream });
      this.#replenishDevice();
      return;
    }
    this.#fromDevice.pushData(stream, this.#own(data));
    this.#pumpDevice();
  }

  #deviceRequest(name: string, body: Buffer, reply: ReplySlot): void {
    switch (name) {
      case 'exit-status':
      case 'exit-signal': {
        const outcome = parseExit(name, body);
        reply.settle(true);
        if (this.#phase === 'ended') return;
        this.#passArrived();
        if (this.#described) this.#session.recorder.exit(this.channel, outcome);
        this.#deviceMark({ kind: 'exit', outcome });
        return;
      }
      case 'eow@openssh.com':
        if (this.#phase === 'open') this.#client.sendUrgentRequest(name, Buffer.alloc(0));
        return;
      case 'xon-xoff':
        // Flow control hint of the device's terminal (RFC 4254 section 6.8); one byte, no reply.
        if (this.#phase === 'open' && body.length === 1) this.#client.sendUrgentRequest(name, body);
        return;
      default:
        reply.settle(false);
    }
  }

  #deviceMark(mark: DeviceMark): void {
    this.#passArrived();
    if (this.#phase === 'ended') {
      this.#finishIfDone();
      return;
    }
    if (this.#phase === 'setup' && mark.kind === 'closed') {
      this.#client.close();
      this.#finishIfDone();
      return;
    }
    if (mark.kind === 'exit' && this.#fromDevice.marks >= MAX_QUEUED_MARKS) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many requests wait');
    }
    this.#fromDevice.pushMark(mark);
    this.#pumpDevice();
    this.#finishIfDone();
  }

  // ---- through the gate

  get #flowing(): boolean {
    return this.#phase === 'open' && !this.#session.held;
  }

  #pumpClient(): void {
    if (this.#pumpingClient) return;
    this.#pumpingClient = true;
    try {
      while (this.#flowing) {
        const next = this.#fromClient.take(PUMP_PIECE);
        if (next === undefined) break;
        this.#toGate(next.kind === 'data' ? { kind: 'data', data: next.data } : next.mark);
      }
    } finally {
      this.#pumpingClient = false;
    }
    this.#replenishClient();
  }

  #pumpDevice(): void {
    if (this.#pumpingDevice) return;
    this.#pumpingDevice = true;
    try {
      while (this.#flowing) {
        const next = this.#fromDevice.take(PUMP_PIECE);
        if (next === undefined) break;
        this.#toGateFromDevice(
          next.kind === 'data' ? { kind: 'data', data: next.data, stream: next.stream } : next.mark,
        );
      }
    } finally {
      this.#pumpingDevice = false;
    }
    this.#replenishDevice();
  }

  /** What would be judged waits for the end of a hold, and all that comes after it; a terminal may be there before. */
  #setupWaits(name: string): boolean {
    if (!this.#session.held) return false;
    const { setupHeld = true } = this.#session;
    return setupHeld || name === 'exec' || name === 'subsystem' || this.#waiting.length > 0;
  }

  /** A request of a client that sets a channel up while the session is held. */
  #waitWith(name: string, body: Buffer, reply: ReplySlot): void {
    if (this.#waitingBytes + body.length > MAX_WAITING_BYTES) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too much is asked for while the session is held');
    }
    this.#waitingBytes += body.length;
    this.#wait(() => {
      this.#waitingBytes -= body.length;
      this.#clientRequest(name, body, reply);
    });
  }

  #wait(work: () => void): void {
    if (this.#waiting.length >= MAX_QUEUED_MARKS) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many requests wait');
    }
    this.#waiting.push(work);
  }

  #toGate(event: ClientEvent): void {
    this.#passArrived();
    try {
      if (event.kind === 'data') {
        if (this.#gate?.takes?.(event.data) === true) return;
        // Input is recorded as it goes to the gate: what is still frozen when a held session ends was never typed there.
        this.#session.recorder.input(this.channel, event.data);
      }
      this.#gate?.fromClient(event);
    } catch (error) {
      this.#gateFailed(error);
    }
  }

  #toGateFromDevice(event: DeviceEvent): void {
    try {
      this.#gate?.fromDevice(event);
    } catch (error) {
      this.#gateFailed(error);
    }
  }

  #decided(verdict: StartVerdict, options: StartOptions): void {
    if (this.#phase !== 'starting') return;
    switch (verdict.kind) {
      case 'pass':
      case 'replace':
        if (this.#session.held) {
          this.#wait(() => this.#decided(verdict, options));
          return;
        }
        this.#phase = 'open';
        options.launch(verdict);
        this.resume();
        return;
      case 'refuse':
        options.refused(verdict);
        this.end(verdict.tell, verdict.status);
        return;
    }
  }

  /** A gate that fails lets nothing through: fail closed. */
  #gateFailed(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.end('This session could not be judged and was stopped. Please tell your administrator.');
    this.#session.end(`gate-failed: ${detail}`, 'This session could not be judged and was stopped.');
  }

  #toDevice(event: ClientEvent): void {
    switch (event.kind) {
      case 'data':
        this.#device.sendData(event.data, 'stdout', this.#isLent(event.data));
        return;
      case 'request': {
        const request = event.request;
        const wanted = request instanceof ForwardedRequest && request.reply.wanted;
        this.#device.sendRequest(
          request.name,
          request.body,
          wanted ? (ok) => request.reply.settle(ok) : undefined,
        );
        return;
      }
      case 'eof':
        this.#device.sendEof();
        return;
      case 'closed':
        this.#device.close();
        return;
    }
  }

  /** What a gate lets through after the session was held waits for its release, whatever the gate waited for. */
  #fromGate(event: ClientEvent): void {
    if (!this.#session.held && this.#frozen.empty) {
      this.#toDevice(event);
      return;
    }
    if (event.kind === 'data') this.#frozen.pushData('stdout', this.#own(event.data));
    else if (this.#frozen.marks < MAX_QUEUED_MARKS) this.#frozen.pushMark(event);
    else this.#gateFailed(new Error('too many requests wait for the release of the session'));
  }

  #thaw(): void {
    while (this.#flowing) {
      const next = this.#frozen.take(PUMP_PIECE);
      if (next === undefined) break;
      this.#toDevice(next.kind === 'data' ? { kind: 'data', data: next.data } : next.mark);
    }
    if (!this.#flowing) return;
    try {
      this.#gate?.goOn?.();
    } catch (error) {
      this.#gateFailed(error);
    }
  }

  #outlet(): GateOutlet {
    const session = this.#session;
    return {
      get held() {
        return session.held;
      },
      toDevice: (event) => {
        if (this.#phase === 'open') this.#fromGate(event);
      },
      toClient: (event) => {
        if (this.#phase !== 'open') return;
        switch (event.kind) {
          case 'data':
            this.#client.sendData(event.data, event.stream, this.#isLent(event.data));
            return;
          case 'exit': {
            const encoded = encodeExit(event.outcome);
            if (encoded !== undefined) this.#client.sendRequest(encoded.name, encoded.body);
            return;
          }
          case 'eof':
            this.#client.sendEof();
            return;
          case 'closed':
            this.#client.close();
            this.#finishIfDone();
            return;
        }
      },
      injectToDevice: (data) => {
        if (this.#phase === 'open') this.#fromGate({ kind: 'data', data });
      },
      injectToClient: (data, stream) => {
        if (this.#phase === 'open' || this.#phase === 'starting') this.#ownOutput(data, stream);
      },
      keptLess: () => {
        this.#replenishClient();
        this.#replenishDevice();
      },
      endChannel: (_reason, tell) => this.end(tell),
      endSession: (reason, tell) => this.#session.end(reason, tell),
    };
  }

  #ownOutput(data: Buffer, stream: Stream): void {
    this.#passArrived();
    if (this.#described) this.#session.recorder.output(this.channel, data, stream);
    this.#client.sendData(data, stream);
  }

  // ---- windows and the end

  #replenishClient(): void {
    if (this.#session.recorderBehind || this.#phase === 'ended') return;
    this.#client.replenish(
      this.#fromClient.bytes +
        this.#frozen.bytes +
        (this.#gate?.keptFromClient ?? 0) +
        this.#device.queuedBytes,
    );
  }

  #replenishDevice(): void {
    if (this.#session.recorderBehind || this.#phase === 'ended') return;
    this.#device.replenish(
      this.#fromDevice.bytes +
        this.#arrivedBytes +
        (this.#gate?.keptFromDevice ?? 0) +
        this.#client.queuedBytes,
    );
  }

  #finished = false;

  #finishIfDone(): void {
    const both = this.#client.peerClosed && this.#device.peerClosed;
    if (this.#finished || !both || !this.#client.closing) return;
    this.#finished = true;
    if (this.#described) this.#session.recorder.channelEnded(this.channel);
    this[Symbol.dispose]();
    this.#session.pairEnded(this);
  }
}
