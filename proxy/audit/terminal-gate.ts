// The gate of a channel with a terminal: carries the gate machine's actions out, keeps its timer, and answers its
// requests by what the judge says, asking the user or a second person where a rule wants that. How a line is read, held
// and taken back is the machine's business (proxy/gate); what it comes to is the policy's.
import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { scriptReader } from '../../policies/analysis/script.ts';
import type { Analysis, ShellState } from '../../policies/analysis/types.ts';
import { paintTerminal } from '../../recordings/screen-image.ts';
import type {
  ChannelGate,
  ClientEvent,
  DeviceEvent,
  GateContext,
  GateOutlet,
  PassedRequest,
  TerminalPicture,
} from '../channels/gate-port.ts';
import { Gate } from '../gate/gate.ts';
import {
  ENFORCE,
  type GateAction,
  type GateAlarm,
  type GateSettings,
  OBSERVE,
  type Outcome,
  type VerdictAnswer,
  type VerdictRequest,
} from '../gate/gate-types.ts';
import { IntegratedTerminal } from '../integration/integrated-terminal.ts';
import { SideChannel, type TerminalFact } from '../integration/side-channel.ts';
import { CERTAIN } from '../terminal/reading.ts';
import type { Look } from '../terminal/screen.ts';
import { encodeWindowChange } from '../transport/messages.ts';
import { APPROVAL_HELP, keyName, marked } from './audit-text.ts';
import type { Judge, Judged, Ruling, Submission } from './judge.ts';
import { NO_ENDS, type OpenEnds, type Refused, type Tried, tryEnds } from './line-ends.ts';
import type { ApprovalAnswer, AuditDeps } from './ports.ts';
import { isNetworkDevice, Readers } from './reader.ts';
import { startState } from './start-state.ts';

export interface TerminalStart {
  readonly deps: AuditDeps;
  readonly judge: Judge;
  readonly context: GateContext;
  readonly outlet: GateOutlet;
  readonly kind: 'shell' | 'exec';
  /** What was let start on the terminal when it is not a shell. */
  readonly program: string | undefined;
  /** What is known of what was let start. */
  readonly started: Analysis | undefined;
}

/** What is known of a request until its outcome is. */
interface Open {
  readonly request: VerdictRequest;
  readonly judged: Judged;
  readonly analyses: readonly Analysis[];
  /** What a shell would read on once this is let go, if programs have taken the beginning. */
  readonly openEnds: OpenEnds;
  tries: number;
  /** What becomes of it stands in the log already. */
  settled: boolean;
  cancelApproval: (() => void) | undefined;
}

/** A line that may be more texts than this is not judged, and does not run. */
const MOST_CANDIDATES = 64;
/** A paste of more lines than this is judged whole or not at all. */
const MOST_PASTED_LINES = 2_000;
const MOST_OPEN = 64;
/** Where a line editor can prove what it has, the ends of lines that are longer than this are not worth trying. */
const LONGEST_TRIED = 400;
const REAUTHENTICATION_TRIES = 3;
const KEY_NOTES_APART = 2_000;
const MOST_KEY_NOTES = 500;

const settingsFor = (holding: boolean, os: string | undefined): GateSettings => {
  if (!holding) return OBSERVE;
  // A network device may take ^C for more than giving up a line, and knows no redraw.
  if (isNetworkDevice(os)) return { ...ENFORCE, probes: false, replay: 'never', erase: 'kill-line' };
  return ENFORCE;
};

export class TerminalGate implements Omit<ChannelGate, 'start'> {
  readonly #deps: AuditDeps;
  readonly #judge: Judge;
  readonly #context: GateContext;
  readonly #outlet: GateOutlet;
  readonly #kind: TerminalStart['kind'];
  readonly #gate: Gate;
  readonly #readers: Readers;
  readonly #open = new Map<number, Open>();
  /** Outcomes of requests whose judging was still under way. */
  readonly #early = new Map<number, 'cancelled' | 'blocked'>();
  readonly #stopListening: () => void;
  /** Makes the shell report its lines, where that is asked for. */
  readonly #integrated: IntegratedTerminal | undefined;
  /** Tells what goes on at the terminal, where that is asked for. */
  #side: SideChannel | undefined;
  /** What the shell said of its aliases with its last report. */
  #aliases: ReadonlyMap<string, string> = new Map();
  #settings: GateSettings;
  #marks: ClientEvent[] = [];
  #resized: PassedRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #phase: 'open' | 'ended' = 'open';
  #state: ShellState;
  /** Lines of a command that the shell goes on reading, as the analysis sees it. */
  #unfinished = '';
  /** Some of them were typed without echo. */
  #unfinishedHidden = false;
  /** What a shell may be reading on, if programs have taken the beginning of lines that were let go. */
  #openEnds: OpenEnds = NO_ENDS;
  /** Tells whether two hidden texts of this terminal are the same; it is never stored. */
  readonly #markKey = randomBytes(32);
  #echo: { sentAt: number | undefined; best: number | undefined; lastOutput: number } = {
    sentAt: undefined,
    best: undefined,
    lastOutput: Number.NEGATIVE_INFINITY,
  };
  #keyNotes = { last: '', at: Number.NEGATIVE_INFINITY, count: 0 };

  constructor({ deps, judge, context, outlet, kind, program, started }: TerminalStart) {
    this.#deps = deps;
    this.#judge = judge;
    this.#context = context;
    this.#outlet = outlet;
    this.#kind = kind;
    this.#state = startState(context);
    this.#readers = new Readers(context.device.os);
    if (started !== undefined) this.#readers.started(started);
    this.#settings = this.#wantedSettings();
    this.#gate = new Gate({
      columns: context.terminal?.columns || 80,
      rows: context.terminal?.rows || 24,
      settings: this.#settings,
      roundTrip: context.roundTrip ?? 5,
      now: deps.clock(),
      ...(program === undefined ? {} : { program }),
    });
    this.#stopListening = deps.policies.onChange(() => this.#rulesChanged());
    this.#integrated = this.#wantsIntegration() ? this.#integrate() : undefined;
  }

  get picture(): TerminalPicture {
    const gate = this.#gate;
    return {
      alternate: gate.alternate,
      paint: () => gate.picture((terminal) => paintTerminal(terminal) + keyboardModes(terminal)) ?? '',
    };
  }

  get keptFromClient(): number {
    return this.#gate.keptBytes + (this.#integrated?.keptFromClient ?? 0);
  }

  get keptFromDevice(): number {
    return this.#integrated?.keptFromDevice ?? 0;
  }

  /** What a shell that reports its lines prints is looked through for the reports, and may wait; all else goes by. */
  get passesFromDevice(): boolean {
    return this.#integrated === undefined;
  }

  fromClient(event: ClientEvent): void {
    if (this.#phase === 'ended') return;
    switch (event.kind) {
      case 'data':
        // Whoever sends ^C, ^D or ^Z may be leaving what was running, and gives up an unfinished command.
        if (event.data.includes(3) || event.data.includes(4) || event.data.includes(26)) {
          this.#readers.perhapsLeft();
          if (event.data.includes(3)) {
            this.#unfinished = '';
            this.#unfinishedHidden = false;
          }
        }
        this.#keysSent();
        if (this.#integrated === undefined) this.#fromUser(event.data);
        else this.#integrated.fromClient(event.data);
        return;
      case 'request': {
        const { size } = event.request;
        if (size === undefined) {
          this.#outlet.toDevice(event);
          return;
        }
        this.#resized = event.request;
        this.#carryOut(this.#gate.resize(size.columns || 80, size.rows || 24, this.#deps.clock()));
        this.#resized = undefined;
        return;
      }
      case 'eof':
        this.#marks.push(event);
        this.#passMarks();
        return;
      case 'closed':
        // What was still held was never submitted.
        this.#outlet.toDevice(event);
        this[Symbol.dispose]();
        return;
    }
  }

  fromDevice(event: DeviceEvent): void {
    if (event.kind !== 'data' || event.stream === 'stderr' || this.#phase === 'ended') {
      if (event.kind !== 'data' && this.#phase !== 'ended') this.#integrated?.deviceEnded();
      this.#outlet.toClient(event);
      return;
    }
    this.#measure();
    this.#side ??= this.#openSide();
    if (this.#integrated === undefined) this.#fromTerminal(event.data);
    else this.#integrated.fromDevice(event.data);
  }

  [Symbol.dispose](): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    clearTimeout(this.#timer);
    this.#integrated?.[Symbol.dispose]();
    this.#side?.[Symbol.dispose]();
    this.#stopListening();
    for (const open of this.#open.values()) open.cancelApproval?.();
    this.#open.clear();
    this.#marks = [];
    this.#gate[Symbol.dispose]();
  }

  get #over(): boolean {
    return this.#phase === 'ended';
  }

  // ---- other ways of reading than the screen

  #fromUser(bytes: Buffer): void {
    if (this.#phase === 'ended') return;
    this.#carryOut(this.#gate.clientData(bytes, this.#deps.clock()));
  }

  #fromTerminal(bytes: Buffer): void {
    if (this.#phase === 'ended') return;
    this.#carryOut(this.#gate.deviceData(bytes, this.#deps.clock()));
  }

  #wantsIntegration(): boolean {
    const { reading, device } = this.#context;
    return reading?.shellIntegration === true && this.#kind === 'shell' && !isNetworkDevice(device.os);
  }

  #integrate(): IntegratedTerminal {
    const { clock, events } = this.#deps;
    return new IntegratedTerminal(clock, this.#context.roundTrip ?? 5, {
      fromDevice: (bytes) => this.#fromTerminal(bytes),
      fromClient: (bytes) => this.#fromUser(bytes),
      toDevice: (bytes) => this.#outlet.injectToDevice(bytes),
      installed: (shell) => this.#gate.editorIs(shell === 'bash' ? 'readline' : shell),
      ready: (ask) => this.#gate.witnessReady(ask),
      report: ({ text, aliases, keys }) => {
        this.#aliases = aliases;
        this.#carryOut(this.#gate.reported(text, clock(), keys));
      },
      changed: () => {
        this.#show('The line was changed after it had been judged, so the shell did not run it.');
        void this.#note('', 'refused', 'SP_INTEGRATION_CHANGED: the line changed after it had been judged');
      },
      event: (code, detail) => {
        const fields = { session: this.#context.sessionId, code, detail };
        if (code === 'SP_INTEGRATION_INSTALLED') events.info(fields, 'shell integration');
        else events.warn(fields, 'shell integration');
      },
      failed: (error) => this.#failed(error),
    });
  }

  #openSide(): SideChannel | undefined {
    const { aside, reading, roundTrip, device } = this.#context;
    if (aside === undefined || reading?.sideChannel !== true || isNetworkDevice(device.os)) return undefined;
    return new SideChannel(aside, roundTrip ?? 5, (what) => {
      const fields = { session: this.#context.sessionId, code: `SP_SIDE_CHANNEL_${what.toUpperCase()}` };
      this.#deps.events.info(fields, 'side channel');
    });
  }

  /** What the device says of its terminal at this moment. */
  async #askSide(): Promise<TerminalFact | undefined> {
    const fact = await this.#side?.ask();
    if (fact !== undefined && this.#phase === 'open') {
      const { echo, foreground, shellReads } = fact;
      this.#carryOut(this.#gate.sideFact({ echo, foreground, shellReads }, this.#deps.clock()));
      if (!shellReads && foreground !== undefined) this.#readers.mayRead(foreground);
    }
    return fact;
  }

  /** How a line was read that a shell should have reported, and what is known besides: for its row. */
  #howKnown({ what, reading }: VerdictRequest, fact: TerminalFact | undefined): readonly string[] {
    const told: string[] = [];
    if (what === 'line' && this.#integrated !== undefined) {
      this.#integrated.lineRead(reading.how === 'integrated');
      if (this.#integrated.installed && reading.how !== 'integrated') told.push('not reported by the shell');
      if (reading.how === 'integrated' && reading.doubts.includes('mismatch'))
        told.push('the screen does not show what the shell reported');
    }
    if (fact !== undefined && !fact.shellReads && fact.foreground !== undefined)
      told.push(`${fact.foreground} is in the foreground${fact.echo === false ? ', echo is off' : ''}`);
    return told;
  }

  // ---- the machine's actions

  #carryOut(actions: readonly GateAction[]): void {
    const before = this.#gate.keptBytes;
    for (const action of actions) {
      if (this.#phase === 'ended') return;
      this.#act(action);
    }
    if (this.#phase === 'ended') return;
    if (this.#gate.keptBytes < before || before === 0) this.#outlet.keptLess();
    this.#passMarks();
  }

  #act(action: GateAction): void {
    switch (action.kind) {
      case 'toDevice':
        if (action.origin === 'user') this.#outlet.toDevice({ kind: 'data', data: action.bytes });
        else this.#outlet.injectToDevice(action.bytes);
        return;
      case 'toClient':
        if (action.origin === 'device')
          this.#outlet.toClient({ kind: 'data', data: action.bytes, stream: 'stdout' });
        else this.#outlet.injectToClient(action.bytes, 'stdout');
        return;
      case 'resizeDevice':
        this.#resize(action.columns, action.rows);
        return;
      case 'requestVerdict':
        void this.#answer(action.request);
        return;
      case 'observed':
        void this.#observed(action.request);
        return;
      case 'outcome':
        this.#outcome(action.id, action.outcome);
        return;
      case 'answered':
        void this.#answered(action.id, action.answer);
        return;
      case 'refusedKey':
        this.#refusedKey(action.bytes, action.because);
        return;
      case 'alarm':
        this.#alarm(action.alarm, action.detail);
        return;
      case 'timer':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#wake(), Math.max(0, action.at - this.#deps.clock()));
        return;
      case 'endChannel':
        this.#end(action.code, action.tell);
        return;
    }
  }

  /** The session was held, and goes on. */
  goOn(): void {
    if (this.#phase !== 'ended') this.#carryOut(this.#gate.go(this.#deps.clock()));
  }

  /** While the session is held the machine stands still: no verdict lets anything go, and no bound runs out. */
  #mind(): void {
    if (this.#outlet.held) this.#gate.stand(this.#deps.clock());
  }

  #wake(): void {
    if (this.#phase === 'ended') return;
    this.#mind();
    try {
      this.#carryOut(this.#gate.timer(this.#deps.clock()));
    } catch (error) {
      this.#failed(error);
    }
  }

  #resize(columns: number, rows: number): void {
    const { size } = this.#resized ?? {};
    if (this.#resized !== undefined && size?.columns === columns && size.rows === rows) {
      this.#outlet.toDevice({ kind: 'request', request: this.#resized });
      return;
    }
    const request: PassedRequest = {
      name: 'window-change',
      body: encodeWindowChange({ columns, rows, widthPixels: 0, heightPixels: 0 }),
      size: { columns, rows },
      refuse: () => {},
    };
    this.#outlet.toDevice({ kind: 'request', request });
  }

  /** EOF goes behind everything that was typed before it. */
  #passMarks(): void {
    if (this.#marks.length === 0 || this.keptFromClient > 0) return;
    const phase = this.#gate.phase;
    if (phase !== 'open' && phase !== 'after' && phase !== 'ended') return;
    const marks = this.#marks;
    this.#marks = [];
    for (const mark of marks) this.#outlet.toDevice(mark);
  }

  #end(code: string, tell: string): void {
    this.#deps.events.info({ session: this.#context.sessionId, code }, 'terminal ended by the gate');
    if (code === 'SP_GATE_INTERRUPTED') {
      this.#outlet.endSession('interrupted-by-rule', 'A rule ended this session.');
    } else this.#outlet.endChannel(code, tell);
    this[Symbol.dispose]();
  }

  /** Fail closed: a terminal that can't be judged ends. */
  #failed(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.#outlet.endSession(`gate-failed: ${detail}`, 'This session could not be judged and was stopped.');
    this[Symbol.dispose]();
  }

  // ---- the rules

  #wantedSettings(): GateSettings {
    return settingsFor(this.#judge.mayHold(this.#kind), this.#context.device.os);
  }

  #rulesChanged(): void {
    if (this.#phase === 'ended') return;
    this.#settings = this.#wantedSettings();
    this.#gate.configure(this.#settings);
  }

  // ---- verdicts

  async #answer(request: VerdictRequest): Promise<void> {
    try {
      if (request.what === 'paste' && request.unproven?.provable === true) {
        // Its line ends go with it: who takes it must be known before anything of it is sent.
        this.#verdict(request.id, { kind: 'prove', digits: unguessableDigits(), beyond: false });
        return;
      }
      const fact = await this.#askSide();
      if (this.#over) return;
      const analyses = this.#analyse(request);
      if (analyses === undefined) {
        this.#verdict(request.id, {
          kind: 'block',
          notice: marked(
            request.what === 'paste'
              ? 'Not pasted: so much text cannot be judged at once. Paste it in smaller pieces.'
              : 'Not run: this line could be too many different ones. Please type it again.',
          ),
        });
        return;
      }
      const submission = this.#submission(request, analyses, fact);
      const ends = await this.#tryEnds(request, submission);
      if (this.#over) return;
      if (ends.kind !== 'allowed' && this.#provable(request, ends)) {
        const beyond = ends.kind === 'held' && ends.from === 'left';
        this.#verdict(request.id, { kind: 'prove', digits: unguessableDigits(), beyond });
        return;
      }
      const judged = await this.#judge.judge(
        ends.kind === 'allowed' ? submission : { ...submission, end: ends },
      );
      if (this.#over) return;
      const early = this.#early.get(request.id);
      this.#early.delete(request.id);
      if (early !== undefined) {
        // The machine has not waited: the user gave up, or it took too long.
        await this.#judge.settle(
          judged.entry,
          early === 'cancelled' ? 'cancelled' : 'refused',
          'not waited for',
        );
        return;
      }
      this.#remember(request, judged, analyses, ends.kind === 'allowed' ? ends.open : NO_ENDS);
      await this.#rule(request.id, judged.ruling);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #observed(request: VerdictRequest): Promise<void> {
    try {
      const analyses = this.#analyse(request) ?? [];
      const judged = await this.#judge.judge(this.#submission(request, analyses, undefined));
      if (!judged.logged) {
        this.#outlet.endSession('audit-log-failed', 'The audit log cannot be written, so this session ends.');
        return;
      }
      this.#ran(request, analyses);
      // Rules came into force between the submit key and its reading: it ran, and that is what is written.
      if (judged.ruling.kind !== 'run') await this.#judge.settle(judged.entry, 'ran', 'not held');
    } catch (error) {
      this.#failed(error);
    }
  }

  #remember(
    request: VerdictRequest,
    judged: Judged,
    analyses: readonly Analysis[],
    openEnds: OpenEnds,
  ): void {
    if (this.#open.size >= MOST_OPEN) {
      const oldest = this.#open.keys().next();
      if (oldest.done !== true) this.#open.delete(oldest.value);
    }
    this.#open.set(request.id, {
      request,
      judged,
      analyses,
      openEnds,
      tries: 0,
      settled: false,
      cancelApproval: undefined,
    });
  }

  async #rule(id: number, ruling: Ruling): Promise<void> {
    const paste = this.#open.get(id)?.request.what === 'paste';
    switch (ruling.kind) {
      case 'run':
        this.#verdict(id, { kind: 'release' });
        return;
      case 'block':
        this.#verdict(id, { kind: 'block', notice: marked(`Not run. ${ruling.notice}`) });
        return;
      case 'interrupt':
        this.#verdict(id, { kind: 'interrupt', notice: marked(`Not run. ${ruling.notice}`) });
        return;
      case 'confirm':
      case 'reauthenticate':
      case 'approve':
        if (paste) {
          await this.#decline(id, 'pasted', `${ruling.notice}\nPaste it without its line ends, or type it.`);
          return;
        }
        if (ruling.kind === 'confirm') this.#ask(id, `${ruling.notice}\nRun it? [y/N]`, true);
        else if (ruling.kind === 'approve') await this.#seekApproval(id, ruling.notice, ruling.rule);
        else await this.#identify(id, ruling.notice);
        return;
    }
  }

  #verdict(id: number, answer: VerdictAnswer): void {
    if (this.#phase === 'ended') return;
    this.#mind();
    this.#carryOut(this.#gate.verdict(id, answer, this.#deps.clock()));
  }

  #ask(id: number, text: string, echo: boolean): void {
    const lines = text.split('\n');
    const question = lines.pop() ?? '';
    for (const line of lines) this.#show(line);
    this.#verdict(id, { kind: 'ask', question: marked(question), echo });
  }

  /** Lines above a question: the machine's own question is one line. */
  #show(line: string): void {
    this.#outlet.injectToClient(Buffer.from(`\r\n${marked(line)}`), 'stdout');
  }

  async #decline(id: number, detail: string, notice: string): Promise<void> {
    const open = this.#open.get(id);
    if (open !== undefined) {
      open.settled = true;
      await this.#judge.settle(open.judged.entry, 'declined', detail);
    }
    this.#verdict(id, { kind: 'block', notice: marked(`Not run. ${notice}`) });
  }

  /** The answer was yes. What ran must stand in the log as such before it does. */
  async #accept(id: number, detail: string): Promise<void> {
    const open = this.#open.get(id);
    const written = open !== undefined && (await this.#judge.settle(open.judged.entry, 'ran', detail));
    if (written) this.#verdict(id, { kind: 'release' });
    else
      this.#verdict(id, {
        kind: 'block',
        notice: marked('Not run: the audit log cannot be written at the moment.'),
      });
  }

  async #answered(id: number, answer: string | undefined): Promise<void> {
    try {
      const open = this.#open.get(id);
      // Given up, or too late: the machine has decided by itself.
      if (open === undefined || answer === undefined) return;
      const { ruling } = open.judged;
      if (ruling.kind === 'reauthenticate') {
        await this.#identified(id, open, answer);
        return;
      }
      if (/^\s*y(?:es)?\s*$/i.test(answer)) await this.#accept(id, 'confirmed by the user');
      else await this.#decline(id, 'not confirmed', 'You did not confirm it.');
    } catch (error) {
      this.#failed(error);
    }
  }

  async #identify(id: number, notice: string): Promise<void> {
    const question = await this.#deps.identification.questionFor(this.#context.user.name);
    if (question === undefined) {
      await this.#decline(
        id,
        'nothing to identify with',
        `${notice}\nYour account has neither a password nor one-time codes. Ask your administrator.`,
      );
      return;
    }
    this.#ask(id, `${notice}\n${question}`, false);
  }

  async #identified(id: number, open: Open, answer: string): Promise<void> {
    const { user, sourceAddress } = this.#context;
    const result = await this.#deps.identification.check(user.name, sourceAddress, answer);
    open.tries += 1;
    if (result === 'right') {
      await this.#accept(id, 'identified once more');
      return;
    }
    if (result === 'wrong' && open.tries < REAUTHENTICATION_TRIES) {
      const question = await this.#deps.identification.questionFor(user.name);
      if (question !== undefined) {
        this.#ask(id, `That was not right.\n${question}`, false);
        return;
      }
    }
    open.settled = true;
    await this.#judge.settle(open.judged.entry, 'interrupted', `identification failed (${result})`);
    this.#verdict(id, {
      kind: 'interrupt',
      notice: marked('Not run. You could not be identified, so this session ends.'),
    });
  }

  async #seekApproval(id: number, notice: string, rule: string): Promise<void> {
    const open = this.#open.get(id);
    if (open === undefined) return;
    const { approvals } = this.#deps;
    const asked = await approvals.ask(open.judged.entry, rule);
    open.cancelApproval = asked.cancel;
    const minutes = Math.round(approvals.patience / 60_000);
    this.#verdict(id, {
      kind: 'wait',
      notice: marked(
        `${notice}\nIt waits up to ${minutes} minutes for somebody else to type: ${APPROVAL_HELP(asked.id)}\nCtrl-C gives it up.`,
      ),
      until: this.#deps.clock() + approvals.patience + 5_000,
    });
    void asked.answer
      .then((answer) => this.#approved(id, answer))
      .catch((error: unknown) => this.#failed(error));
  }

  async #approved(id: number, answer: ApprovalAnswer): Promise<void> {
    if (this.#phase === 'ended' || !this.#open.has(id)) return;
    switch (answer.kind) {
      case 'approved':
        await this.#accept(id, `approved by ${answer.by}`);
        return;
      case 'denied':
        await this.#decline(id, `denied by ${answer.by}`, `It was denied by ${answer.by}.`);
        return;
      case 'expired':
        await this.#decline(id, 'nobody approved in time', 'Nobody approved it in time.');
        return;
    }
  }

  #outcome(id: number, outcome: Outcome): void {
    const open = this.#open.get(id);
    if (open === undefined) {
      if (outcome === 'cancelled' || outcome === 'blocked') {
        this.#openEnds = NO_ENDS;
        this.#early.set(id, outcome);
      }
      return;
    }
    this.#open.delete(id);
    open.cancelApproval?.();
    this.#openEnds = NO_ENDS;
    const { entry, ruling } = open.judged;
    switch (outcome) {
      case 'released':
      case 'replayed':
        this.#openEnds = open.openEnds;
        this.#ran(open.request, open.analyses);
        return;
      case 'blocked':
        if (ruling.kind !== 'block' && ruling.kind !== 'interrupt' && !open.settled)
          void this.#judge.settle(entry, 'declined', 'no answer came in time');
        return;
      case 'unverifiable':
        void this.#judge.settle(entry, 'refused', 'it could not be read with certainty');
        return;
      case 'cancelled':
        void this.#judge.settle(entry, 'cancelled', 'given up by the user');
        return;
    }
  }

  // ---- what is submitted

  /** Every reading of what is submitted; undefined: too much to judge. */
  #analyse(request: VerdictRequest): readonly Analysis[] | undefined {
    const { reading, preceding, context } = request;
    const program = context.reader === 'program';
    const read = this.#reads(request);
    if (request.what === 'paste') return this.#analysePaste(request, read);
    const texts = [...new Set([reading.text, ...reading.candidates])];
    if (texts.length > MOST_CANDIDATES) return undefined;
    const before = preceding.join('\n');
    const found: Analysis[] = [];
    for (const text of texts) {
      if (before !== '') {
        found.push(...read(`${before}\n${text}`));
        const unfinished = read(before).some((analysis) => analysis.incomplete !== 'none');
        // The machine only guesses what belongs together.
        if (!unfinished || program) found.push(...read(text));
      } else {
        found.push(...read(text));
        if (this.#unfinished !== '') found.push(...read(`${this.#unfinished}\n${text}`));
      }
    }
    return this.#isPassword(request) ? found.map((analysis) => ({ ...analysis, opaque: [] })) : found;
  }

  /** Every reading of a text that may be what was submitted. */
  #reads({ reading, context }: VerdictRequest): (text: string) => readonly Analysis[] {
    const states = this.#statesFor(reading.how === 'integrated');
    return (text) =>
      states.flatMap((state) =>
        this.#readers.analyse(text, state, context.dialect, context.reader === 'program'),
      );
  }

  /** What a program reads without echo is one, most likely: its words are no commands that can't be understood. */
  #isPassword(request: VerdictRequest): boolean {
    const { reading, context } = request;
    return this.#hidden(request) && context.reader === 'program' && reading.doubts.includes('no-echo');
  }

  /**
   * A program may take the first keys of what is submitted, or have taken those of a line before, and a shell the rest.
   * The command line of a network device reads a line when it is asked for, and takes words in short: every other letter
   * would be a command there.
   */
  #tryEnds(request: VerdictRequest, { hidden, hiddenBefore, analyses }: Submission): Promise<Tried> | Tried {
    const { reading, anyEnd, unproven, what } = request;
    if (isNetworkDevice(this.#context.device.os) || !this.#judge.mayHold(this.#kind))
      return { kind: 'allowed', open: NO_ENDS };
    const contexts = [...new Set([this.#readers.name, 'shell'])];
    if (unproven !== undefined && this.#judge.blocks(this.#kind, contexts, analyses))
      return { kind: 'allowed', open: NO_ENDS };
    const read = this.#reads(request);
    const password = this.#isPassword(request);
    if (unproven?.provable === true && reading.text.length > LONGEST_TRIED)
      return { kind: 'too-many', atPrompt: true };
    return tryEnds(
      {
        texts: what === 'paste' ? [reading.text] : [...new Set([reading.text, ...reading.candidates])],
        anyEnd: anyEnd || unproven !== undefined,
        atPrompt: unproven !== undefined,
        left: unproven?.left ?? '',
        hidden: hidden || hiddenBefore === true,
        read: (text) => (password ? read(text).map((analysis) => ({ ...analysis, opaque: [] })) : read(text)),
        knows: (analyses) => analyses.some((analysis) => this.#judge.knows(analysis)),
        heldBy: (analyses) => this.#judge.heldBy(this.#kind, contexts, analyses),
        over: () => this.#over,
      },
      this.#openEnds,
    );
  }

  /** The line editor may prove that nothing of this line is what may not run. What an earlier line has left is not in it. */
  #provable({ unproven }: VerdictRequest, ends: Refused): boolean {
    return unproven?.provable === true && !(ends.kind === 'held' && ends.from === 'before');
  }

  #analysePaste(
    { reading, preceding }: VerdictRequest,
    read: (text: string) => readonly Analysis[],
  ): readonly Analysis[] | undefined {
    const whole = read([...preceding, reading.text].join('\n'));
    const clear = whole.every(
      (analysis) => !analysis.truncated && analysis.opaque.every(({ why }) => why !== 'grammar'),
    );
    if (clear) return whole;
    if (reading.candidates.length > MOST_PASTED_LINES) return undefined;
    // Too much for one analysis: command by command, as the shell reads it, and each line by itself.
    const reader = scriptReader('posix-shell', this.#state);
    const commands = reading.text.split('\n').flatMap((line) => reader.push(line) ?? []);
    const last = reader.end();
    return [
      ...whole.filter((analysis) => !analysis.truncated),
      ...commands,
      ...(last === undefined ? [] : [last]),
      ...reading.candidates.filter((line) => !line.includes('\n')).flatMap((line) => read(line)),
    ];
  }

  /** What the shell knows: as it was followed here, and with the aliases that it has itself spoken of. */
  #statesFor(reported: boolean): readonly ShellState[] {
    const state = this.#state;
    if (!reported || [...this.#aliases].every(([name, text]) => state.aliases.get(name) === text))
      return [state];
    return [{ ...state, aliases: new Map([...state.aliases, ...this.#aliases]) }, state];
  }

  #hidden(request: VerdictRequest): boolean {
    // Editors and pagers draw what is typed in ways of their own; where they ask for a secret, that is seen.
    return request.context.secret && (request.context.masked || !this.#inScreenProgram(request));
  }

  /** An editor or a pager reads: most of what is submitted there is text, not commands. */
  #inScreenProgram({ context }: VerdictRequest): boolean {
    const { name } = this.#readers;
    return context.alternateScreen && context.reader === 'program' && (name === 'editor' || name === 'pager');
  }

  #submission(
    request: VerdictRequest,
    analyses: readonly Analysis[],
    fact: TerminalFact | undefined,
  ): Submission {
    const { reading, preceding, what } = request;
    const reader = this.#readers.name;
    const hidden = this.#hidden(request) || asksForPassword(request, fact);
    const known = this.#howKnown(request, fact);
    const detail = [
      ...(hidden ? [this.#mark(reading.text)] : what === 'paste' ? ['pasted'] : []),
      ...known,
    ].join('; ');
    // Lines that were typed without echo are judged together with this one, and not stored with it.
    const before = request.context.secretBefore ? [] : preceding;
    const hiddenBefore = request.context.secretBefore || this.#unfinishedHidden;
    return {
      kind: this.#kind,
      context: reader,
      typed: reading.text,
      command: [...before, reading.text].join('\n'),
      // Some of them may begin with what was typed without echo before.
      candidates:
        what === 'paste' || request.context.secretBefore
          ? []
          : reading.candidates.map((text) => [...before, text].join('\n')),
      analyses,
      how: reading.how,
      confidence: reading.confidence,
      hidden,
      ...(hiddenBefore ? { hiddenBefore } : {}),
      ...(detail === '' ? {} : { detail }),
      quiet: this.#inScreenProgram(request) || isBlank(request),
    };
  }

  /** All that is kept of a hidden text: its length, and whether it was the same as another one here. */
  #mark(text: string): string {
    const mark = createHmac('sha256', this.#markKey).update(text).digest('hex').slice(0, 12);
    return `typed without echo: ${Array.from(text).length} characters, mark ${mark}`;
  }

  /** What was let through changes what the next line means. */
  #ran(request: VerdictRequest, analyses: readonly Analysis[]): void {
    if (request.what === 'paste') return;
    const [first] = analyses;
    if (first === undefined) return;
    for (const analysis of analyses) this.#readers.started(analysis);
    if (
      /^\s*(?:exit|quit|logout|bye|\\q|:q\S*|:x|:wq\S*|\.exit|\.quit)\b|^\s*(?:exit|quit)\s*\(/.test(
        request.reading.text,
      )
    )
      this.#readers.perhapsLeft();
    if (first.incomplete === 'none') {
      this.#state = first.stateAfter;
      this.#unfinished = '';
      this.#unfinishedHidden = false;
    } else {
      this.#unfinished = first.typed.slice(-16_384);
      this.#unfinishedHidden ||= this.#hidden(request);
    }
  }

  // ---- keys and alarms

  #refusedKey(bytes: Buffer, because: string): void {
    const name = keyName(bytes);
    const now = this.#deps.clock();
    const notes = this.#keyNotes;
    if ((notes.last === name && now - notes.at < KEY_NOTES_APART) || notes.count >= MOST_KEY_NOTES) return;
    this.#keyNotes = { last: name, at: now, count: notes.count + 1 };
    void this.#note(`key ${name}`, 'refused', because);
  }

  #alarm(alarm: GateAlarm, detail: string): void {
    this.#deps.events.warn({ session: this.#context.sessionId, code: alarm, detail }, 'alarm of the gate');
    if (alarm !== 'SP_GATE_EDITOR_LEFT') return;
    // Something ran that nobody judged. What it was is in the recording; more of it is not let happen.
    void this.#note('', 'alarm', `${alarm}: ${detail}`).finally(() => {
      this.#outlet.endSession(
        'unjudged-command',
        'A command ran without having been judged, so this session ends. Please tell your administrator what you did.',
      );
      this[Symbol.dispose]();
    });
  }

  async #note(command: string, outcome: 'refused' | 'alarm', detail: string): Promise<void> {
    try {
      await this.#judge.note(
        {
          kind: this.#kind,
          context: this.#readers.name,
          typed: command,
          command,
          candidates: [],
          analyses: [],
          how: 'keys',
          confidence: 1,
          hidden: false,
          detail,
        },
        outcome,
      );
    } catch (error) {
      this.#deps.events.warn(
        { session: this.#context.sessionId, error: error instanceof Error ? error.message : String(error) },
        'note not logged',
      );
    }
  }

  // ---- how far away the device is, where nobody measured it: the quickest echo of a key pressed in silence

  #keysSent(): void {
    const now = this.#deps.clock();
    if (this.#echo.sentAt === undefined && now - this.#echo.lastOutput > 100) this.#echo.sentAt = now;
  }

  #measure(): void {
    const { sentAt, best } = this.#echo;
    const now = this.#deps.clock();
    this.#echo = { sentAt: undefined, best, lastOutput: now };
    if (sentAt === undefined || this.#context.roundTrip !== undefined) return;
    this.#echo.best = Math.min(best ?? Number.POSITIVE_INFINITY, now - sentAt);
    if (this.#echo.best !== best) this.#gate.setRoundTrip(this.#echo.best);
  }
}

/** Seven digits, no two alike, so that their order can be told. */
const unguessableDigits = (): string => {
  const left = [...'123456789'];
  return Array.from({ length: 7 }, () => left.splice(randomInt(left.length), 1).join('')).join('');
};

/** The device says that a program reads a whole line without echo: what is typed is not stored, and judged all the same. */
const asksForPassword = ({ context }: VerdictRequest, fact: TerminalFact | undefined): boolean =>
  context.reader === 'program' && fact?.shellReads === false && fact.echo === false && fact.byLine === true;

/** What a program has set of the keyboard, and a soft reset takes away. */
const keyboardModes: Look<string> = ({ modes }) =>
  `${modes.applicationCursorKeysMode ? '\x1b[?1h' : ''}${modes.applicationKeypadMode ? '\x1b=' : ''}`;

/** Nothing was submitted, for certain. */
const isBlank = ({ what, preceding, reading }: VerdictRequest): boolean =>
  what === 'line' &&
  reading.confidence >= CERTAIN &&
  preceding.length === 0 &&
  reading.candidates.every((text) => text.trim() === '');
