// Chooses the gate of each channel by what the channel is asked to be. A kind of channel that has no gate of its own
// passes; each that has one is a file beside this.
import {
  type ChannelGate,
  type ChannelStart,
  type ClientEvent,
  type DeviceEvent,
  type GateContext,
  type GateFactory,
  type GateOutlet,
  openGates,
  type StartVerdict,
} from '../channels/gate-port.ts';
import { ExecGate } from './exec-gate.ts';
import type { AuditDeps } from './ports.ts';
import { readScpArguments } from './scp-arguments.ts';
import { ScpGate } from './scp-gate.ts';
import { SftpGate } from './sftp-gate.ts';

export interface AuditGates extends GateFactory {
  /** Ends every session that this user has open here. */
  endSessionsOf(userName: string, reason: string, tell: string): void;
}

export const createAuditGates = (deps: AuditDeps): AuditGates => {
  const open = new Set<AuditedChannel>();
  /** When a user was disabled: sessions from before may open no more channels. */
  const disabled = new Map<string, number>();
  return {
    open: (context, outlet) => {
      const channel = new AuditedChannel(deps, context, outlet, () => open.delete(channel));
      open.add(channel);
      const since = disabled.get(context.user.name);
      if (since !== undefined && context.startedAt <= since) channel.refuseAll();
      return channel;
    },
    endSessionsOf: (userName, reason, tell) => {
      disabled.set(userName, deps.now());
      for (const channel of [...open]) if (channel.userName === userName) channel.endSession(reason, tell);
    },
  };
};

type Phase =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refusing' }
  | { readonly kind: 'gated'; readonly gate: ChannelGate }
  | { readonly kind: 'ended' };

class AuditedChannel implements ChannelGate {
  readonly #deps: AuditDeps;
  readonly #context: GateContext;
  readonly #outlet: GateOutlet;
  readonly #gone: () => void;
  #phase: Phase = { kind: 'opened' };

  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet, gone: () => void) {
    this.#deps = deps;
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
        return {
          kind: 'refuse',
          code: 'SP_USER_DISABLED',
          detail: 'the user was disabled after the session began',
          tell: 'Your access has been withdrawn. Ask your administrator.',
        };
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

  get keptFromClient(): number {
    return this.#phase.kind === 'gated' ? this.#phase.gate.keptFromClient : 0;
  }

  get keptFromDevice(): number {
    return this.#phase.kind === 'gated' ? this.#phase.gate.keptFromDevice : 0;
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
        return request.kind === 'exec' && readScpArguments(request.command.toString('utf8')) !== undefined
          ? new ScpGate(this.#deps, this.#context, this.#outlet, gate)
          : gate;
      }
      case 'subsystem':
        if (request.name === 'sftp') return new SftpGate(this.#deps, this.#context, this.#outlet);
        return openGates.open(this.#context, this.#outlet);
      case 'direct-tcpip':
      case 'forwarded-tcpip':
      case 'streamlocal':
      case 'agent':
      case 'x11':
        return openGates.open(this.#context, this.#outlet);
    }
  }
}
