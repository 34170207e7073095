// What was typed before and seems gone, though nothing proves that its reader dropped or took it: a key that gives a
// line up, or submits it, means nothing to some readers. It stands before what is typed now for whoever judges that,
// until an editor draws its true line, or a prompt or a line feed shows that the line has ended.
import { CERTAIN, type Doubt, type Reading } from '../terminal/reading.ts';

/** Texts that are remembered beside each other, and their length in characters. */
const MOST_TEXTS = 6;
const MOST_LENGTH = 4_096;

/** How the line seems to have gone. */
export type Parting =
  /** Nothing but its editor's own drawing tells: ^Z and ^\ leave the line of most editors as it is. */
  | 'doubtful'
  /** It was interrupted, and no prompt has come yet. */
  | 'interrupted'
  /** It was interrupted, and a known prompt has come since: believed where no editor can be asked. */
  | 'prompt-back'
  /** CR or LF was let go for it: a line feed tells. */
  | 'submitted'
  /** Another submit key was, which not every reader knows: a prompt tells, or an editor that stops or starts. */
  | 'submitted-oddly';

export class KeptText {
  #texts: readonly string[] = [];
  /** More may be held than these texts say. */
  #more = false;
  #secret = false;
  #parting: Parting = 'doubtful';

  get none(): boolean {
    return this.#texts.length === 0 && !this.#more;
  }

  /** An editor is to be asked before the next line is taken for what it seems. */
  get asksForRedraw(): boolean {
    return !this.none && !this.#wasSubmitted;
  }

  /** Some of it was typed without echo. */
  get secret(): boolean {
    return !this.none && this.#secret;
  }

  /** The line that these texts may be seems gone. `unseen`: nothing of it came back. */
  add(texts: readonly string[], more: boolean, unseen: boolean, parting: Parting): void {
    const found = distinct(texts);
    if (found.length === 0 && !more) return;
    const joined = distinct([...this.#texts.flatMap((kept) => found.map((text) => kept + text)), ...found]);
    // An interrupt is one for all that the reader may hold.
    this.#parting = parting;
    this.#more ||= more || joined.length > MOST_TEXTS || joined.some((text) => text.length > MOST_LENGTH);
    this.#texts = joined.slice(0, MOST_TEXTS).map((text) => text.slice(-MOST_LENGTH));
    this.#secret ||= unseen;
  }

  /** A line was let go that was judged as these texts; what was kept before is in them. */
  submitted(texts: readonly string[], secret: boolean, parting: 'submitted' | 'submitted-oddly'): void {
    const hides = secret || this.secret;
    this.clear();
    this.#texts = distinct(texts)
      .slice(0, MOST_TEXTS)
      .map((text) => text.slice(-MOST_LENGTH));
    this.#secret = hides;
    this.#parting = parting;
  }

  /** The device has answered a submit key. */
  answered(by: 'feed' | 'editor' | 'prompt'): void {
    if (this.#parting === 'submitted' || (this.#parting === 'submitted-oddly' && by !== 'feed')) this.clear();
  }

  /** A known prompt stands at the cursor, with nothing behind it. */
  promptBack(): void {
    if (this.#parting === 'interrupted') this.#parting = 'prompt-back';
    this.answered('prompt');
  }

  /** The editor could not be asked: what a known prompt has followed is gone. */
  notRedrawn(): void {
    if (this.#parting === 'prompt-back') this.clear();
  }

  /** The editor has drawn its line behind this prompt: it holds that and nothing else, if the prompt is one. */
  redrawn(prompt: string, known: boolean): void {
    const left = prompt.trimEnd();
    if (known || (!this.#more && !this.#texts.some((text) => left.endsWith(text.trimEnd())))) this.clear();
  }

  clear(): void {
    this.#texts = [];
    this.#more = false;
    this.#secret = false;
    this.#parting = 'doubtful';
  }

  /** The reading, with every text that it would be behind what is kept. */
  before(reading: Reading): Reading {
    if (this.none) return reading;
    const joined = this.#texts.flatMap((text) => reading.candidates.map((candidate) => text + candidate));
    const candidates = [...new Set([...reading.candidates, ...joined])];
    // It was judged when it was let go: it is only judged again together with this line.
    if (this.#wasSubmitted) return { ...reading, candidates };
    return {
      ...reading,
      candidates,
      confidence: Math.min(reading.confidence, this.#more ? 0.5 : CERTAIN - 0.05),
      doubts: [...new Set<Doubt>([...reading.doubts, 'mismatch'])],
    };
  }

  get #wasSubmitted(): boolean {
    return this.#parting === 'submitted' || this.#parting === 'submitted-oddly';
  }
}

const distinct = (texts: readonly string[]): string[] => [
  ...new Set(texts.filter((text) => text.trim() !== '')),
];
