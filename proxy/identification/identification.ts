// Holds a session until its user has proven who they are: each of its terminals shows the questions instead of what the
// device draws, keys go nowhere else, and afterwards each shows what it showed before. Whether an answer is right, and
// what follows from how it ends, is decided elsewhere; it ends the session never by itself.
import type { Answers, IdentificationRequest, Question } from './ports.ts';
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

export class Identification implements Disposable {
  readonly #request: IdentificationRequest;
  readonly #timer: NodeJS.Timeout;
  readonly #asked = new Map<SeizedTerminal, Asked>();
  #questions: readonly Question[] | undefined;
  #state: State = { kind: 'asking' };
  #tries = 0;

  constructor(request: IdentificationRequest) {
    this.#request = request;
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
    const { text, answers } = asked.questions.keys(data);
    if (text !== '') terminal.show(text);
    if (answers !== undefined) void this.#check(terminal, asked.questions, answers);
  };

  async #begin(): Promise<void> {
    try {
      this.#questions = await within(CHECK_LIMIT, this.#request.questions());
    } catch {
      // Nobody can be asked then; it is told, and time runs out.
      this.#questions = [];
    }
    for (const asked of this.#asked.values()) this.#ask(asked);
  }

  #ask(asked: Asked): void {
    if (this.#questions === undefined || asked.questions !== undefined || this.#state.kind !== 'asking')
      return;
    asked.questions = new TerminalQuestions(this.#questions);
    asked.terminal.show(asked.questions.begin(this.#why(this.#questions)));
  }

  #why(questions: readonly Question[]): string {
    const { because, contact, patience } = this.#request;
    const reason = `This session waits until you have proven once more who you are: ${because}.`;
    const minutes = Math.max(1, Math.round(patience / 60_000));
    return questions.length === 0
      ? `${reason}\nYour account has neither a password nor one-time codes. Ask ${contact}.`
      : `${reason}\nNothing you type reaches the device meanwhile. It ends in ${minutes} min.`;
  }

  async #check(terminal: SeizedTerminal, questions: TerminalQuestions, answers: Answers): Promise<void> {
    let result: 'right' | 'wrong' | 'locked' | 'failed';
    try {
      result = await within(CHECK_LIMIT, this.#request.check(answers));
    } catch {
      result = 'failed';
    }
    if (this.#state.kind !== 'asking') return;
    switch (result) {
      case 'right':
        terminal.show('sallyport: Thank you.\r\n');
        this.#decide('passed', [...answers.keys()].join('+'));
        return;
      case 'failed':
        terminal.show(questions.again('That cannot be checked at the moment. Try again.'));
        return;
      case 'locked':
        this.#decide('failed', 'locked');
        return;
      case 'wrong':
        this.#tries += 1;
        if (this.#tries >= this.#request.tries) this.#decide('failed', '');
        else terminal.show(questions.again('That was not right.'));
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
