// Shells and commands: an exec request is judged before it is sent on; a terminal goes through the terminal gate, whatever
// was started on it; a shell without a terminal has its standard input judged, other interpreters have theirs measured.
import { analyse } from '../../policies/analysis/analyse.ts';
import type { Analysis } from '../../policies/analysis/types.ts';
import type {
  ChannelGate,
  ChannelStart,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateOutlet,
  StartVerdict,
  TerminalPicture,
} from '../channels/gate-port.ts';
import { InputGate, interpreterOnInput, mayRunInput, opaqueInput, shellOnInput } from './input-gate.ts';
import { Judge, type Judged } from './judge.ts';
import type { ApprovalAnswer, AuditDeps } from './ports.ts';
import { isNetworkDevice } from './reader.ts';
import { readScpArguments } from './scp-arguments.ts';
import { startState } from './start-state.ts';
import { TerminalGate } from './terminal-gate.ts';

/** As shells say that a command was found and may not run (POSIX 2.8.2). */
const NOT_PERMITTED = 126;

type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'terminal'; readonly gate: TerminalGate }
  | { readonly kind: 'input'; readonly gate: InputGate }
  /** Nothing that it reads can run anything. */
  | { readonly kind: 'passing' }
  | { readonly kind: 'ended' };

export class ExecGate implements ChannelGate {
  readonly #deps: AuditDeps;
  readonly #context: GateContext;
  readonly #outlet: GateOutlet;
  readonly #judge: Judge;
  #phase: Phase = { kind: 'starting' };
  #cancelApproval: (() => void) | undefined;

  constructor(deps: AuditDeps, context: GateContext, outlet: GateOutlet) {
    this.#deps = deps;
    this.#context = context;
    this.#outlet = outlet;
    this.#judge = new Judge(deps, context);
  }

  start(request: ChannelStart): StartVerdict | Promise<StartVerdict> {
    if (request.kind === 'exec') return this.#exec(request.command);
    this.#phase =
      this.#context.terminal === undefined
        ? { kind: 'input', gate: this.#input('shell') }
        : { kind: 'terminal', gate: this.#terminal('shell', undefined, undefined) };
    return { kind: 'pass' };
  }

  fromClient(event: ClientEvent): void {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'terminal':
        phase.gate.fromClient(event);
        return;
      case 'input':
        if (event.kind === 'data') phase.gate.data(event.data);
        else if (event.kind === 'eof') phase.gate.end(event);
        else {
          if (event.kind === 'closed') phase.gate[Symbol.dispose]();
          this.#outlet.toDevice(event);
        }
        return;
      case 'passing':
        this.#outlet.toDevice(event);
        return;
      case 'starting':
      case 'ended':
        return;
    }
  }

  fromDevice(event: DeviceEvent): void {
    const phase = this.#phase;
    if (phase.kind === 'terminal') phase.gate.fromDevice(event);
    else if (phase.kind === 'input' && phase.gate.stopped && event.kind === 'exit') {
      // Whatever the last command before it said: the script did not run to its end.
      this.#outlet.toClient({ kind: 'exit', outcome: { kind: 'status', status: NOT_PERMITTED } });
    } else this.#outlet.toClient(event);
  }

  goOn(): void {
    if (this.#phase.kind === 'terminal') this.#phase.gate.goOn();
  }

  get picture(): TerminalPicture | undefined {
    return this.#phase.kind === 'terminal' ? this.#phase.gate.picture : undefined;
  }

  get keptFromClient(): number {
    const phase = this.#phase;
    if (phase.kind === 'terminal') return phase.gate.keptFromClient;
    return phase.kind === 'input' ? phase.gate.keptBytes : 0;
  }

  get keptFromDevice(): number {
    return 0;
  }

  get passesFromClient(): boolean {
    return this.#phase.kind === 'passing';
  }

  get passesFromDevice(): boolean {
    const phase = this.#phase;
    if (phase.kind === 'terminal') return phase.gate.passesFromDevice;
    return phase.kind === 'passing' || phase.kind === 'input';
  }

  [Symbol.dispose](): void {
    const phase = this.#phase;
    this.#phase = { kind: 'ended' };
    this.#cancelApproval?.();
    if (phase.kind === 'terminal' || phase.kind === 'input') phase.gate[Symbol.dispose]();
  }

  async #exec(command: Buffer): Promise<StartVerdict> {
    const text = command.toString('utf8');
    const analyses = this.#analyse(text);
    const [first] = analyses;
    const judged = await this.#judge.judge({
      kind: 'exec',
      context: isNetworkDevice(this.#context.device.os) ? 'network' : 'shell',
      typed: text,
      command: text,
      candidates: [],
      analyses,
      how: 'request',
      confidence: 1,
      hidden: false,
      environment: this.#context.environment,
    });
    if (judged.ruling.kind === 'run' && first !== undefined && this.#disguisedCopy(text, first)) {
      await this.#judge.settle(judged.entry, 'refused', 'scp in another form than its own');
      return refused('SP_SCP_FORM', text, 'Files are copied with scp only as an scp client asks for it.');
    }
    const verdict = await this.#rule(judged, text);
    if (verdict.kind === 'pass' && this.#phase.kind === 'starting' && first !== undefined)
      this.#phase = this.#started(text, first);
    return verdict;
  }

  #analyse(text: string): readonly Analysis[] {
    const network = isNetworkDevice(this.#context.device.os);
    const shell = analyse(text, { state: startState(this.#context) });
    const first = network ? analyse(text, { grammar: 'network-cli' }) : shell;
    const unseen = this.#context.terminal === undefined ? interpreterOnInput(shell) : undefined;
    const notText = /[\0\ufffd]/.test(text);
    if (unseen === undefined && !notText) return [first];
    const opaque = [
      ...first.opaque,
      ...(unseen === undefined ? [] : [opaqueInput(`the input of ${unseen}`)]),
      ...(notText ? [opaqueInput('a command that is no text')] : []),
    ];
    return [{ ...first, opaque }];
  }

  /** An scp server that its own gate does not see, while a rule could speak against what it copies. */
  #disguisedCopy(text: string, analysis: Analysis): boolean {
    return (
      this.#judge.mayHold('scp') &&
      readScpArguments(text) === undefined &&
      analysis.commands.some(
        ({ name, argv }) => name === 'scp' && argv.slice(1).some((word) => /^-[a-zA-Z]*[tf]/.test(word)),
      )
    );
  }

  #started(text: string, analysis: Analysis): Phase {
    if (this.#context.terminal !== undefined) {
      const shell = shellOnInput(analysis);
      return { kind: 'terminal', gate: this.#terminal('exec', shell ? undefined : text, analysis) };
    }
    if (shellOnInput(analysis)) return { kind: 'input', gate: this.#input('exec') };
    const interpreter = interpreterOnInput(analysis);
    if (interpreter !== undefined) {
      return { kind: 'input', gate: InputGate.opaque(this.#inputOptions('exec'), interpreter) };
    }
    if (mayRunInput(analysis)) return { kind: 'input', gate: this.#input('exec') };
    return { kind: 'passing' };
  }

  async #rule(judged: Judged, text: string): Promise<StartVerdict> {
    const { ruling, entry } = judged;
    switch (ruling.kind) {
      case 'run':
        return { kind: 'pass' };
      case 'block':
        return refused('SP_BLOCKED', text, ruling.notice);
      case 'interrupt':
        // The refusal goes out first, so that the user reads the reason.
        setImmediate(() => this.#outlet.endSession('interrupted-by-rule', 'A rule ended this session.'));
        return refused('SP_INTERRUPTED', text, ruling.notice);
      case 'confirm':
      case 'reauthenticate':
        await this.#judge.settle(entry, 'declined', 'nobody can be asked without an interactive shell');
        return refused(
          'SP_NEEDS_ANSWER',
          text,
          `${ruling.notice}\nThe question can be asked in an interactive shell only.`,
        );
      case 'approve': {
        const asked = await this.#deps.approvals.ask(entry, ruling.rule);
        this.#cancelApproval = asked.cancel;
        const minutes = Math.round(this.#deps.approvals.patience / 60_000);
        this.#outlet.injectToClient(
          Buffer.from(
            `sallyport: this command waits up to ${minutes} minutes for somebody else to type: sallyport session approve ${asked.id}${this.#context.terminal === undefined ? '\n' : '\r\n'}`,
          ),
          this.#context.terminal === undefined ? 'stderr' : 'stdout',
        );
        return this.#approved(judged, text, await asked.answer);
      }
    }
  }

  async #approved({ entry }: Judged, text: string, answer: ApprovalAnswer): Promise<StartVerdict> {
    this.#cancelApproval = undefined;
    switch (answer.kind) {
      case 'approved':
        if (await this.#judge.settle(entry, 'ran', `approved by ${answer.by}`)) return { kind: 'pass' };
        return refused('SP_AUDIT_LOG', text, 'The audit log cannot be written at the moment.');
      case 'denied':
        await this.#judge.settle(entry, 'declined', `denied by ${answer.by}`);
        return refused('SP_DENIED', text, `It was denied by ${answer.by}.`);
      case 'expired':
        await this.#judge.settle(entry, 'declined', 'nobody approved in time');
        return refused('SP_NOT_APPROVED', text, 'Nobody approved it in time.');
    }
  }

  #terminal(
    kind: 'shell' | 'exec',
    program: string | undefined,
    started: Analysis | undefined,
  ): TerminalGate {
    return new TerminalGate({
      deps: this.#deps,
      judge: this.#judge,
      context: this.#context,
      outlet: this.#outlet,
      kind,
      program,
      started,
    });
  }

  #input(kind: 'shell' | 'exec'): InputGate {
    return new InputGate(this.#inputOptions(kind));
  }

  #inputOptions(kind: 'shell' | 'exec'): ConstructorParameters<typeof InputGate>[0] {
    return {
      judge: this.#judge,
      outlet: this.#outlet,
      kind,
      state: startState(this.#context),
      observe: () => !this.#judge.mayHold(kind),
    };
  }
}

const refused = (code: string, command: string, notice: string): StartVerdict => ({
  kind: 'refuse',
  code,
  detail: command.slice(0, 512),
  tell: `Not run. ${notice}`,
  status: NOT_PERMITTED,
});
