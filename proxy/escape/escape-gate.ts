// Puts the escape menu before the gate of a terminal: a key at the start of a line takes the terminal from its device for
// a while, and what is typed then goes to the menu and nowhere else. The gate itself never notices: it reads and judges
// what the device draws as always, and what it would show waits until the menu is closed, bounded by the windows.
// Nothing here lets anything through; what is typed while there is no menu is the gate's business alone.
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
import { gatewayText } from '../channels/terminal-text.ts';
import { ENTER, LEAVE } from '../identification/identification.ts';
import { within } from '../server/bounded.ts';
import { isAlone, LineStart, nameOfKey } from './escape-key.ts';
import { type Answer, EscapeMenu, requestLine, type Wish } from './menu.ts';
import type { Asker, EscapeDesk, OwnRequest } from './ports.ts';

/** What the gate would show, in its order. */
type Shown =
  | { readonly kind: 'event'; readonly event: DeviceEvent }
  | { readonly kind: 'injected'; readonly data: Buffer; readonly stream: 'stdout' | 'stderr' };

interface OpenMenu {
  readonly menu: EscapeMenu;
  readonly later: Shown[];
  bytes: number;
}

type Phase =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly open: OpenMenu }
  /** Not a shell on a terminal, or over. */
  | { readonly kind: 'never' };

/** Milliseconds that an answer may take. */
const ANSWER_LIMIT = 10_000;
/** How long a shell may wait for what its user has not been told yet. */
const UNREAD_LIMIT = 1_000;
/** A menu that is forgotten does not keep the device waiting for ever. */
const FORGOTTEN_AFTER = 5 * 60_000;
const MOST_TOLD = 3;
const JOINED_UP_TO = 4_096;

/** Gates whose shells have the menu; all others are as they were. */
export const escapableGates = (gates: GateFactory, desk: EscapeDesk): GateFactory => ({
  ...gates,
  open: (context, outlet) =>
    context.terminal === undefined
      ? gates.open(context, outlet)
      : new EscapeGate(gates, context, outlet, desk),
});

export class EscapeGate implements ChannelGate {
  readonly #inner: ChannelGate;
  readonly #outlet: GateOutlet;
  readonly #desk: EscapeDesk;
  readonly #who: Asker;
  readonly #lineStart = new LineStart();
  #phase: Phase = { kind: 'never' };
  #forgotten: NodeJS.Timeout | undefined;
  #unread: readonly OwnRequest[] = [];

  constructor(gates: GateFactory, context: GateContext, outlet: GateOutlet, desk: EscapeDesk) {
    this.#outlet = outlet;
    this.#desk = desk;
    this.#who = { sessionId: context.sessionId, channel: context.channel, user: context.user };
    this.#inner = gates.open(context, this.#between(outlet));
  }

  start(request: ChannelStart): StartVerdict | Promise<StartVerdict> {
    if (request.kind !== 'shell') return this.#inner.start(request);
    return this.#startShell(request);
  }

  /** True: it was meant for the gateway. */
  takes(data: Buffer): boolean {
    switch (this.#phase.kind) {
      case 'never':
        return false;
      case 'open':
        return this.#typed(this.#phase.open, data);
      case 'closed': {
        const { key } = this.#desk;
        const asked = key !== undefined && this.#lineStart.fresh && isAlone(data, key);
        // Editors and the like have uses of their own for every key.
        if (asked && this.#inner.picture?.alternate === false) {
          this.#open(key);
          return true;
        }
        this.#lineStart.sent(data);
        return false;
      }
    }
  }

  fromClient(event: ClientEvent): void {
    if (event.kind === 'eof' || event.kind === 'closed') this.giveBack();
    this.#inner.fromClient(event);
  }

  fromDevice(event: DeviceEvent): void {
    if (event.kind !== 'data') this.giveBack();
    this.#inner.fromDevice(event);
  }

  goOn(): void {
    this.#tellUnread();
    this.#inner.goOn?.();
  }

  /** The terminal shows its device again. */
  giveBack(): void {
    if (this.#phase.kind !== 'open') return;
    const { open } = this.#phase;
    this.#phase = { kind: 'closed' };
    clearTimeout(this.#forgotten);
    this.#show(LEAVE);
    this.#desk.note(this.#who, 'closed');
    for (const shown of open.later) {
      if (shown.kind === 'event') this.#outlet.toClient(shown.event);
      else this.#outlet.injectToClient(shown.data, shown.stream);
    }
    this.#outlet.keptLess();
  }

  get picture(): TerminalPicture | undefined {
    return this.#inner.picture;
  }

  get keptFromClient(): number {
    return this.#inner.keptFromClient;
  }

  get keptFromDevice(): number {
    return this.#inner.keptFromDevice + (this.#phase.kind === 'open' ? this.#phase.open.bytes : 0);
  }

  get passesFromClient(): boolean {
    return this.#phase.kind === 'never' && this.#inner.passesFromClient === true;
  }

  get passesFromDevice(): boolean {
    return this.#phase.kind === 'never' && this.#inner.passesFromDevice === true;
  }

  [Symbol.dispose](): void {
    this.#phase = { kind: 'never' };
    clearTimeout(this.#forgotten);
    this.#inner[Symbol.dispose]();
  }

  async #startShell(request: ChannelStart): Promise<StartVerdict> {
    const [verdict, unread] = await Promise.all([
      this.#inner.start(request),
      within(UNREAD_LIMIT, 'reading decisions', this.#desk.unread(this.#who)).catch(
        (error: unknown): readonly OwnRequest[] => {
          this.#failed(error, 'what the user was not told yet cannot be read');
          return [];
        },
      ),
    ]);
    if (verdict.kind === 'refuse') return verdict;
    this.#phase = { kind: 'closed' };
    this.#unread = unread;
    return verdict;
  }

  /** Before anything that the device shows. */
  #tellUnread(): void {
    const unread = this.#unread;
    if (unread.length === 0) return;
    this.#unread = [];
    const told = unread.slice(0, MOST_TOLD);
    const { key } = this.#desk;
    const rest = unread.length - told.length;
    const where = key === undefined ? '' : `: press ${nameOfKey(key)}, then e`;
    const lines = [
      ...told.map((one) => `Your request: ${requestLine(one)}`),
      ...(rest === 0 ? [] : [`${rest} more of your requests were decided${where}`]),
    ];
    this.#outlet.injectToClient(gatewayText(lines.join('\n'), true), 'stdout');
    this.#desk
      .markRead(this.#who, told)
      .catch((error: unknown) => this.#failed(error, 'what was told is not noted'));
  }

  // ---- the menu

  #open(key: number): void {
    const menu = new EscapeMenu(key);
    this.#phase = { kind: 'open', open: { menu, later: [], bytes: 0 } };
    this.#desk.note(this.#who, 'opened');
    this.#show(ENTER + menu.open());
    this.#remember();
  }

  #typed(open: OpenMenu, data: Buffer): boolean {
    this.#remember();
    const { text, wish } = open.menu.keys(data);
    this.#show(text);
    switch (wish?.kind) {
      case undefined:
        return true;
      case 'leave':
        this.giveBack();
        return true;
      case 'literal':
        this.giveBack();
        this.#lineStart.sent(data);
        return false;
      case 'rating':
      case 'why':
      case 'exception':
      case 'ask':
        void this.#answer(open, wish);
        return true;
    }
  }

  async #answer(open: OpenMenu, wish: Exclude<Wish, { kind: 'leave' | 'literal' }>): Promise<void> {
    let answer: Answer;
    try {
      answer = await within(ANSWER_LIMIT, 'the answer', this.#ask(wish));
    } catch (error) {
      this.#failed(error, 'the escape menu has no answer');
      answer = { kind: 'failed' };
    }
    if (this.#phase.kind === 'open' && this.#phase.open === open) this.#show(open.menu.show(answer));
  }

  async #ask(wish: Exclude<Wish, { kind: 'leave' | 'literal' }>): Promise<Answer> {
    const desk = this.#desk;
    const who = this.#who;
    switch (wish.kind) {
      case 'rating':
        desk.note(who, 'rating');
        return { kind: 'rating', rating: await desk.rating(who) };
      case 'why':
        desk.note(who, 'why');
        return { kind: 'why', command: await desk.stopped(who) };
      case 'exception': {
        desk.note(who, 'requests');
        const [command, requests] = await Promise.all([desk.stopped(who), desk.requests(who)]);
        return { kind: 'exception', command, requests };
      }
      case 'ask': {
        const outcome = await desk.ask(who, wish.command, wish.reason);
        if (outcome.kind === 'asked') desk.note(who, 'asked');
        return { kind: 'asked', outcome };
      }
    }
  }

  #remember(): void {
    clearTimeout(this.#forgotten);
    this.#forgotten = setTimeout(() => this.giveBack(), FORGOTTEN_AFTER);
    this.#forgotten.unref();
  }

  /** Past the recording, which holds what the device said. */
  #show(text: string): void {
    if (text === '') return;
    this.#outlet.toClient({ kind: 'data', data: Buffer.from(text, 'utf8'), stream: 'stdout' });
  }

  #failed(error: unknown, what: string): void {
    const fields = {
      session: this.#who.sessionId,
      error: error instanceof Error ? error.message : String(error),
    };
    this.#desk.log.warn(fields, what);
  }

  // ---- between the gate and the terminal

  #between(outlet: GateOutlet): GateOutlet {
    return {
      get held() {
        return outlet.held;
      },
      toDevice: (event) => outlet.toDevice(event),
      injectToDevice: (data) => outlet.injectToDevice(data),
      toClient: (event) => {
        if (!this.#keep({ kind: 'event', event }, event.kind === 'data' ? event.data.length : 0))
          outlet.toClient(event);
      },
      injectToClient: (data, stream) => {
        if (!this.#keep({ kind: 'injected', data, stream }, data.length)) outlet.injectToClient(data, stream);
      },
      keptLess: () => outlet.keptLess(),
      endChannel: (reason, tell) => outlet.endChannel(reason, tell),
      endSession: (reason, tell) => outlet.endSession(reason, tell),
    };
  }

  #keep(shown: Shown, bytes: number): boolean {
    if (this.#phase.kind !== 'open') return false;
    const { open } = this.#phase;
    open.bytes += bytes;
    const joined = joinedWith(open.later.at(-1), shown);
    if (joined === undefined) open.later.push(shown);
    else open.later[open.later.length - 1] = joined;
    return true;
  }
}

/** Small pieces of one stream become one, so that what waits costs no more than its bytes. */
const joinedWith = (last: Shown | undefined, next: Shown): Shown | undefined => {
  if (last?.kind !== 'event' || next.kind !== 'event') return undefined;
  const [a, b] = [last.event, next.event];
  if (a.kind !== 'data' || b.kind !== 'data' || a.stream !== b.stream || a.data.length >= JOINED_UP_TO)
    return undefined;
  return { kind: 'event', event: { ...a, data: Buffer.concat([a.data, b.data]) } };
};
