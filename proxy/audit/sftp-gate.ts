// The gate of one sftp channel: every operation is judged by its paths before it reaches the device. What is denied the
// gateway answers itself, between two packets of the device, under the client's own request number. Operations go
// through one at a time and in order; file data streams past and is hashed. Before the first of them the gateway asks the
// device for the account's home folder, and, while a rule could deny something, where a path leads through symbolic links.
// A link that is changed between that question and the operation is not seen.
import { analyse } from '../../policies/analysis/analyse.ts';
import type {
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateOutlet,
  StartVerdict,
} from '../channels/gate-port.ts';
import { gatewayText, plainText } from '../channels/terminal-text.ts';
import {
  type Asked,
  OperationJudge,
  type OperationRecord,
  type OperationRequest,
  type OperationRuling,
} from './operations.ts';
import type { AuditDeps } from './ports.ts';
import {
  encodeRealpath,
  encodeStatus,
  Fields,
  FX,
  FXP,
  type SftpPart,
  SftpReader,
  type Whole,
} from './sftp-packets.ts';
import { askedOf, LONGEST_PATH, type Spellings, spellings, splitName } from './sftp-paths.ts';
import { type PathUse, readRequest, type SftpRequest } from './sftp-requests.ts';
import { cutAt, MOST_HANDLES, type OpenFile, openFile, openFolder, summaryOf } from './sftp-transfers.ts';

/** Requests without an answer; whoever has more under way waits. */
const MOST_OUTSTANDING = 8_192;
/** Answers of the gateway that wait for the device to finish its packet. */
const MOST_OWED = 256;
/** How long the device may take for a question of the gateway. Milliseconds. */
const QUESTION_BOUND = 10_000;
/** Text beside the protocol: a client that doesn't read it must not be stopped by it. Bytes. */
const MOST_NOTICES = 8 * 1024;
const FIRST_OWN_ID = 0xfffffff0;

interface Judged {
  readonly record: OperationRecord | undefined;
}

/** What an answer of the device will mean. */
type Outstanding =
  | { readonly kind: 'open'; readonly file: OpenFile; readonly record: OperationRecord | undefined }
  | { readonly kind: 'close'; readonly handle: string }
  | { readonly kind: 'read'; readonly file: OpenFile; readonly offset: bigint }
  | { readonly kind: 'write'; readonly file: OpenFile }
  | { readonly kind: 'operation'; readonly record: OperationRecord | undefined }
  | { readonly kind: 'other' }
  /** Asked by the gateway; the client never sees the answer. */
  | { readonly kind: 'own'; readonly answer: (packet: Whole | undefined) => void };

type Phase =
  /** Until INIT has gone by. */
  | { readonly kind: 'init' }
  /** Until the device's VERSION is there, and the home folder known. */
  | { readonly kind: 'greeting'; readonly asked: number }
  | { readonly kind: 'open' }
  | { readonly kind: 'ended' };

interface Handle {
  readonly file: OpenFile;
  readonly record: OperationRecord | undefined;
}

export class SftpGate implements ChannelGate {
  readonly #outlet: GateOutlet;
  readonly #command: ChannelGate | undefined;
  readonly #judge: OperationJudge;
  readonly #client: SftpReader;
  readonly #device: SftpReader;
  #phase: Phase = { kind: 'init' };
  #version = 3;
  #home: string | undefined;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #handles = new Map<string, Handle>();
  /** Opens that the device has not answered count too. */
  #opening = 0;
  /** Something is being asked; what the client sends waits. */
  #deciding = false;
  #pumping = false;
  /** Behind everything that waits. */
  #clientEnd: ClientEvent[] = [];
  #owed: Buffer[] = [];
  #nextOwn = FIRST_OWN_ID;
  #noticed = 0;
  #writing: { readonly file: OpenFile; offset: bigint } | undefined;
  #reading: { readonly file: OpenFile; offset: bigint; left: number } | undefined;
  /** Neighbouring bytes that go to the same side leave together. */
  #run: { readonly to: 'device' | 'client'; bytes: Buffer } | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `command` judges the command line where the server is started by one; nothing else is asked of it. */
  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet, command?: ChannelGate) {
    this.#outlet = outlet;
    this.#command = command;
    this.#client = new SftpReader((type) => type !== FXP.WRITE);
    this.#device = new SftpReader((type, id) => this.#wholeFromDevice(type, id));
    this.#judge = new OperationJudge(deps, context, {
      waiting: (tell) => this.#notice(tell),
      logFailed: () =>
        this.#outlet.endSession(
          'audit-log-failed',
          'This session was stopped: the audit log cannot be written at the moment.',
        ),
      roomAgain: () => this.#pumpClient(),
    });
  }

  get keptFromClient(): number {
    return this.#client.kept;
  }

  get keptFromDevice(): number {
    return this.#device.kept;
  }

  /** File data goes by; what waits is copied, and so is every other packet. */
  get passesFromClient(): boolean {
    return true;
  }

  get passesFromDevice(): boolean {
    return true;
  }

  start(request: ChannelStart): StartVerdict | Promise<StartVerdict> {
    return this.#command?.start(request) ?? { kind: 'pass' };
  }

  fromClient(event: ClientEvent): void {
    if (this.#phase.kind === 'ended') {
      if (event.kind !== 'data') this.#outlet.toDevice(event);
      return;
    }
    switch (event.kind) {
      case 'data':
        this.#client.push(event.data);
        this.#pumpClient();
        this.#client.ownRest();
        return;
      case 'request':
        this.#outlet.toDevice(event);
        return;
      case 'eof':
        this.#clientEnd.push(event);
        // A device that has not greeted may wait for it.
        if (this.#phase.kind !== 'open') this.#passEnd();
        break;
      case 'closed':
        // Nobody waits for what is still undecided.
        this.#clientEnd.push(event);
        if (this.#deciding || this.#phase.kind !== 'open') this.#end('the channel was closed');
        break;
    }
    this.#pumpClient();
  }

  fromDevice(event: DeviceEvent): void {
    if (this.#phase.kind === 'ended') {
      if (event.kind !== 'data') this.#outlet.toClient(event);
      return;
    }
    switch (event.kind) {
      case 'data':
        if (event.stream === 'stderr') {
          this.#outlet.toClient(event);
          return;
        }
        this.#device.push(event.data);
        this.#pumpDevice();
        this.#device.ownRest();
        return;
      case 'exit':
      case 'eof':
        this.#finish('the device ended the channel');
        this.#outlet.toClient(event);
        return;
      case 'closed':
        this.#end('the device ended the channel');
        this.#outlet.toClient(event);
        return;
    }
  }

  [Symbol.dispose](): void {
    this.#end('the connection ended');
  }

  // ---- from the client

  #pumpClient(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const before = this.#client.kept;
    try {
      while (this.#mayGoOn()) {
        const part = this.#client.next();
        if (part === undefined) break;
        this.#fromClientPart(part);
      }
      this.#flush();
      if (!this.#deciding && this.#phase.kind !== 'ended' && this.#mayGoOn()) this.#passEnd();
    } finally {
      this.#pumping = false;
    }
    if (this.#client.kept < before) this.#outlet.keptLess();
  }

  #mayGoOn(): boolean {
    return (
      (this.#phase.kind === 'init' || this.#phase.kind === 'open') &&
      !this.#deciding &&
      this.#outstanding.size < MOST_OUTSTANDING &&
      this.#owed.length < MOST_OWED &&
      // Data of a write that has begun goes on; only what is new waits for the log.
      (!this.#judge.busy || !this.#client.atBoundary)
    );
  }

  #passEnd(): void {
    const ends = this.#clientEnd;
    this.#clientEnd = [];
    for (const event of ends) {
      if (event.kind === 'closed') this.#end('the channel was closed');
      this.#outlet.toDevice(event);
    }
  }

  #fromClientPart(part: SftpPart): void {
    switch (part.kind) {
      case 'malformed':
        this.#broken(`The client does not speak sftp: ${part.why}.`);
        return;
      case 'begin': {
        if (!this.#newRequest(part.id)) return;
        const file = this.#handles.get(part.handle)?.file;
        if (file === undefined) this.#outstanding.set(part.id, { kind: 'other' });
        else {
          this.#outstanding.set(part.id, { kind: 'write', file });
          this.#writing = part.last ? undefined : { file, offset: part.offset };
        }
        this.#pass('device', part.bytes);
        return;
      }
      case 'piece': {
        const writing = this.#writing;
        if (writing !== undefined) {
          writing.file.written.add(writing.offset, part.bytes);
          writing.offset += BigInt(part.bytes.length);
          if (part.last) this.#writing = undefined;
        }
        this.#pass('device', part.bytes);
        return;
      }
      case 'packet':
        if (this.#phase.kind === 'init') this.#init(part);
        else this.#request(part);
    }
  }

  #init(packet: Whole): void {
    if (packet.type !== FXP.INIT) {
      this.#broken('The client does not speak sftp: it does not begin with its version.');
      return;
    }
    this.#version = packet.id;
    this.#phase = { kind: 'greeting', asked: packet.id };
    this.#pass('device', packet.bytes);
  }

  /** A number that is still in use would let one answer stand for another. */
  #newRequest(id: number): boolean {
    if (!this.#outstanding.has(id)) return true;
    this.#broken('The client does not speak sftp: it used the number of a request that has no answer yet.');
    return false;
  }

  #request(packet: Whole): void {
    if (packet.type === FXP.INIT || (packet.type > 100 && packet.type < 200) || packet.type > 200) {
      this.#broken(`The client does not speak sftp: packet type ${packet.type}.`);
      return;
    }
    if (!this.#newRequest(packet.id)) return;
    const request = readRequest(packet, this.#version);
    switch (request.kind) {
      case 'malformed':
        this.#broken(`The client does not speak sftp: ${request.why}.`);
        return;
      case 'harmless':
        this.#passRequest(packet, { kind: 'other' });
        return;
      case 'unsupported':
        this.#answer(packet.id, FX.OP_UNSUPPORTED, `${request.name} is not supported`);
        return;
      case 'unknown':
        if (!this.#judge.mayHold('sftp')) this.#passRequest(packet, { kind: 'other' });
        else {
          this.#judge.note(this.#unjudged(request.name), 'refused', 'rules apply, and it cannot be judged');
          this.#answer(packet.id, FX.OP_UNSUPPORTED, `${request.name}: not understood, so not allowed here`);
        }
        return;
      case 'read': {
        const file = this.#handles.get(request.handle)?.file;
        this.#passRequest(
          packet,
          file === undefined ? { kind: 'other' } : { kind: 'read', file, offset: request.offset },
        );
        return;
      }
      case 'close':
        this.#passRequest(packet, { kind: 'close', handle: request.handle });
        return;
      case 'open':
      case 'opendir':
        if (this.#handles.size + this.#opening >= MOST_HANDLES) {
          this.#answer(packet.id, FX.FAILURE, 'too many open files');
          return;
        }
        this.#operate(packet, request);
        return;
      case 'paths':
      case 'rename':
      case 'change':
      case 'copy-data':
        this.#operate(packet, request);
        return;
    }
  }

  #passRequest(packet: Whole, meaning: Outstanding): void {
    this.#outstanding.set(packet.id, meaning);
    this.#pass('device', packet.bytes);
  }

  // ---- operations

  #operate(packet: Whole, request: Operating): void {
    const uses = usesOf(request);
    if (uses.some(({ path }) => path.length > LONGEST_PATH)) {
      this.#answer(packet.id, FX.FAILURE, 'the path is too long');
      return;
    }
    if (uses.some(({ path }) => path.includes(0))) {
      this.#answer(packet.id, FX.BAD_MESSAGE, 'a path with a NUL byte');
      return;
    }
    const holding = this.#judge.mayHold('sftp');
    if (holding && this.#home === undefined && uses.some(({ path }) => isRelative(path))) {
      this.#answer(packet.id, FX.PERMISSION_DENIED, 'give the whole path: the home folder is not known');
      return;
    }
    const looks = request.kind === 'paths' && request.quiet;
    if (!holding || looks || uses.length === 0) {
      this.#judgeAndGo(
        packet,
        request,
        uses.map(({ path }) => this.#spell(path)),
      );
      return;
    }
    this.#wait(async () => {
      const spelled: Spellings[] = [];
      for (const use of uses) spelled.push(await this.#resolve(use));
      return () => this.#judgeAndGo(packet, request, spelled);
    });
  }

  #judgeAndGo(packet: Whole, request: Operating, spelled: readonly Spellings[]): void {
    const ruling = this.#judge.judge(this.#operation(request, spelled));
    if (ruling instanceof Promise) {
      this.#wait(async () => {
        const decided = await ruling;
        return () => this.#ruled(packet, request, spelled, decided);
      });
    } else this.#ruled(packet, request, spelled, ruling);
  }

  /** The client waits meanwhile. What is decided is carried out unless the channel has ended. */
  #wait(work: () => Promise<() => void>): void {
    this.#deciding = true;
    this.#flush();
    work().then(
      (carryOut) => {
        if (this.#phase.kind === 'ended') return;
        this.#deciding = false;
        carryOut();
        this.#flush();
        this.#pumpClient();
      },
      () => this.#broken('An operation could not be judged.'),
    );
  }

  #ruled(packet: Whole, request: Operating, spelled: readonly Spellings[], ruling: OperationRuling): void {
    switch (ruling.kind) {
      case 'pass':
        this.#passRequest(packet, this.#meaning(request, spelled, ruling));
        return;
      case 'deny': {
        const what = `${wordOf(request)} ${shownPath(spelled, request)}`.trim();
        this.#notice(`${what}: ${ruling.reason}`);
        this.#answer(packet.id, FX.PERMISSION_DENIED, ruling.reason);
        return;
      }
      case 'end':
        this.#end('the session was ended by a rule');
        this.#outlet.endSession('interrupted-by-rule', ruling.reason);
        return;
    }
  }

  #meaning(request: Operating, spelled: readonly Spellings[], { record }: Judged): Outstanding {
    switch (request.kind) {
      case 'open': {
        this.#opening += 1;
        const reads = request.access.includes('read');
        const writes = request.access.includes('write');
        return {
          kind: 'open',
          record,
          file: openFile(spelled[0]?.absolute ?? '', reads, writes, request.fresh),
        };
      }
      case 'opendir':
        this.#opening += 1;
        return { kind: 'open', record, file: openFolder(spelled[0]?.absolute ?? '') };
      case 'copy-data':
        this.#handles.get(request.to)?.file.written.spoil('copied on the device');
        return { kind: 'operation', record };
      case 'change':
        if (request.access === 'write') {
          const file = this.#handles.get(request.handle)?.file;
          if (file !== undefined) cutAt(file, request.size);
        }
        return { kind: 'operation', record };
      case 'paths':
      case 'rename':
        return { kind: 'operation', record };
    }
  }

  #operation(request: Operating, spelled: readonly Spellings[]): OperationRequest {
    const word = wordOf(request);
    const uses = usesOf(request);
    const named = spelled.filter((_, index) => uses[index]?.implied !== true);
    const sent = uses.filter((use) => use.implied !== true).map(({ path }) => path.toString('utf8'));
    const shown = named.map(({ absolute }) => quoted(absolute)).join(' ');
    const how = 'how' in request ? request.how : '';
    return {
      kind: 'sftp',
      word,
      typed: [word, ...sent.map(quoted), ...(how === '' ? [] : [`(${how})`])].join(' '),
      command: `${word} ${this.#targetOf(request) ?? shown}`,
      asked: this.#asked(request, spelled),
      analysed: { operation: word, paths: named.map(({ absolute }) => absolute), sent, how },
      quiet: request.kind === 'opendir' || (request.kind === 'paths' && request.quiet),
    };
  }

  #targetOf(request: Operating): string | undefined {
    switch (request.kind) {
      case 'change':
        return quoted(this.#pathOf(request.handle));
      case 'copy-data':
        return `${quoted(this.#pathOf(request.from))} ${quoted(this.#pathOf(request.to))}`;
      default:
        return undefined;
    }
  }

  #pathOf(handle: string): string {
    return this.#handles.get(handle)?.file.path ?? '(unknown)';
  }

  #asked(request: Operating, spelled: readonly Spellings[]): readonly Asked[] {
    const [first, second] = spelled;
    switch (request.kind) {
      case 'open':
        return first === undefined ? [] : request.access.map((access) => askedOf('sftp', access, first));
      case 'opendir':
        return first === undefined ? [] : [askedOf('sftp', 'list', first)];
      case 'rename':
        return first === undefined || second === undefined ? [] : [askedOf('sftp', 'rename', first, second)];
      case 'change':
        return [askedOf('sftp', request.access, this.#spellHandle(request.handle))];
      case 'copy-data':
        return [
          askedOf('sftp', 'read', this.#spellHandle(request.from)),
          askedOf('sftp', 'write', this.#spellHandle(request.to)),
        ];
      case 'paths':
        return request.uses.flatMap(({ access }, index) => {
          const path = spelled[index];
          if (path === undefined) return [];
          return access.map((one) => {
            const asked = askedOf('sftp', one, path);
            // A list of what is allowed is not about looking at names: clients look at folders on the way.
            return request.quiet && asked.operation !== undefined
              ? { operation: undefined, also: [asked.operation, ...asked.also] }
              : asked;
          });
        });
    }
  }

  #unjudged(name: string): OperationRequest {
    return {
      kind: 'sftp',
      word: 'unknown',
      typed: name,
      command: name,
      asked: [],
      analysed: { operation: 'unknown', name },
      quiet: false,
    };
  }

  #spell(path: Buffer): Spellings {
    return spellings(path.toString('utf8'), this.#home);
  }

  #spellHandle(handle: string): Spellings {
    return spellings(this.#pathOf(handle), this.#home);
  }

  // ---- questions of the gateway

  /** Where the path leads, by the device's own account; as text where the device can't say. */
  async #resolve({ path, reach }: PathUse): Promise<Spellings> {
    const sent = path.toString('utf8');
    if (reach === 'follow') {
      const whole = await this.#realpath(path);
      if (whole !== undefined) return spellings(sent, this.#home, whole);
    }
    const split = splitName(path);
    if (split === undefined) {
      const whole = reach === 'follow' ? undefined : await this.#realpath(path);
      return spellings(sent, this.#home, whole);
    }
    const parent = await this.#realpath(split.parent);
    return spellings(sent, this.#home, parent === undefined ? undefined : `${parent}/${split.name}`);
  }

  /** Undefined: the device has no answer, or none in time. */
  #realpath(path: Buffer): Promise<string | undefined> {
    const id = this.#ownId();
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => resolve(undefined), QUESTION_BOUND);
    this.#timers.add(timer);
    this.#outstanding.set(id, {
      kind: 'own',
      answer: (packet) => {
        clearTimeout(timer);
        this.#timers.delete(timer);
        resolve(packet === undefined ? undefined : nameIn(packet));
      },
    });
    this.#flush();
    this.#outlet.injectToDevice(encodeRealpath(id, path.length === 0 ? Buffer.from('.') : path));
    return promise;
  }

  /** Not one that the client uses at this moment; it sends nothing new before the answer is there. */
  #ownId(): number {
    do this.#nextOwn = this.#nextOwn <= 0x8000_0000 ? FIRST_OWN_ID : this.#nextOwn - 1;
    while (this.#outstanding.has(this.#nextOwn));
    return this.#nextOwn;
  }

  // ---- from the device

  #wholeFromDevice(type: number, id: number): boolean {
    if (this.#phase.kind === 'greeting' || this.#phase.kind === 'init') return true;
    return type === FXP.STATUS || type === FXP.HANDLE || this.#outstanding.get(id)?.kind === 'own';
  }

  #pumpDevice(): void {
    for (;;) {
      const part = this.#device.next();
      if (part === undefined || this.#phase.kind === 'ended') break;
      this.#fromDevicePart(part);
      if (this.#device.atBoundary) this.#payOwed();
    }
    this.#flush();
    this.#pumpClient();
  }

  #fromDevicePart(part: SftpPart): void {
    switch (part.kind) {
      case 'malformed':
        this.#broken(
          `The device does not speak sftp: ${part.why}. Does something print text when it starts?`,
        );
        return;
      case 'begin': {
        const meaning = this.#settled(part.id);
        if (part.type === FXP.DATA && meaning?.kind === 'read' && !part.last) {
          this.#reading = { file: meaning.file, offset: meaning.offset, left: part.dataLength };
        }
        this.#pass('client', part.bytes);
        return;
      }
      case 'piece': {
        const reading = this.#reading;
        if (reading !== undefined) {
          const data = part.bytes.subarray(0, reading.left);
          reading.file.read.add(reading.offset, data);
          reading.offset += BigInt(data.length);
          reading.left -= data.length;
          if (part.last) this.#reading = undefined;
        }
        this.#pass('client', part.bytes);
        return;
      }
      case 'packet':
        this.#answered(part);
    }
  }

  #settled(id: number): Outstanding | undefined {
    const meaning = this.#outstanding.get(id);
    if (meaning !== undefined) this.#outstanding.delete(id);
    return meaning;
  }

  #answered(packet: Whole): void {
    if (this.#phase.kind !== 'open' && this.#outstanding.get(packet.id)?.kind !== 'own') {
      this.#greeted(packet);
      return;
    }
    const meaning = this.#settled(packet.id);
    const status = packet.type === FXP.STATUS ? new Fields(packet.body).uint32() : undefined;
    switch (meaning?.kind) {
      case 'own':
        meaning.answer(packet);
        return;
      case 'open': {
        this.#opening -= 1;
        if (packet.type === FXP.HANDLE) {
          const handle = new Fields(packet.body).string().toString('latin1');
          const before = this.#handles.get(handle);
          if (before !== undefined) this.#closed(before, 'the device gave its handle away');
          this.#handles.set(handle, { file: meaning.file, record: meaning.record });
        } else meaning.record?.settle('ran', `the device refused it: ${statusName(status)}`);
        break;
      }
      case 'close': {
        const closed = this.#handles.get(meaning.handle);
        if (closed !== undefined && status !== undefined) {
          this.#handles.delete(meaning.handle);
          if (status !== FX.OK) closed.file.written.spoil('the device did not close it');
          this.#closed(closed, undefined);
        }
        break;
      }
      case 'read':
        if (status === FX.EOF && meaning.offset >= meaning.file.read.next) meaning.file.readToEnd = true;
        break;
      case 'write':
        if (status !== FX.OK) meaning.file.written.spoil('the device refused a part');
        break;
      case 'operation':
        if (status !== undefined && status !== FX.OK) {
          meaning.record?.settle('ran', `the device refused it: ${statusName(status)}`);
        }
        break;
      case 'other':
      case undefined:
        break;
    }
    this.#pass('client', packet.bytes);
  }

  #greeted(packet: Whole): void {
    if (this.#phase.kind !== 'greeting' || packet.type !== FXP.VERSION) {
      this.#broken('The device does not speak sftp. Does something print text when a session starts?');
      return;
    }
    this.#version = Math.min(this.#phase.asked, packet.id);
    void this.#realpath(Buffer.from('.')).then((home) => {
      if (this.#phase.kind !== 'greeting') return;
      this.#home = home === undefined ? undefined : absolutePath(home);
      this.#phase = { kind: 'open' };
      this.#pass('client', packet.bytes);
      this.#flush();
      this.#pumpDevice();
    });
  }

  #closed({ file, record }: Handle, cut: string | undefined): void {
    const summary = summaryOf(file, cut);
    if (summary !== undefined) record?.settle('ran', summary);
  }

  // ---- out

  #pass(to: 'device' | 'client', bytes: Buffer): void {
    const run = this.#run;
    if (run !== undefined) {
      const before = run.bytes;
      if (
        run.to === to &&
        before.buffer === bytes.buffer &&
        before.byteOffset + before.length === bytes.byteOffset
      ) {
        run.bytes = Buffer.from(before.buffer, before.byteOffset, before.length + bytes.length);
        return;
      }
      this.#flush();
    }
    this.#run = { to, bytes };
  }

  #flush(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    if (run.to === 'device') this.#outlet.toDevice({ kind: 'data', data: run.bytes });
    else this.#outlet.toClient({ kind: 'data', data: run.bytes, stream: 'stdout' });
  }

  /** The gateway's own answer; it waits while a packet of the device is on its way to the client. */
  #answer(id: number, code: number, message: string): void {
    this.#owed.push(encodeStatus(id, code, message.slice(0, 1_000), this.#version));
    if (this.#device.atBoundary) this.#payOwed();
  }

  #payOwed(): void {
    if (this.#owed.length === 0) return;
    const owed = Buffer.concat(this.#owed);
    this.#owed = [];
    this.#flush();
    this.#outlet.injectToClient(owed, 'stdout');
  }

  /** Beside the protocol: most clients show no text of a failed request. */
  #notice(text: string): void {
    const bytes = gatewayText(text.slice(0, 500), false);
    if (this.#noticed + bytes.length > MOST_NOTICES) return;
    this.#noticed += bytes.length;
    this.#outlet.injectToClient(bytes, 'stderr');
  }

  #broken(tell: string): void {
    if (this.#phase.kind === 'ended') return;
    this.#flush();
    this.#end('the channel was ended');
    this.#outlet.endChannel('sftp-broken', plainText(tell));
  }

  /** Open files are as closed as they will be. */
  #finish(cut: string): void {
    const open = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of open) this.#closed(handle, cut);
  }

  #end(cut: string): void {
    if (this.#phase.kind === 'ended') return;
    this.#finish(cut);
    this.#phase = { kind: 'ended' };
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const meaning of this.#outstanding.values()) if (meaning.kind === 'own') meaning.answer(undefined);
    this.#outstanding.clear();
    this.#client.clear();
    this.#device.clear();
    this.#judge[Symbol.dispose]();
    this.#command?.[Symbol.dispose]();
    this.#passEnd();
  }
}

/** Whether a command line starts a server of sftp that reads the channel. */
export const startsSftpServer = (command: string): boolean =>
  command.includes('sftp') &&
  analyse(command).commands.some(({ name }) => /^(?:g?e?sftp-?server|internal-sftp)$/.test(name));

type Operating = Extract<
  SftpRequest,
  { kind: 'open' | 'opendir' | 'paths' | 'rename' | 'change' | 'copy-data' }
>;

const usesOf = (request: Operating): readonly PathUse[] => {
  switch (request.kind) {
    case 'open':
      return [{ path: request.path, access: request.access, reach: 'follow' }];
    case 'opendir':
      return [{ path: request.path, access: ['list'], reach: 'follow' }];
    case 'rename':
      return [
        { path: request.from, access: ['rename'], reach: 'name' },
        { path: request.to, access: ['write'], reach: 'name' },
      ];
    case 'paths':
      return request.uses;
    case 'change':
    case 'copy-data':
      return [];
  }
};

const wordOf = (request: Operating): string => {
  switch (request.kind) {
    case 'open':
      return request.access.includes('write') ? 'put' : request.access.includes('read') ? 'get' : 'remove';
    case 'opendir':
      return 'list';
    case 'rename':
      return 'rename';
    case 'copy-data':
      return 'copy';
    case 'paths':
    case 'change':
      return request.word;
  }
};

const shownPath = (spelled: readonly Spellings[], request: Operating): string => {
  const paths = spelled.length > 0 ? spelled.map(({ absolute }) => absolute) : usesOf(request).map(String);
  return paths.map((path) => path.slice(0, 200)).join(' ');
};

const isRelative = (path: Buffer): boolean => path[0] !== 0x2f;

const absolutePath = (path: string): string | undefined =>
  /^(?:\/|[A-Za-z]:)/.test(path) ? spellings(path, '/').absolute : undefined;

/** The one name of an answer to REALPATH. */
const nameIn = (packet: Whole): string | undefined => {
  if (packet.type !== FXP.NAME) return undefined;
  const fields = new Fields(packet.body);
  if (fields.uint32() < 1) return undefined;
  const name = fields.string();
  return fields.failed || name.length === 0 || name.length > LONGEST_PATH ? undefined : name.toString('utf8');
};

const quoted = (path: string): string => (/^[\w./~+@:=,-]+$/.test(path) ? path : JSON.stringify(path));

const STATUS_NAMES = [
  'ok',
  'end of file',
  'no such file',
  'permission denied',
  'failure',
  'bad message',
  'no connection',
  'connection lost',
  'not supported',
];

const statusName = (status: number | undefined): string =>
  status === undefined ? 'an answer of another kind' : (STATUS_NAMES[status] ?? `status ${status}`);
