// The menu that a user opens on their own terminal: keys in, text and wishes out. Pure: it reads nothing, asks nobody and
// knows nothing of what is behind the terminal. Whatever is quoted loses its control characters; keys that are no text
// are swallowed, and what comes in one piece with the key that ends something goes nowhere.
import { plainText } from '../channels/terminal-text.ts';
import { type KeyToken, KeyTokenizer } from '../terminal/keys.ts';
import { isKey, nameOfKey } from './escape-key.ts';
import type { AskOutcome, OwnRating, OwnRequest, RequestState, StoppedCommand } from './ports.ts';

/** Of a reason, in characters as people count them. */
export const LONGEST_REASON = 500;

/** What the user wants now; the answer comes by `show`. */
export type Wish =
  | { readonly kind: 'leave' }
  /** The key is meant for the device after all. */
  | { readonly kind: 'literal' }
  | { readonly kind: 'rating' }
  | { readonly kind: 'why' }
  | { readonly kind: 'exception' }
  | { readonly kind: 'ask'; readonly command: string; readonly reason: string };

export type Answer =
  | { readonly kind: 'rating'; readonly rating: OwnRating }
  | { readonly kind: 'why'; readonly command: StoppedCommand | undefined }
  | {
      readonly kind: 'exception';
      readonly command: StoppedCommand | undefined;
      readonly requests: readonly OwnRequest[];
    }
  | { readonly kind: 'asked'; readonly outcome: AskOutcome }
  | { readonly kind: 'failed' };

export interface MenuStep {
  readonly text: string;
  readonly wish: Wish | undefined;
}

type Phase =
  /** `fresh`: no key was pressed yet. */
  | { readonly kind: 'choosing'; readonly fresh: boolean }
  /** For the answer to a wish. */
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'writing';
      readonly command: StoppedCommand;
      /** What stands above the reason, to be drawn again when something is taken back. */
      readonly page: string;
      readonly typed: string[];
    };

const CLEAR = '\x1b[2J\x1b[H';
const LONGEST_SHOWN = 400;
const MOST_CHANGES = 8;
const MOST_REQUESTS = 5;
const RETURN = 13;
const LINE_FEED = 10;
const INTERRUPT = 3;
const KILL = 21;
const RUBOUT = 127;
const BACKSPACE = 8;
const BELL = '\x07';

const safe = (text: string, limit = LONGEST_SHOWN): string => {
  const plain = plainText(text).replaceAll('\n', ' ').trim();
  return plain.length > limit ? `${plain.slice(0, limit - 1)}…` : plain;
};

/** To the minute, in UTC: where the user is, the gateway does not know. */
const moment = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

const rated = (value: number): string => value.toFixed(2);

const STATES: Readonly<Record<RequestState, string>> = {
  open: 'waits for a decision',
  granted: 'granted',
  declined: 'declined',
};

const ratingLines = ({ value, changes }: OwnRating): readonly string[] => [
  `Your rating: ${rated(value)} of 10 (0 highly suspicious, 10 very trustworthy).`,
  '',
  ...(changes.length === 0 ? ['It has not changed yet.'] : ['Its last changes:']),
  ...changes
    .slice(0, MOST_CHANGES)
    .map(
      ({ at, cause, before, after }) =>
        `  ${moment(at)}  ${rated(before)} -> ${rated(after)}  ${safe(cause.replaceAll('-', ' '), 60)}`,
    ),
];

const nameOf = (command: string): string => (command === '' ? '(typed without echo)' : safe(command));

const whyLines = (stopped: StoppedCommand | undefined): readonly string[] => {
  if (stopped === undefined) return ['No command of yours was stopped of late.'];
  const { rule } = stopped;
  const head = [
    `${moment(stopped.at)} on ${safe(stopped.device, 100)}: ${safe(stopped.outcome, 40)}`,
    `  ${nameOf(stopped.command)}`,
    '',
  ];
  if (rule === undefined)
    return [
      ...head,
      stopped.detail === '' ? 'No rule stopped it.' : `No rule stopped it: ${safe(stopped.detail)}`,
    ];
  return [
    ...head,
    `Rule:    ${safe(rule.name, 200)}`,
    ...(rule.why === '' ? [] : [`Why:     ${safe(rule.why)}`]),
    ...(rule.message === undefined ? [] : [`Message: ${safe(rule.message)}`]),
    ...(rule.owner === undefined ? [] : [`Owner:   ${safe(rule.owner, 200)}`]),
    `Ask:     ${safe(rule.contact ?? 'your administrator', 200)}`,
    ...(stopped.detail === '' ? [] : [`Noted:   ${safe(stopped.detail)}`]),
    ...(rule.inForce ? [] : ['The rules have changed since: this one is no longer in force.']),
  ];
};

/** One line, for the list and for whoever signs in. */
export const requestLine = ({ device, command, state, decidedBy, comment }: OwnRequest): string => {
  const by = state === 'open' || decidedBy === '' ? '' : ` by ${safe(decidedBy, 100)}`;
  const said = comment === '' ? '' : `: ${safe(comment)}`;
  return `${safe(nameOf(command), 120)} on ${safe(device, 100)} ${STATES[state]}${by}${said}`;
};

const requestLines = (requests: readonly OwnRequest[]): readonly string[] =>
  requests.length === 0
    ? ['You have not asked for an exception yet.']
    : [
        'Your requests for exceptions, newest first:',
        ...requests.slice(0, MOST_REQUESTS).map((one) => `  ${moment(one.askedAt)}  ${requestLine(one)}`),
      ];

const outcomeLine = (outcome: AskOutcome): string => {
  switch (outcome.kind) {
    case 'asked':
      return 'Your request waits for an administrator. Its decision shows here (e), and when you sign in next.';
    case 'again':
      return 'An exception from this was asked for before.';
    case 'too-many':
      return 'Too many of your requests wait already.';
  }
};

const NOTHING: MenuStep = { text: '', wish: undefined };

export class EscapeMenu {
  readonly #key: number;
  readonly #keys = new KeyTokenizer();
  #phase: Phase = { kind: 'choosing', fresh: true };

  constructor(key: number) {
    this.#key = key;
  }

  open(): string {
    return this.#page([]);
  }

  /** What came with the key that makes a wish is dropped. */
  keys(data: Buffer): MenuStep {
    let text = '';
    for (const token of this.#keys.push(data)) {
      const step = this.#token(token);
      text += step.text;
      if (step.wish !== undefined) return { text, wish: step.wish };
    }
    return { text, wish: undefined };
  }

  /** The answer to the last wish. */
  show(answer: Answer): string {
    if (this.#phase.kind !== 'waiting') return '';
    this.#phase = { kind: 'choosing', fresh: false };
    switch (answer.kind) {
      case 'rating':
        return this.#page(ratingLines(answer.rating));
      case 'why':
        return this.#page(whyLines(answer.command));
      case 'exception':
        return this.#exception(answer.command, answer.requests);
      case 'asked':
        return this.#page([outcomeLine(answer.outcome)]);
      case 'failed':
        return this.#page(['This is not possible at the moment. Try again.']);
    }
  }

  #exception(command: StoppedCommand | undefined, requests: readonly OwnRequest[]): string {
    const listed = requestLines(requests);
    if (command === undefined || command.asked !== undefined) return this.#page(listed);
    const page = [
      CLEAR,
      ...[
        ...listed,
        '',
        'Ask for an exception from what stopped this command:',
        `  ${nameOf(command.command)} on ${safe(command.device, 100)}`,
        '',
        `Why do you need it? At most ${LONGEST_REASON} characters. Enter sends it, ^U begins anew, ^C gives up.`,
      ].map((line) => `${line}\r\n`),
      '> ',
    ].join('');
    this.#phase = { kind: 'writing', command, page, typed: [] };
    return page;
  }

  #token(token: KeyToken): MenuStep {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'choosing':
        return this.#choose(token, phase.fresh);
      case 'waiting':
        // Whatever the answer is waited for, it can be left.
        return isKey(token, this.#key) || isText(token, 'q') ? this.#wish({ kind: 'leave' }) : NOTHING;
      case 'writing':
        return this.#write(token, phase);
    }
  }

  #choose(token: KeyToken, fresh: boolean): MenuStep {
    if (isKey(token, this.#key)) return this.#wish({ kind: fresh ? 'literal' : 'leave' });
    if (token.kind === 'control' && token.code === INTERRUPT) return this.#wish({ kind: 'leave' });
    this.#phase = { kind: 'choosing', fresh: false };
    if (isText(token, 'q')) return this.#wish({ kind: 'leave' });
    if (isText(token, 'r')) return this.#wish({ kind: 'rating' });
    if (isText(token, 'w')) return this.#wish({ kind: 'why' });
    if (isText(token, 'e')) return this.#wish({ kind: 'exception' });
    return NOTHING;
  }

  #wish(wish: Wish): MenuStep {
    this.#phase = { kind: 'waiting' };
    return { text: '', wish };
  }

  #write(token: KeyToken, { command, page, typed }: Extract<Phase, { kind: 'writing' }>): MenuStep {
    if (isKey(token, this.#key)) return this.#giveUp();
    switch (token.kind) {
      case 'text':
        return { text: add(typed, token.text), wish: undefined };
      case 'paste-text':
        return { text: add(typed, token.bytes.toString('utf8').replace(/[\r\n\t]+/g, ' ')), wish: undefined };
      case 'control':
        switch (token.code) {
          case RETURN:
          case LINE_FEED: {
            const reason = typed.join('').trim();
            if (reason === '') return this.#giveUp();
            return this.#wish({ kind: 'ask', command: command.id, reason });
          }
          case INTERRUPT:
            return this.#giveUp();
          case KILL:
            typed.length = 0;
            return { text: page, wish: undefined };
          case RUBOUT:
          case BACKSPACE:
            typed.pop();
            return { text: `${page}${typed.join('')}`, wish: undefined };
          default:
            return { text: BELL, wish: undefined };
        }
      default:
        return NOTHING;
    }
  }

  #giveUp(): MenuStep {
    this.#phase = { kind: 'choosing', fresh: false };
    return { text: this.#page(['Nothing was asked for.']), wish: undefined };
  }

  #page(lines: readonly string[]): string {
    const key = nameOfKey(this.#key);
    return [
      CLEAR,
      ...[
        'Sallyport: nothing you type reaches the device while this is open.',
        '',
        ...(lines.length === 0 ? [] : [...lines, '']),
        'r  my rating',
        'w  why my last command did not run',
        'e  request an exception, and what became of my requests',
        'q  back',
        ...(lines.length === 0 ? [`${key} sends ${key} to the device`] : []),
      ].map((line) => `${line}\r\n`),
    ].join('');
  }
}

const isText = (token: KeyToken, word: string): boolean =>
  (token.kind === 'text' && token.text.startsWith(word)) ||
  (token.kind === 'key' &&
    !token.release &&
    token.key.modifiers === 0 &&
    token.codePoint === word.codePointAt(0));

/** Adds what fits; answers what is to be shown of it. */
const add = (typed: string[], text: string): string => {
  let shown = '';
  for (const character of plainText(text).replaceAll('\n', ' ')) {
    if (typed.length >= LONGEST_REASON) return `${shown}${BELL}`;
    typed.push(character);
    shown += character;
  }
  return shown;
};
