// Chooses the gate of each channel by what the channel is asked to be. A kind of channel that has no gate of its own
// passes; each that has one is a file beside this.
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
} from '../channels/gate-port.ts';
import { AuditRows } from './audit-rows.ts';
import { ExecGate } from './exec-gate.ts';
import { type Admitted, admitForward, ForwardGate, isForward } from './forward-gate.ts';
import type { AuditDeps } from './ports.ts';
import { readScpArguments } from './scp-arguments.ts';
import { ScpGate } from './scp-gate.ts';
import { SftpGate, startsSftpServer } from './sftp-gate.ts';
import { SubsystemGate } from './subsystem-gate.ts';

export interface AuditGates extends GateFactory {
  /** Ends every session that this user has open here. */
  endSessionsOf(userName: string, reason: string, tell: string): void;
}

export const createAuditGates = (deps: AuditDeps): AuditGates => {
  const open = new Set<AuditedChannel>();
  /** When a user was disabled: sessions from before may open no more channels. */
  const disabled = new Map<string, number>();
  const withdrawn = (context: GateContext): boolean => {
    const since = disabled.get(context.user.name);
    return since !== undefined && context.startedAt <= since;
  };
  /** Forwards that were judged before they were opened. */
  const admitted = new WeakMap<ChannelStart, Admitted>();
  return {
    admit: async (context, start, what) => {
      if (!isForward(start)) return { kind: 'pass' };
      if (withdrawn(context)) return WITHDRAWN;
      const { admission, admitted: found } = await admitForward(deps, context, start, what);
      if (found !== undefined) admitted.set(start, found);
      return admission;
    },
    holdsLines: (context) => {
      const rows = new AuditRows(deps, {
        ...context,
        channel: 0,
        environment: new Map(),
        terminal: undefined,
      });
      const policy = deps.policies.current;
      return (['shell', 'exec'] as const).some(
        (kind) => policy.appliesTo(rows.sessionContext(kind, undefined)).holding,
      );
    },
    open: (context, outlet) => {
      const channel = new AuditedChannel(deps, context, outlet, admitted, () => open.delete(channel));
      open.add(channel);
      if (withdrawn(context)) channel.refuseAll();
      return channel;
    },
    endSessionsOf: (userName, reason, tell) => {
      disabled.set(userName, deps.now());
      for (const channel of [...open]) if (channel.userName === userName) channel.endSession(reason, tell);
    },
  };
};

const WITHDRAWN = {
  kind: 'refuse',
  code: 'SP_USER_DISABLED',
  detail: 'the user was disabled after the session began',
  tell: 'Your access has been withdrawn. Ask your administrator.',
} as const;

type Phase =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refusing' }
  | { readonly kind: 'gated'; readonly gate: ChannelGate }
  | { readonly kind: 'ended' };

class AuditedChannel implements ChannelGate {
  readonly #deps: AuditDeps;
  readonly #context: GateContext;
  readonly #outlet: GateOutlet;
  readonly #admitted: WeakMap<ChannelStart, Admitted>;
  readonly #gone: () => void;
  #phase: Phase = { kind: 'opened' };

  constructor(
    deps: AuditDeps,
    context: GateContext,
    outlet: GateOutlet,
    admitted: WeakMap<ChannelStart, Admitted>,
    gone: () => void,
  ) {
    this.#deps = deps;
    this.#admitted = admitted;
    this.#context = context;
    this.#outlet = outlet;
    this.#gone = gone;
  }

  get userName(): string {
    return this.#context.user.name;
  }

  refuseAll(): void {
    this.#phase = { kind: 'refusing' };
  }

  endSession(reason: string, tell: string): void {
    this.#outlet.endSession(reason, tell);
  }

  start(request: ChannelStart): StartVerdict | Promise<StartVerdict> {
    switch (this.#phase.kind) {
      case 'refusing':
      case 'ended':
        return WITHDRAWN;
      case 'opened':
      case 'gated': {
        const gate = this.#gateFor(request);
        this.#phase = { kind: 'gated', gate };
        return gate.start(request);
      }
    }
  }

  fromClient(event: ClientEvent): void {
    if (this.#phase.kind === 'gated') this.#phase.gate.fromClient(event);
  }

  fromDevice(event: DeviceEvent): void {
    if (this.#phase.kind === 'gated') this.#phase.gate.fromDevice(event);
  }

  goOn(): void {
    if (this.#phase.kind === 'gated') this.#phase.gate.goOn?.();
  }

  get picture(): TerminalPicture | undefined {
    return this.#phase.kind === 'gated' ? this.#phase.gate.picture : undefined;
  }

  get keptFromClient(): number {
    return this.#phase.kind === 'gated' ? this.#phase.gate.keptFromClient : 0;
  }

  get keptFromDevice(): number {
    return this.#phase.kind === 'gated' ? this.#phase.gate.keptFromDevice : 0;
  }

  get passesFromClient(): boolean {
    return this.#phase.kind === 'gated' && this.#phase.gate.passesFromClient === true;
  }

  get passesFromDevice(): boolean {
    return this.#phase.kind === 'gated' && this.#phase.gate.passesFromDevice === true;
  }

  [Symbol.dispose](): void {
    const phase = this.#phase;
    this.#phase = { kind: 'ended' };
    this.#gone();
    if (phase.kind === 'gated') phase.gate[Symbol.dispose]();
  }

  #gateFor(request: ChannelStart): ChannelGate {
    switch (request.kind) {
      case 'shell':
      case 'exec': {
        const gate = new ExecGate(this.#deps, this.#context, this.#outlet);
        if (request.kind === 'shell') return gate;
        const command = request.command.toString('utf8');
        if (readScpArguments(command) !== undefined) {
          return new ScpGate(this.#deps, this.#context, this.#outlet, gate);
        }
        // `sftp -s PATH`, and clients that start it with sudo: the protocol is the subsystem's.
        return startsSftpServer(command) ? new SftpGate(this.#deps, this.#context, this.#outlet, gate) : gate;
      }
      case 'subsystem':
        return request.name === 'sftp'
          ? new SftpGate(this.#deps, this.#context, this.#outlet)
          : new SubsystemGate(this.#deps, this.#context, this.#outlet);
      case 'direct-tcpip':
      case 'forwarded-tcpip':
      case 'streamlocal':
      case 'agent':
      case 'x11':
        return new ForwardGate(this.#deps, this.#context, this.#outlet, this.#admitted.get(request));
    }
  }
}
