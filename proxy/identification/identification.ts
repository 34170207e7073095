// Holds a session until its user has proven who they are: each of its terminals shows the questions instead of what the
// device draws, keys go nowhere else, and afterwards each shows what it showed before. Whether an answer is right, and
// what follows from how it ends, is decided elsewhere; it ends the session never by itself.
import type { Answers, IdentificationRequest, KeyAgent, Question, TouchProof } from './ports.ts';
import { TerminalQuestions } from './terminal-questions.ts';

/** A terminal that was taken away from its device for a while. */
export interface SeizedTerminal {
  /** Shown to the user, and not part of the recording: that holds what the device said. */
  show(text: string): void;
  /** A program has the whole screen: it must be painted again. */
  readonly alternate: boolean;
  paint(): string;
  /** The device has it again. */
  release(): void;
}

/** What takes the keys of a terminal. */
export type TakeKeys = (terminal: SeizedTerminal, data: Buffer) => void;

/** The agent of the client's, which it offers to forward or not. */
export interface OfferedAgent {
  readonly offered: boolean;
  open(): KeyAgent;
}

interface Asked {
  readonly terminal: SeizedTerminal;
  /** Undefined until it is known what to ask; keys go nowhere then. */
  questions: TerminalQuestions | undefined;
}

type State =
  | { readonly kind: 'asking' }
  /** Decided here; whoever decides for all says when the session goes on. */
  | { readonly kind: 'decided' }
  | { readonly kind: 'over' };

/** The other screen, empty. Modes of the keyboard stay as the shell has set them. */
export const ENTER = '\x1b[?1049h\x1b[0m\x1b[?25h\x1b[2J\x1b[H';
/** Of a program that has the whole screen, with nothing left of how it draws: it is painted again afterwards. */
const CLEAR = '\x1b[!p\x1b[2J\x1b[H';
export const LEAVE = '\x1b[?1049l';

const CHECK_LIMIT = 20_000;
/** Several keys may be tried, each for as long as it waits for a finger. */
const TOUCH_LIMIT = 300_000;

/** `failed`: it could not be looked at, which counts for nothing. */
type Judged = 'right' | 'wrong' | 'locked' | 'failed';

export class Identification implements Disposable {
  readonly #request: IdentificationRequest;
  readonly #timer: NodeJS.Timeout;
  readonly #asked = new Map<SeizedTerminal, Asked>();
  readonly #agent: OfferedAgent | undefined;
  /** Those that are asked for a touch at this moment. */
  readonly #agents = new Set<KeyAgent>();
  #questions: readonly Question[] | undefined;
  #touch: TouchProof | undefined;
  #state: State = { kind: 'asking' };
  #tries = 0;

  constructor(request: IdentificationRequest, agent?: OfferedAgent) {
    this.#request = request;
    this.#agent = agent;
    this.#timer = setTimeout(() => this.#decide('timed-out', ''), request.patience);
    void this.#begin();
  }

  get id(): string {
    return this.#request.id;
  }

  /** There is a terminal to ask on. */
  get asks(): boolean {
    return this.#asked.size > 0;
  }

  /** The session goes on, or ends: every terminal shows again what it showed. */
  [Symbol.dispose](): void {
    if (this.#state.kind === 'over') return;
    this.#state = { kind: 'over' };
    clearTimeout(this.#timer);
    for (const agent of this.#agents) agent[Symbol.dispose]();
    for (const terminal of this.#asked.keys()) restore(terminal);
    this.#asked.clear();
  }

  /** Asks on this terminal too; its keys come by `keys`. */
  add(terminal: SeizedTerminal): void {
    if (this.#state.kind === 'over') {
      terminal.release();
      return;
    }
    // At once, so that nobody types into a terminal that only seems to live.
    terminal.show(terminal.alternate ? CLEAR : ENTER);
    const asked: Asked = { terminal, questions: undefined };
    this.#asked.set(terminal, asked);
    this.#ask(asked);
  }

  readonly keys: TakeKeys = (terminal, data) => {
    const asked = this.#asked.get(terminal);
    if (asked?.questions === undefined || this.#state.kind !== 'asking') return;
    const { text, answers, touch } = asked.questions.keys(data);
    if (text !== '') terminal.show(text);
    if (touch) void this.#prove(terminal, asked.questions);
    if (answers !== undefined) void this.#check(terminal, asked.questions, answers);
  };

  async #begin(): Promise<void> {
    try {
      const { touch } = this.#request;
      const [questions, touchable] = await within(
        CHECK_LIMIT,
        Promise.all([this.#request.questions(), touch?.possible() ?? false]),
      );
      this.#touch = touchable ? touch : undefined;
      this.#questions = questions;
    } catch {
      // Nobody can be asked then; it is told, and time runs out.
      this.#questions = [];
    }
    for (const asked of this.#asked.values()) this.#ask(asked);
  }

  #ask(asked: Asked): void {
    if (this.#questions === undefined || asked.questions !== undefined || this.#state.kind !== 'asking')
      return;
    const touch = this.#touch !== undefined && this.#agent?.offered === true;
    asked.questions = new TerminalQuestions(this.#questions, touch);
    asked.terminal.show(asked.questions.begin(this.#why(this.#questions, touch)));
  }

  #why(questions: readonly Question[], touch: boolean): string {
    const { because, contact, patience } = this.#request;
    const reason = `This session waits until you have proven once more who you are: ${because}.`;
    const minutes = Math.max(1, Math.round(patience / 60_000));
    if (questions.length === 0 && !touch) {
      return this.#touch === undefined
        ? `${reason}\nYour account has neither a password nor one-time codes. Ask ${contact}.`
        : `${reason}\nYour account has a security key only, and your client forwards no agent that could ask for it (ssh -A). Ask ${contact}.`;
    }
    const choice =
      questions.length > 0 && touch ? '\nEnter alone: touch your security key instead of answering.' : '';
    return `${reason}\nNothing you type reaches the device meanwhile. It ends in ${minutes} min.${choice}`;
  }

  async #prove(terminal: SeizedTerminal, questions: TerminalQuestions): Promise<void> {
    const touch = this.#touch;
    const agent = this.#agent?.open();
    if (touch === undefined || agent === undefined) return;
    this.#agents.add(agent);
    try {
      const result = await within(TOUCH_LIMIT, touch.prove(agent));
      if (result === 'none') this.#again(terminal, questions, 'No touch of a key of yours came.');
      else this.#judged(terminal, questions, result, 'touch');
    } catch {
      this.#judged(terminal, questions, 'failed', '');
    } finally {
      agent[Symbol.dispose]();
      this.#agents.delete(agent);
    }
  }

  #again(terminal: SeizedTerminal, questions: TerminalQuestions, why: string): void {
    if (this.#state.kind === 'asking') terminal.show(questions.again(why));
  }

  async #check(terminal: SeizedTerminal, questions: TerminalQuestions, answers: Answers): Promise<void> {
    let result: Judged;
    try {
      result = await within(CHECK_LIMIT, this.#request.check(answers));
    } catch {
      result = 'failed';
    }
    this.#judged(terminal, questions, result, [...answers.keys()].join('+'));
  }

  #judged(terminal: SeizedTerminal, questions: TerminalQuestions, result: Judged, method: string): void {
    if (this.#state.kind !== 'asking') return;
    switch (result) {
      case 'right':
        terminal.show('sallyport: Thank you.\r\n');
        this.#decide('passed', method);
        return;
      case 'failed':
        this.#again(terminal, questions, 'That cannot be checked at the moment. Try again.');
        return;
      case 'locked':
        this.#decide('failed', 'locked');
        return;
      case 'wrong':
        this.#tries += 1;
        if (this.#tries >= this.#request.tries) this.#decide('failed', '');
        else this.#again(terminal, questions, 'That was not right.');
        return;
    }
  }

  #decide(outcome: 'passed' | 'failed' | 'timed-out', method: string): void {
    if (this.#state.kind !== 'asking') return;
    this.#state = { kind: 'decided' };
    clearTimeout(this.#timer);
    this.#request.decided(outcome, method);
  }
}

function restore(terminal: SeizedTerminal): void {
  // A program that has the whole screen has it again as it drew it; else the other screen is left, and what was there
  // before shows again with all that has scrolled by.
  terminal.show(terminal.alternate ? terminal.paint() : LEAVE);
  terminal.release();
}

async function within<T>(limit: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('no answer in time')), limit);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
