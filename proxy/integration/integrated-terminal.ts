// Stands between a terminal's two sides and its gate while the shell is made to report its lines: keeps the timer, and
// passes on what the state machine says. Without it, or once it has given up, bytes go straight to the gate.
import { randomBytes } from 'node:crypto';
import { type IntegrationAction, ShellIntegration, type ShellReport } from './shell-integration.ts';
import type { IntegratedShell } from './shell-scripts.ts';

export interface IntegrationOutlet {
  /** Bytes of the device and of the user, for the gate. */
  readonly fromDevice: (bytes: Buffer) => void;
  readonly fromClient: (bytes: Buffer) => void;
  /** Bytes of the gateway's own. */
  readonly toDevice: (bytes: Buffer) => void;
  readonly installed: (shell: IntegratedShell) => void;
  /** These keys make the shell report its line, once. Undefined: it can't be asked any more. */
  readonly ready: (ask: Buffer | undefined) => void;
  readonly report: (report: ShellReport) => void;
  /** The line changed between verdict and submit key, and was dropped. */
  readonly changed: () => void;
  readonly event: (code: IntegrationEvent, detail: string) => void;
  /** A timer's work has failed: the terminal can't go on. */
  readonly failed: (error: unknown) => void;
}

export type IntegrationEvent =
  | 'SP_INTEGRATION_INSTALLED'
  | 'SP_INTEGRATION_UNAVAILABLE'
  | 'SP_INTEGRATION_SILENT'
  | 'SP_INTEGRATION_FORGED';

/** Lines in a row that the shell did not report although it said that it would, before it is asked no more. */
const MOST_SILENT = 3;

export class IntegratedTerminal implements Disposable {
  readonly #machine: ShellIntegration;
  readonly #clock: () => number;
  readonly #outlet: IntegrationOutlet;
  #timer: NodeJS.Timeout | undefined;
  /** The shell has said that it would answer. */
  #armed = false;
  #silent = 0;

  constructor(clock: () => number, roundTrip: number, outlet: IntegrationOutlet) {
    this.#clock = clock;
    this.#outlet = outlet;
    this.#machine = new ShellIntegration({
      now: clock(),
      roundTrip,
      secret: (digits) =>
        randomBytes(Math.ceil(digits / 2))
          .toString('hex')
          .slice(0, digits),
    });
  }

  get keptFromClient(): number {
    return this.#machine.keptBytes;
  }

  get keptFromDevice(): number {
    return this.#machine.withheldBytes;
  }

  get installed(): boolean {
    return this.#machine.state === 'installed';
  }

  fromDevice(bytes: Buffer): void {
    this.#carryOut(this.#machine.fromDevice(bytes, this.#clock()));
  }

  fromClient(bytes: Buffer): void {
    this.#carryOut(this.#machine.fromClient(bytes, this.#clock()));
  }

  /** Nothing more comes from the device: what was kept back comes out. */
  deviceEnded(): void {
    if (!this.installed) this.#carryOut(this.#machine.stop(this.#clock()));
  }

  /** A line was read. Answers whether the shell should have reported it and did not. */
  lineRead(reported: boolean): boolean {
    const missing = this.#armed && !reported;
    this.#armed = false;
    this.#silent = missing ? this.#silent + 1 : 0;
    if (this.#silent === MOST_SILENT) {
      this.#outlet.event('SP_INTEGRATION_SILENT', 'the shell does not report its lines any more');
      this.#outlet.ready(undefined);
    }
    return missing;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #carryOut(actions: readonly IntegrationAction[]): void {
    for (const action of actions) this.#act(action);
    clearTimeout(this.#timer);
    const at = this.#machine.wakeAt();
    if (at !== undefined) this.#timer = setTimeout(() => this.#wake(), Math.max(0, at - this.#clock()));
  }

  #wake(): void {
    try {
      this.#carryOut(this.#machine.timer(this.#clock()));
    } catch (error) {
      this.#outlet.failed(error);
    }
  }

  #act(action: IntegrationAction): void {
    const outlet = this.#outlet;
    switch (action.kind) {
      case 'output':
        outlet.fromDevice(action.bytes);
        return;
      case 'input':
        outlet.fromClient(action.bytes);
        return;
      case 'toDevice':
        outlet.toDevice(action.bytes);
        return;
      case 'ready':
        if (this.#silent >= MOST_SILENT) return;
        this.#armed = true;
        outlet.ready(action.ask);
        return;
      case 'report':
        outlet.report(action.report);
        return;
      case 'changed':
        outlet.changed();
        return;
      case 'forged':
        outlet.event(
          'SP_INTEGRATION_FORGED',
          'something spoke like the shell without knowing what it was asked',
        );
        return;
      case 'installed':
        outlet.event('SP_INTEGRATION_INSTALLED', action.shell);
        outlet.installed(action.shell);
        return;
      case 'unavailable':
        outlet.event('SP_INTEGRATION_UNAVAILABLE', action.because);
        return;
    }
  }
}
