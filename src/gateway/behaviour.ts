// Puts behaviour between the data plane and its parts: the log of commands, the gates, the register and the directory for
// signing in, each with the oversight told of what passes. It decides nothing itself.
import type { AuditedCommand, CommandLog, UserLock } from '../../proxy/audit/ports.ts';
import type {
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateFactory,
  GateOutlet,
  StartVerdict,
  TerminalPicture,
} from '../../proxy/channels/gate-port.ts';
import { parseScpCommand } from '../../proxy/channels/scp-command.ts';
import type { NewEvent } from '../behaviour/events.ts';
import { createEventLog, type EventLog } from '../events/event-log.ts';
import { CommandHabits } from '../oversight/command-habits.ts';
import { createIdentifier, type IdentifierParts } from '../oversight/identifier.ts';
import { LiveSettings } from '../oversight/live-settings.ts';
import { Oversight, type OversightParts } from '../oversight/oversight.ts';
import { privilegeOf } from '../oversight/privilege.ts';
import { createSecurityKeyProof, type SecurityKeyParts } from '../oversight/security-key.ts';
import type { MovedBy } from '../oversight/watched-session.ts';
import type { Store } from '../store/store.ts';

export interface Behaviour {
  readonly oversight: Oversight;
  readonly events: EventLog;
}

export const openBehaviour = async (parts: {
  readonly store: Store;
  readonly identification: IdentifierParts & SecurityKeyParts;
  readonly userLock: UserLock;
  readonly log: OversightParts['log'];
  readonly mark: OversightParts['mark'];
}): Promise<Behaviour> => {
  const { store, userLock, log, mark } = parts;
  const events = createEventLog(store);
  const oversight = new Oversight({
    store,
    events,
    settings: await LiveSettings.open(store),
    habits: new CommandHabits(store),
    identifier: createIdentifier(parts.identification),
    securityKeys: createSecurityKeyProof(parts.identification),
    userLock,
    log,
    mark,
    now: Date.now,
  });
  return { oversight, events };
};

/** Each command also an event, as durable as its row, before it may run; then the oversight weighs it. */
export const overseenCommands = (log: CommandLog, { oversight, events }: Behaviour): CommandLog => ({
  ...log,
  append: async (command) => {
    await Promise.all([log.append(command), events.append([commandEvent(command)])]);
    oversight.command(command);
  },
  settle: async (id, outcome, detail) => {
    const of = oversight.userOf(id);
    await log.settle(id, outcome, detail);
    oversight.settled(id, outcome);
    if (of !== undefined)
      await events.append([{ kind: 'command-settled', ...of, command: id, outcome, detail }]);
  },
});

const LONGEST_TEXT = 16_384;

const commandEvent = (command: AuditedCommand): NewEvent => {
  const { source } = command;
  return {
    kind: 'command',
    at: command.at,
    session: source.sessionId,
    user: source.user,
    target: { device: source.device, credential: source.credential },
    sourceAddress: source.sourceAddress,
    command: command.id,
    channel: source.channel,
    channelKind: command.channelKind,
    second: Math.max(0, command.at - source.startedAt) / 1000,
    text: command.hidden ? '' : command.command.slice(0, LONGEST_TEXT),
    word: command.hidden ? '' : command.word,
    decision: command.decision,
    outcome: command.outcome,
    rules: command.rules
      .filter((rule) => !rule.shadow)
      .slice(0, 50)
      .map(({ rule, action, criticality }) => ({ rule, action, criticality })),
    points: command.points,
    privileged: command.source.credential.username === 'root' || privilegeOf(command) !== undefined,
  };
};

/** What passes through channels that are no terminals is counted, by kind. */
export const overseenGates = (gates: GateFactory, oversight: Oversight): GateFactory => ({
  ...gates,
  open: (context, outlet) => new CountedGate(gates, context, outlet, oversight),
});

class CountedGate implements ChannelGate {
  readonly #gate: ChannelGate;
  readonly #context: GateContext;
  readonly #oversight: Oversight;
  #by: MovedBy | undefined;

  constructor(gates: GateFactory, context: GateContext, outlet: GateOutlet, oversight: Oversight) {
    this.#gate = gates.open(context, outlet);
    this.#context = context;
    this.#oversight = oversight;
  }

  start(request: ChannelStart): StartVerdict | Promise<StartVerdict> {
    this.#by = movedBy(request, this.#context);
    this.#oversight.used(this.#context.sessionId);
    return this.#gate.start(request);
  }

  fromClient(event: ClientEvent): void {
    if (event.kind === 'data' && this.#by !== undefined)
      this.#oversight.moved(this.#context.sessionId, this.#by, event.data.length, 0);
    this.#gate.fromClient(event);
  }

  fromDevice(event: DeviceEvent): void {
    if (event.kind === 'data' && this.#by !== undefined)
      this.#oversight.moved(this.#context.sessionId, this.#by, 0, event.data.length);
    this.#gate.fromDevice(event);
  }

  goOn(): void {
    this.#gate.goOn?.();
  }

  get picture(): TerminalPicture | undefined {
    return this.#gate.picture;
  }

  get passesFromClient(): boolean {
    return this.#gate.passesFromClient === true;
  }

  get passesFromDevice(): boolean {
    return this.#gate.passesFromDevice === true;
  }

  get keptFromClient(): number {
    return this.#gate.keptFromClient;
  }

  get keptFromDevice(): number {
    return this.#gate.keptFromDevice;
  }

  [Symbol.dispose](): void {
    this.#gate[Symbol.dispose]();
  }
}

const movedBy = (start: ChannelStart, context: GateContext): MovedBy | undefined => {
  switch (start.kind) {
    case 'shell':
      return context.terminal === undefined ? 'exec' : undefined;
    case 'exec':
      if (parseScpCommand(start.command.toString('utf8')) !== undefined) return 'scp';
      return context.terminal === undefined ? 'exec' : undefined;
    case 'subsystem':
      return start.name === 'sftp' ? 'sftp' : 'exec';
    case 'direct-tcpip':
    case 'forwarded-tcpip':
    case 'streamlocal':
      return 'forward';
    case 'agent':
    case 'x11':
      return undefined;
  }
};
