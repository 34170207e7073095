// Asks the device itself what goes on at a terminal: what is in the foreground, whether the tty echoes, whether the shell
// reads. It owns one channel on the device connection and bounds every answer. What it tells is known, not guessed, but
// the device's user could make it lie: it may only ever add suspicion, and its loss leaves things as they are without it.
import { randomBytes } from 'node:crypto';
import type { Aside, OpenAside } from '../channels/gate-port.ts';
import { sideCommand } from './side-script.ts';

export interface TerminalFact {
  /** The shell that the terminal was started with is in the foreground itself. */
  readonly shellReads: boolean;
  /** The tty's own echo. Undefined: it could not be told. */
  readonly echo: boolean | undefined;
  /** The tty collects whole lines. */
  readonly byLine: boolean | undefined;
  /** The name of the program in the foreground; letters, digits and what else names have. Undefined: none. */
  readonly foreground: string | undefined;
}

/** How long an answer may take, with two round trips. Milliseconds. */
const ANSWER_BOUND = 250;
const LONGEST_LINE = 512;
const MOST_WAITING = 32;

type Phase =
  | { readonly kind: 'starting'; readonly aside: Aside }
  | { readonly kind: 'ready'; readonly aside: Aside }
  | { readonly kind: 'gone' };

interface Question {
  readonly settle: (fact: TerminalFact | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

export class SideChannel implements Disposable {
  readonly #tag = randomBytes(12).toString('hex');
  readonly #bound: number;
  readonly #changed: (what: 'ready' | 'gone') => void;
  readonly #waiting = new Map<string, Question>();
  #phase: Phase;
  #line = '';
  #next = 0;

  /** `changed` is told once when the channel is of use, and once when it is gone. */
  constructor(open: OpenAside, roundTrip: number, changed: (what: 'ready' | 'gone') => void) {
    this.#bound = ANSWER_BOUND + 2 * roundTrip;
    this.#changed = changed;
    this.#phase = { kind: 'gone' };
    const aside = open(sideCommand(this.#tag), {
      data: (data) => this.#read(data),
      closed: () => this.#lost(),
    });
    this.#phase = { kind: 'starting', aside };
  }

  get ready(): boolean {
    return this.#phase.kind === 'ready';
  }

  /** What goes on now. Undefined when that can't be told, or not in time; never rejects. */
  ask(): Promise<TerminalFact | undefined> {
    const phase = this.#phase;
    if (phase.kind !== 'ready' || this.#waiting.size >= MOST_WAITING) return Promise.resolve(undefined);
    this.#next += 1;
    const number = String(this.#next);
    const { promise, resolve } = Promise.withResolvers<TerminalFact | undefined>();
    const settle = (fact: TerminalFact | undefined): void => {
      clearTimeout(timer);
      this.#waiting.delete(number);
      resolve(fact);
    };
    const timer = setTimeout(() => settle(undefined), this.#bound);
    this.#waiting.set(number, { settle, timer });
    phase.aside.write(Buffer.from(`${number}\n`));
    return promise;
  }

  [Symbol.dispose](): void {
    const phase = this.#phase;
    this.#phase = { kind: 'gone' };
    for (const { settle } of [...this.#waiting.values()]) settle(undefined);
    if (phase.kind !== 'gone') phase.aside[Symbol.dispose]();
  }

  #lost(): void {
    if (this.#phase.kind === 'gone') return;
    this[Symbol.dispose]();
    this.#changed('gone');
  }

  #read(data: Buffer): void {
    if (this.#phase.kind === 'gone') return;
    const lines = `${this.#line}${data.toString('latin1')}`.split('\n');
    this.#line = (lines.pop() ?? '').slice(-LONGEST_LINE);
    for (const line of lines) this.#answered(line);
  }

  #answered(line: string): void {
    const [tag, what = '', reads = '', echo = '', byLine = '', ...name] = line.trimEnd().split(' ');
    if (tag !== this.#tag) return;
    if (what === 'none') this.#lost();
    else if (what === 'ready' && this.#phase.kind === 'starting') {
      this.#phase = { kind: 'ready', aside: this.#phase.aside };
      this.#changed('ready');
    } else this.#waiting.get(what)?.settle(factOf(reads, echo, byLine, name.join(' ')));
  }
}

function factOf(reads: string, echo: string, byLine: string, name: string): TerminalFact {
  const foreground = name.replace(/[^\w.+:@-]/g, '?').slice(0, 32);
  return {
    shellReads: reads === '1',
    echo: flag(echo),
    byLine: flag(byLine),
    foreground: foreground === '' ? undefined : foreground,
  };
}

const flag = (text: string): boolean | undefined => (text === '1' ? true : text === '0' ? false : undefined);
