// A session channel of a user who named no device: with a terminal and a shell, the menu of what is granted, and then
// the chosen device in the same channel; without a terminal, a message that says what to type. Keys typed ahead of
// the device are kept for it. The menu itself is login/menu.ts; this is its terminal.
import type { ChannelEnd, ReplySlot } from '../channels/channel-end.ts';
import type { IncomingOpen } from '../channels/channel-table.ts';
import { OrderedQueue } from '../channels/ordered-queue.ts';
import type { CollectedSetup } from '../channels/session-channel.ts';
import { gatewayText, plainText } from '../channels/terminal-text.ts';
import { tellAndClose } from '../channels/told-channel.ts';
import { Menu, type MenuEvent } from '../login/menu.ts';
import type { Target } from '../login/ports.ts';
import { type PtyRequest, parsePtyRequest, parseWindowChange } from '../transport/messages.ts';
import type { DeviceSession } from './connection-session.ts';

export interface MenuChannelOptions {
  /** Everything that the user may reach now. Bounded by the caller. */
  readonly targets: () => Promise<readonly Target[]>;
  /** The live session, or why there is none. Never rejects. */
  readonly choose: (target: Target) => Promise<DeviceSession | string>;
  /** For who can't be shown a menu. */
  readonly noTarget: string;
  readonly noPty: boolean;
}

type Phase =
  | { readonly kind: 'setup' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'menu'; readonly menu: Menu; readonly targets: readonly Target[] }
  | { readonly kind: 'dialling' }
  | { readonly kind: 'over' };

const MAX_REQUESTS = 160;
const MAX_REQUEST_BYTES = 64 * 1024;
const MAX_LISTED = 20;
const CTRL_C = 0x03;
const CR = 0x0d;
const LF = 0x0a;
const PASSED_ON = new Set(['env', 'x11-req', 'auth-agent-req@openssh.com']);

export function openMenu(open: IncomingOpen, options: MenuChannelOptions): void {
  const end = open.accept();
  if (end !== undefined) new MenuChannel(end, options).attach();
}

class MenuChannel {
  readonly #end: ChannelEnd;
  readonly #options: MenuChannelOptions;
  readonly #requests: { readonly name: string; readonly body: Buffer }[] = [];
  #requestBytes = 0;
  readonly #early = new OrderedQueue<'eof'>();
  #terminal: PtyRequest | undefined;
  #phase: Phase = { kind: 'setup' };

  constructor(end: ChannelEnd, options: MenuChannelOptions) {
    this.#end = end;
    this.#options = options;
  }

  attach(): void {
    this.#end.attach({
      data: (data) => this.#data(data),
      request: (name, body, reply) => this.#request(name, body, reply),
      eof: () => this.#early.pushMark('eof'),
      closed: () => {
        this.#phase = { kind: 'over' };
        this.#early.clear();
      },
      flushed: () => {},
    });
  }

  #request(name: string, body: Buffer, reply: ReplySlot): void {
    switch (name) {
      case 'pty-req':
        if (this.#options.noPty || this.#terminal !== undefined) {
          reply.settle(false);
          return;
        }
        this.#terminal = parsePtyRequest(body);
        reply.settle(true);
        return;
      case 'window-change': {
        const size = parseWindowChange(body);
        if (this.#terminal !== undefined) this.#terminal = { ...this.#terminal, ...size };
        reply.settle(true);
        if (this.#phase.kind === 'menu') {
          this.#phase.menu.resize(size.columns, size.rows);
          this.#write(this.#phase.menu.render());
        }
        return;
      }
      case 'shell':
        reply.settle(this.#phase.kind === 'setup');
        if (this.#phase.kind === 'setup') this.#load();
        return;
      case 'exec':
      case 'subsystem':
        reply.settle(this.#phase.kind === 'setup');
        if (this.#phase.kind === 'setup') this.#explain();
        return;
      default: {
        // What the device will be asked for is answered with yes here; there it is asked again, by the grant.
        const kept =
          this.#phase.kind === 'setup' &&
          PASSED_ON.has(name) &&
          this.#requests.length < MAX_REQUESTS &&
          this.#requestBytes + body.length <= MAX_REQUEST_BYTES;
        if (kept) {
          this.#requestBytes += body.length;
          this.#requests.push({ name, body: Buffer.from(body) });
        }
        reply.settle(kept);
      }
    }
  }

  #load(): void {
    if (this.#terminal === undefined) {
      this.#explain();
      return;
    }
    this.#phase = { kind: 'loading' };
    this.#options.targets().then(
      (targets) => this.#show(targets),
      () => this.#leave('The gateway cannot check your access at the moment. Try again later.'),
    );
  }

  #show(targets: readonly Target[]): void {
    if (this.#phase.kind !== 'loading') return;
    const menu = new Menu({
      title: 'Where to?',
      entries: targets.map(({ device, credential, grant }) => ({
        device: device.name,
        account: credential.username,
        detail: [...device.tags, grant.name].join(' '),
      })),
      nothing: 'Nothing is granted to you at this time. Ask your administrator.',
      columns: this.#terminal?.columns ?? 0,
      rows: this.#terminal?.rows ?? 0,
    });
    this.#phase = { kind: 'menu', menu, targets };
    this.#write(menu.open() + menu.render());
    for (let next = this.#early.take(READ); next?.kind === 'data'; next = this.#early.take(READ)) {
      this.#feed(next.data);
    }
  }

  #data(data: Buffer): void {
    switch (this.#phase.kind) {
      case 'menu':
        this.#feed(data);
        this.#end.replenish(0);
        return;
      case 'dialling':
        if (data.includes(CTRL_C)) {
          this.#leave('Cancelled.');
          return;
        }
        this.#early.pushData('stdout', data);
        this.#end.replenish(this.#early.bytes);
        return;
      case 'setup':
      case 'loading':
        this.#early.pushData('stdout', data);
        this.#end.replenish(this.#early.bytes);
        return;
      case 'over':
        return;
    }
  }

  /** Up to each Enter at a time: what follows the one that chooses is for the device. */
  #feed(data: Buffer): void {
    let start = 0;
    while (start < data.length) {
      if (this.#phase.kind !== 'menu') {
        if (this.#phase.kind === 'dialling') this.#early.pushData('stdout', data.subarray(start));
        return;
      }
      const enter = data.findIndex((byte, at) => at >= start && (byte === CR || byte === LF));
      const end = enter < 0 ? data.length : enter + 1;
      const { menu, targets } = this.#phase;
      for (const event of menu.feed(data.subarray(start, end))) this.#happened(event, menu, targets);
      start = end;
    }
  }

  #happened(event: MenuEvent, menu: Menu, targets: readonly Target[]): void {
    switch (event.kind) {
      case 'changed':
        this.#write(menu.render());
        return;
      case 'left':
        this.#write(menu.close());
        this.#phase = { kind: 'over' };
        tellAndClose(this.#end, 'Nothing was chosen.', true);
        return;
      case 'chosen': {
        this.#write(menu.close());
        const target = targets[event.index];
        if (target === undefined) return;
        this.#phase = { kind: 'dialling' };
        const name = `${target.credential.username}@${target.device.name}`;
        this.#end.sendData(gatewayText(`connecting to ${name}`, true), 'stdout');
        void this.#options.choose(target).then((chosen) => this.#reached(chosen));
        return;
      }
    }
  }

  #reached(chosen: DeviceSession | string): void {
    if (this.#phase.kind !== 'dialling') return;
    if (typeof chosen === 'string') {
      this.#leave(chosen);
      return;
    }
    chosen.openSession({ end: this.#end, collected: () => this.#handOver() });
  }

  /** Called in the turn in which the device's channel takes this end over. */
  #handOver(): CollectedSetup {
    this.#phase = { kind: 'over' };
    const early: (Buffer | 'eof')[] = [];
    for (let next = this.#early.take(READ); next !== undefined; next = this.#early.take(READ)) {
      early.push(next.kind === 'data' ? next.data : next.mark);
    }
    return { terminal: this.#terminal, requests: this.#requests, early };
  }

  /** Who can't be shown a menu is told what there is. */
  #explain(): void {
    this.#phase = { kind: 'loading' };
    this.#options.targets().then(
      (targets) => {
        const names = targets.map(({ device, credential }) => `${credential.username}@${device.name}`);
        const listed = names.slice(0, MAX_LISTED).map(plainText).join(', ');
        const more = names.length > MAX_LISTED ? `, and ${names.length - MAX_LISTED} more` : '';
        this.#leave(
          names.length === 0
            ? 'Nothing is granted to you at this time. Ask your administrator.'
            : `${this.#options.noTarget}\nYou may reach: ${listed}${more}`,
        );
      },
      () => this.#leave('The gateway cannot check your access at the moment. Try again later.'),
    );
  }

  #leave(tell: string): void {
    if (this.#phase.kind === 'over') return;
    this.#phase = { kind: 'over' };
    tellAndClose(this.#end, tell, this.#terminal !== undefined);
  }

  #write(text: string): void {
    this.#end.sendData(Buffer.from(text, 'utf8'), 'stdout');
  }
}

const READ = 64 * 1024;
