// A `session` channel between a user and a device: reads the requests that set it up (terminal, environment,
// agent, X11), asks the grant, then the gate, and lets shell, exec or subsystem start. Terminal modes go through as
// they came, but for those that would change what is read (terminal-modes.ts). Everything after the start is the pair's. It does not dial and knows no transport.
import type { Target } from '../login/ports.ts';
import type { Restrictions } from '../login/restrictions.ts';
import {
  encodeExec,
  encodePtyRequest,
  encodeSubsystem,
  type PtyRequest,
  parseEnv,
  parseExec,
  parseNothing,
  parsePtyRequest,
  parseSubsystem,
  parseWindowChange,
  parseX11Request,
} from '../transport/messages.ts';
import type { ChannelEnd, ReplySlot } from './channel-end.ts';
import { ChannelPair, type PairSession } from './channel-pair.ts';
import { type EnvironmentRules, environmentAllowed } from './environment.ts';
import type { ChannelStart, GateContext, GateFactory } from './gate-port.ts';
import { permissionToStart } from './permission.ts';
import type { ChannelDescription } from './ports.ts';
import { passableModes, passableTerminalType, passableX11 } from './terminal-modes.ts';

/** What a client asked for before the channel had a device; replayed when it has. */
export interface CollectedSetup {
  readonly terminal: PtyRequest | undefined;
  /** Requests without the terminal, in order. */
  readonly requests: readonly { readonly name: string; readonly body: Buffer }[];
  /** What was typed ahead. */
  readonly early: readonly (Buffer | 'eof')[];
}

export interface SessionChannelOptions {
  readonly client: ChannelEnd;
  readonly device: ChannelEnd;
  readonly session: PairSession;
  readonly gates: GateFactory;
  readonly channel: number;
  readonly target: Target;
  readonly restrictions: Restrictions;
  readonly environment: EnvironmentRules;
  readonly context: Omit<GateContext, 'channel' | 'environment' | 'terminal'>;
  /** A request or a start was not allowed; for the log. */
  readonly refused: (wanted: string, code: string, detail: string) => void;
  /** The client would take channels to its agent, whether or not the device may open them. */
  readonly agentOffered?: () => void;
  /** The client asked for the device to be able to open agent or X11 channels, and may. */
  readonly allowed: (what: 'agent' | 'x11') => void;
}

const MAX_VARIABLES = 128;
const EMPTY = Buffer.alloc(0);
const SETTLED: ReplySlot = { wanted: false, settle: () => {} };

export class SessionChannel {
  readonly pair: ChannelPair;
  readonly #options: SessionChannelOptions;
  readonly #environment = new Map<string, string>();
  readonly #refusedNames = new Set<string>();
  #terminal: PtyRequest | undefined;
  /** Of the request for a terminal, which the device may not have answered when the channel is refused. */
  #terminalReply: ReplySlot | undefined;

  constructor(options: SessionChannelOptions) {
    this.#options = options;
    this.pair = new ChannelPair({
      client: options.client,
      device: options.device,
      session: options.session,
      gates: options.gates,
      channel: options.channel,
      setup: (name, body, reply) => this.#setup(name, body, reply),
    });
  }

  /** Asks the device for what the client had asked for before there was one, then for a shell. */
  replay(setup: CollectedSetup): void {
    if (setup.terminal !== undefined) this.#setup('pty-req', encodePtyRequest(setup.terminal), SETTLED);
    for (const data of setup.early) this.pair.typedEarly(data);
    for (const request of setup.requests) this.#setup(request.name, request.body, SETTLED);
    this.#setup('shell', EMPTY, {
      wanted: true,
      settle: (ok) => {
        if (!ok) this.pair.end('The device did not start a shell.');
      },
    });
  }

  /** Throws TransportError for what is malformed: the client's connection ends. */
  #setup(name: string, body: Buffer, reply: ReplySlot): void {
    switch (name) {
      case 'pty-req':
        this.#pty(body, reply);
        return;
      case 'env':
        this.#env(body, reply);
        return;
      case 'window-change': {
        const size = parseWindowChange(body);
        if (this.#terminal !== undefined) this.#terminal = { ...this.#terminal, ...size };
        this.#pass(name, body, reply);
        return;
      }
      case 'auth-agent-req@openssh.com':
        parseNothing(body);
        this.#options.agentOffered?.();
        this.#allow('agent', name, body, reply);
        return;
      case 'x11-req':
        if (!passableX11(parseX11Request(body))) {
          this.#options.refused('x11', 'malformed', 'the authentication is not what xauth takes');
          reply.settle(false);
          return;
        }
        this.#allow('x11', name, body, reply);
        return;
      case 'shell':
        parseNothing(body);
        this.#start({ kind: 'shell' }, reply);
        return;
      case 'exec':
        this.#start({ kind: 'exec', command: Buffer.from(parseExec(body).command) }, reply);
        return;
      case 'subsystem':
        this.#start({ kind: 'subsystem', name: parseSubsystem(body).name }, reply);
        return;
      default:
        reply.settle(false);
    }
  }

  #pass(name: string, body: Buffer, reply: ReplySlot): void {
    this.#options.device.sendRequest(name, body, reply.wanted ? (ok) => reply.settle(ok) : undefined);
  }

  #pty(body: Buffer, reply: ReplySlot): void {
    const terminal = parsePtyRequest(body);
    if (this.#terminal !== undefined || !this.#options.restrictions.pty) {
      reply.settle(false);
      return;
    }
    const { gates, context } = this.#options;
    const type = passableTerminalType(terminal.terminal);
    const modes = passableModes(terminal.modes, gates.holdsLines?.(context) ?? false);
    const same = type === terminal.terminal && modes === terminal.modes;
    this.#terminal = same ? terminal : { ...terminal, terminal: type, modes };
    this.#terminalReply = reply;
    this.#pass('pty-req', same ? body : encodePtyRequest(this.#terminal), reply);
  }

  #env(body: Buffer, reply: ReplySlot): void {
    const { name, value } = parseEnv(body);
    if (
      this.#environment.size >= MAX_VARIABLES ||
      !environmentAllowed(this.#options.environment, name, value)
    ) {
      if (this.#refusedNames.size < MAX_VARIABLES) this.#refusedNames.add(name.slice(0, 128));
      reply.settle(false);
      return;
    }
    this.#environment.set(name, value.toString('utf8'));
    this.#pass('env', body, reply);
  }

  #allow(what: 'agent' | 'x11', name: string, body: Buffer, reply: ReplySlot): void {
    const permission = permissionToStart(this.#options.target, this.#options.restrictions, { kind: what });
    if (permission.kind === 'denied') {
      this.#options.refused(what, 'not-granted', permission.detail);
      reply.settle(false);
      return;
    }
    this.#options.allowed(what);
    this.#pass(name, body, reply);
  }

  #start(asked: ChannelStart, reply: ReplySlot): void {
    const permission = permissionToStart(this.#options.target, this.#options.restrictions, asked);
    const forced = this.#options.restrictions.forcedCommand;
    const start: ChannelStart =
      forced === undefined ? asked : { kind: 'exec', command: Buffer.from(forced, 'utf8') };
    const description = describe(start, this.#terminal);
    if (this.#environment.size + this.#refusedNames.size > 0) {
      this.#options.session.recorder.marker?.(this.pair.channel, 'environment', {
        passed: Object.fromEntries(this.#environment),
        refused: [...this.#refusedNames],
      });
    }
    // A client that is told that a request failed, that for a terminal among them, shows nothing else.
    const accept = (): void => {
      this.#terminalReply?.settle(true);
      reply.settle(true);
    };
    if (permission.kind === 'denied') {
      this.#options.refused(wanted(asked), 'not-granted', permission.detail);
      accept();
      this.pair.refuse(description, permission.tell);
      return;
    }
    this.pair.start({
      context: {
        ...this.#options.context,
        channel: this.pair.channel,
        environment: this.#environment,
        terminal: this.#terminal && {
          type: this.#terminal.terminal,
          columns: this.#terminal.columns,
          rows: this.#terminal.rows,
          modes: this.#terminal.modes,
        },
      },
      start,
      description,
      launch: (verdict) => {
        if (verdict.kind === 'replace') this.#pass('exec', encodeExec(verdict.command), reply);
        else if (start.kind === 'exec') this.#pass('exec', encodeExec(start.command), reply);
        else if (start.kind === 'subsystem') this.#pass('subsystem', encodeSubsystem(start.name), reply);
        else this.#pass('shell', EMPTY, reply);
      },
      answered: accept,
      refused: (verdict) => {
        this.#options.refused(wanted(asked), verdict.code, verdict.detail);
        accept();
      },
    });
  }
}

function wanted(start: ChannelStart): string {
  switch (start.kind) {
    case 'exec':
      return `exec ${start.command.toString('utf8').slice(0, 256)}`;
    case 'subsystem':
      return `subsystem ${start.name}`;
    default:
      return start.kind;
  }
}

function describe(start: ChannelStart, terminal: PtyRequest | undefined): ChannelDescription {
  const shown = terminal && {
    type: terminal.terminal,
    columns: terminal.columns,
    rows: terminal.rows,
  };
  switch (start.kind) {
    case 'exec':
      return { kind: 'exec', detail: start.command.toString('utf8'), terminal: shown };
    case 'subsystem':
      return { kind: 'subsystem', detail: start.name, terminal: shown };
    default:
      return { kind: 'shell', detail: '', terminal: shown };
  }
}
