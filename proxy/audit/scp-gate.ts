// The gate of one `scp -t` or `scp -f` on the device (the old protocol; newer clients use sftp). Paths on the command line
// are judged before it starts, each file and folder before its record is passed on. What is denied the gateway answers as
// the other side's scp would, and the copy goes on with the next file. The home folder is not known here: names without a
// path are judged as `~/…` and in the account's usual home; links are not followed.

import type { Access } from '../../policies/rules/schema.ts';
import type {
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateOutlet,
  StartVerdict,
} from '../channels/gate-port.ts';
import { plainText } from '../channels/terminal-text.ts';
import { type Asked, OperationJudge, type OperationRecord, type OperationRequest } from './operations.ts';
import type { AuditDeps } from './ports.ts';
import { readScpArguments, type ScpArguments } from './scp-arguments.ts';
import { type ScpAction, ScpProtocol, type ScpRecord } from './scp-protocol.ts';
import { absolutePath, askedOf, LONGEST_PATH, spellings } from './sftp-paths.ts';
import { Content } from './sftp-transfers.ts';

type Phase = 'starting' | 'copying' | 'ended';

interface Copied {
  readonly content: Content;
  readonly record: OperationRecord | undefined;
}

export class ScpGate implements ChannelGate {
  readonly #outlet: GateOutlet;
  readonly #judge: OperationJudge;
  readonly #command: ChannelGate;
  readonly #home: string;
  readonly #protocol = new ScpProtocol();
  #phase: Phase = 'starting';
  #arguments: ScpArguments | undefined;
  /** The folders that were entered, outermost first; of each every path that it may have. */
  readonly #folders: (readonly string[])[] = [];
  /** Folders that were allowed and not answered yet. */
  #entering: readonly string[] = [];
  #file: Copied | undefined;
  /** Waits for a verdict; everything of both sides is kept meanwhile. */
  #asking = false;
  #clientEnd: ClientEvent[] = [];
  #deviceEnd: DeviceEvent[] = [];

  /** `command` judges the command line as such; nothing else is asked of it. */
  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet, command: ChannelGate) {
    this.#outlet = outlet;
    this.#command = command;
    this.#home = homeOf(context.credential.username);
    this.#judge = new OperationJudge(deps, context, {
      waiting: (tell) => this.#outlet.injectToClient(Buffer.from(`sallyport: ${tell}\n`), 'stderr'),
      logFailed: () =>
        this.#outlet.endSession(
          'audit-log-failed',
          'This session was stopped: the audit log cannot be written at the moment.',
        ),
      roomAgain: () => {},
    });
  }

  get keptFromClient(): number {
    return this.#uploads ? this.#protocol.keptFromSource : this.#protocol.keptFromSink;
  }

  get keptFromDevice(): number {
    return this.#uploads ? this.#protocol.keptFromSink : this.#protocol.keptFromSource;
  }

  /** What is copied goes by; what waits for a verdict is copied here. */
  get passesFromClient(): boolean {
    return true;
  }

  get passesFromDevice(): boolean {
    return true;
  }

  async start(request: ChannelStart): Promise<StartVerdict> {
    const line = request.kind === 'exec' ? request.command.toString('utf8') : '';
    const found = readScpArguments(line);
    if (found === undefined)
      return this.#refuse('not a command line of scp', 'This is not a command line of scp.');
    this.#arguments = found;
    // Rules about commands apply to this one too.
    const verdict = await this.#command.start(request);
    if (verdict.kind === 'refuse') return this.#refuse(verdict.detail, verdict.tell, verdict.code);
    if (verdict.kind === 'replace')
      return this.#refuse('the command would be another', 'This cannot be copied.');
    const unknown = found.paths.some(
      ({ pattern }) => pattern === 'folder' || (this.#uploads && pattern === 'name'),
    );
    if (unknown && this.#judge.mayHold('scp')) {
      this.#judge.note(this.#request('scp', line, line, []), 'refused', 'a pattern that cannot be judged');
      return this.#refuse(
        'a pattern in a folder',
        'Name the folder without a pattern: rules apply to its files.',
      );
    }
    this.#phase = 'copying';
    return { kind: 'pass' };
  }

  fromClient(event: ClientEvent): void {
    switch (event.kind) {
      case 'data':
        if (this.#phase !== 'copying') return;
        this.#act(
          this.#uploads ? this.#protocol.fromSource(event.data) : this.#protocol.fromSink(event.data),
        );
        return;
      case 'request':
        this.#outlet.toDevice(event);
        return;
      case 'eof':
        if (this.#asking) this.#clientEnd.push(event);
        else this.#outlet.toDevice(event);
        return;
      case 'closed':
        this.#end('the channel was closed');
        this.#outlet.toDevice(event);
        return;
    }
  }

  fromDevice(event: DeviceEvent): void {
    switch (event.kind) {
      case 'data':
        if (event.stream === 'stderr') this.#outlet.toClient(event);
        else if (this.#phase === 'copying') {
          this.#act(
            this.#uploads ? this.#protocol.fromSink(event.data) : this.#protocol.fromSource(event.data),
          );
        }
        return;
      case 'exit':
      case 'eof':
        if (this.#asking) this.#deviceEnd.push(event);
        else this.#outlet.toClient(event);
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

  /** In the protocol's own words: some clients take a channel that only ends for success. */
  #refuse(detail: string, tell: string, code = 'SP_SCP_REFUSED'): StartVerdict {
    const text = plainText(tell).replaceAll('\n', ' ');
    this.#outlet.injectToClient(Buffer.from(`\x01scp: ${text}\n`), 'stdout');
    return { kind: 'refuse', code, detail, tell: '', status: 1 };
  }

  get #uploads(): boolean {
    return this.#arguments?.direction === 'to-device';
  }

  #act(actions: readonly ScpAction[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case 'to-sink':
          if (action.content) {
            const content = this.#file?.content;
            if (content !== undefined) content.add(content.next, action.bytes);
          }
          this.#send(this.#uploads ? 'device' : 'client', action.bytes);
          break;
        case 'to-source':
          this.#send(this.#uploads ? 'client' : 'device', action.bytes);
          break;
        case 'ask':
          this.#ask(action.record);
          break;
        case 'entered':
          this.#folders.push(this.#entering);
          break;
        case 'left':
          this.#folders.pop();
          break;
        case 'refused':
          this.#file?.record?.settle('ran', `refused: ${action.why.slice(0, 200)}`);
          this.#file = undefined;
          break;
        case 'finished':
          if (action.faults !== undefined) this.#file?.content.spoil(action.faults.slice(0, 200));
          this.#closeFile();
          break;
        case 'malformed':
          this.#end('the channel was ended');
          this.#outlet.endChannel('scp-broken', `This is not the protocol of scp: ${action.why}.`);
          return;
      }
    }
  }

  #send(to: 'device' | 'client', bytes: Buffer): void {
    if (to === 'device') this.#outlet.toDevice({ kind: 'data', data: bytes });
    else this.#outlet.toClient({ kind: 'data', data: bytes, stream: 'stdout' });
  }

  #ask(record: ScpRecord): void {
    const places = this.#places(record.name);
    const word = this.#uploads ? (record.kind === 'file' ? 'put' : 'mkdir') : 'get';
    const shown = this.#shown(places[0] ?? record.name);
    if (places.some((path) => Buffer.byteLength(path) > LONGEST_PATH)) {
      this.#decide({ kind: 'deny', message: `${record.name}: the path is too long` });
      return;
    }
    const access: Access = this.#uploads ? 'write' : record.kind === 'file' ? 'read' : 'list';
    const sent = `${record.kind === 'file' ? 'C' : 'D'} ${record.name}`;
    const request = this.#request(
      word,
      sent,
      shown,
      places.map((path) => this.#askedOf(access, path)),
      record.kind === 'folder' && !this.#uploads,
    );
    this.#asking = true;
    const ruling = this.#judge.judge(request);
    const decided = (answer: Awaited<typeof ruling>): void => {
      this.#asking = false;
      if (this.#phase !== 'copying') return;
      switch (answer.kind) {
        case 'pass':
          if (record.kind === 'file') this.#file = { content: new Content(), record: answer.record };
          else this.#entering = places;
          this.#decide({ kind: 'allow' });
          break;
        case 'deny':
          this.#decide({ kind: 'deny', message: `${shown}: ${answer.reason}` });
          break;
        case 'end':
          this.#end('the session was ended by a rule');
          this.#outlet.endSession('interrupted-by-rule', answer.reason);
          return;
      }
      this.#passEnds();
      this.#outlet.keptLess();
    };
    if (ruling instanceof Promise) void ruling.then(decided);
    else decided(ruling);
  }

  #decide(verdict: Parameters<ScpProtocol['verdict']>[0]): void {
    if (verdict.kind === 'deny' && !this.#uploads) {
      // The client's scp shows it, and asks for nothing.
      this.#send('client', Buffer.from(`\x01scp: ${verdict.message.replace(/[\0-\x1f\x7f]/g, ' ')}\n`));
    }
    this.#act(this.#protocol.verdict(verdict));
  }

  #passEnds(): void {
    if (this.#asking) return;
    const client = this.#clientEnd;
    const device = this.#deviceEnd;
    this.#clientEnd = [];
    this.#deviceEnd = [];
    for (const event of client) this.#outlet.toDevice(event);
    for (const event of device) this.#outlet.toClient(event);
  }

  /** Every path that a record of this name may mean, from the command line on. */
  #places(name: string): readonly string[] {
    const folders = this.#folders.at(-1);
    if (folders !== undefined) return folders.map((folder) => joined(folder, name));
    const paths = this.#arguments?.paths ?? [];
    if (this.#uploads) {
      return paths.flatMap(({ text }) => {
        const folder = this.#arguments?.intoFolder === true || NO_NAME.test(text);
        // Only the device knows whether a target is a folder.
        return folder ? [joined(text, name)] : [joined(text, name), text];
      });
    }
    const sources = paths.map((path) => ({ ...path, ...splitSource(path.text) }));
    const named = sources.filter(
      ({ last, pattern, text }) => pattern === 'name' || last === name || NO_NAME.test(text),
    );
    // A source that names what it was not asked for may mean any of them.
    return (named.length > 0 ? named : sources).map(({ text, parent }) =>
      NO_NAME.test(text) ? text : joined(parent, name),
    );
  }

  #shown(path: string): string {
    return absolutePath(path, '~');
  }

  #askedOf(access: Access, path: string): Asked {
    const usual = path.replace(/^~([^/]*)/, (_, user: string) => (user === '' ? this.#home : homeOf(user)));
    const { absolute, others } = spellings(usual, this.#home);
    return askedOf('scp', access, { absolute, others: [...others, path] });
  }

  #request(
    word: string,
    typed: string,
    path: string,
    asked: readonly Asked[],
    quiet = false,
  ): OperationRequest {
    const shown = /^[\w./~+@:=,-]+$/.test(path) ? path : JSON.stringify(path);
    return {
      kind: 'scp',
      word,
      typed,
      command: `${word} ${shown}`,
      asked,
      analysed: { operation: word, path, sent: typed },
      quiet,
    };
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    const did = this.#uploads ? 'wrote' : 'read';
    file.record?.settle('ran', `${did} ${file.content.finish()}`);
  }

  #end(cut: string): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#file?.content.spoil(cut);
    this.#closeFile();
    this.#judge[Symbol.dispose]();
    this.#command[Symbol.dispose]();
  }
}

/** A folder without a name of its own. */
const NO_NAME = /(?:^|\/)(?:\.\.?)?$|^~[^/]*$/;

/** Where it usually is. */
const homeOf = (account: string): string => (account === 'root' ? '/root' : `/home/${account}`);

const splitSource = (text: string): { readonly parent: string; readonly last: string } => {
  const path = text.replace(/(?<=.)\/+$/, '');
  const slash = path.lastIndexOf('/');
  return { parent: slash < 0 ? '.' : path.slice(0, slash + 1), last: path.slice(slash + 1) };
};

const joined = (folder: string, name: string): string =>
  name === '.' ? folder : folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`;
