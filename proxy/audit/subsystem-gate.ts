// The gate of a subsystem other than sftp, which the grant has named: what it says is not read, so that its name, how much
// went each way and how long it took are all that the log has. Under an allow-list of commands its name must be listed.
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
import { Judge, type Judged } from './judge.ts';
import type { AuditDeps } from './ports.ts';

export class SubsystemGate implements ChannelGate {
  readonly #outlet: GateOutlet;
  readonly #judge: Judge;
  readonly #now: () => number;
  readonly #began: number;
  readonly keptFromClient = 0;
  readonly keptFromDevice = 0;
  #judged: Judged | undefined;
  #toDevice = 0;
  #toClient = 0;

  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet) {
    this.#outlet = outlet;
    this.#judge = new Judge(deps, context);
    this.#now = deps.clock;
    this.#began = deps.clock();
  }

  async start(start: ChannelStart): Promise<StartVerdict> {
    const name = start.kind === 'subsystem' ? start.name : '';
    const judged = await this.#judge.judge({
      kind: 'exec',
      context: 'subsystem',
      typed: `subsystem ${name}`,
      command: `subsystem ${name}`,
      candidates: [],
      analyses: [analyse(`subsystem '${name.replaceAll("'", '')}'`)],
      how: 'request',
      confidence: 1,
      hidden: false,
    });
    const { ruling, entry } = judged;
    switch (ruling.kind) {
      case 'run':
        this.#judged = judged;
        return { kind: 'pass' };
      case 'interrupt':
        this.#outlet.endSession('interrupted-by-rule', ruling.notice);
        break;
      case 'confirm':
      case 'reauthenticate':
      case 'approve':
        await this.#judge.settle(entry, 'declined', 'nobody can be asked for a subsystem');
        break;
      case 'block':
        break;
    }
    return {
      kind: 'refuse',
      code: 'SP_SUBSYSTEM_BLOCKED',
      detail: `subsystem ${name}`,
      tell: ruling.notice,
    };
  }

  fromClient(event: ClientEvent): void {
    if (event.kind === 'data') this.#toDevice += event.data.length;
    this.#outlet.toDevice(event);
  }

  fromDevice(event: DeviceEvent): void {
    if (event.kind === 'data') this.#toClient += event.data.length;
    this.#outlet.toClient(event);
  }

  [Symbol.dispose](): void {
    const judged = this.#judged;
    this.#judged = undefined;
    if (judged === undefined) return;
    const seconds = ((this.#now() - this.#began) / 1000).toFixed(1);
    void this.#judge.settle(
      judged.entry,
      'ran',
      `${this.#toDevice} bytes to the device, ${this.#toClient} bytes from the device, ${seconds} s`,
    );
  }
}
