// The menu of what is granted to a user, drawn in the terminal's alternate screen. Pure: keys and sizes in, events and
// text to write out; the caller owns the terminal, the clock and what happens to the choice.
// Names come from the directory, and still nothing of them reaches the terminal but printable characters.
import { displayWidth, shorten, tail, wrap } from './display-width.ts';
import { type MenuKey, MenuKeys } from './menu-keys.ts';

export interface MenuEntry {
  readonly device: string;
  readonly account: string;
  /** Shown after them where there is room, and searched too: tags, the grant. */
  readonly detail: string;
}

/** After any events but `chosen` and `left`, `render()` has something new to write. */
export type MenuEvent =
  | { readonly kind: 'changed' }
  /** `index` is into the entries as given. */
  | { readonly kind: 'chosen'; readonly index: number }
  | { readonly kind: 'left' };

export interface MenuOptions {
  readonly title: string;
  readonly entries: readonly MenuEntry[];
  /** Said when there are no entries: that nothing is granted, and whom to ask. */
  readonly nothing: string;
  readonly columns: number;
  readonly rows: number;
}

const LONGEST_FILTER = 64;
const FALLBACK = { columns: 80, rows: 24 };
const LARGEST = 1000;

const ENTER_SCREEN = '\u001b[?1049h\u001b[2J';
const LEAVE_SCREEN = '\u001b[0m\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_REST = '\u001b[J';
const REVERSE = '\u001b[7m';
const DIM = '\u001b[2m';
const BOLD = '\u001b[1m';
const RESET = '\u001b[0m';

export class Menu {
  readonly #options: MenuOptions;
  readonly #keys = new MenuKeys();
  readonly #searchable: readonly string[];
  readonly #accountWidth: number;
  #columns = FALLBACK.columns;
  #rows = FALLBACK.rows;
  #filter = '';
  /** Indices into the entries that pass the filter. */
  #shown: readonly number[];
  #selected = 0;
  #top = 0;
  #over = false;

  constructor(options: MenuOptions) {
    const entries = options.entries.map((entry) => ({
      device: clean(entry.device),
      account: clean(entry.account),
      detail: clean(entry.detail),
    }));
    this.#options = { ...options, title: clean(options.title), nothing: clean(options.nothing), entries };
    this.#searchable = entries.map((entry) =>
      `${entry.account}@${entry.device} ${entry.detail}`.toLowerCase(),
    );
    this.#accountWidth = Math.max(0, ...entries.map((entry) => displayWidth(entry.device)));
    this.#shown = entries.map((_, index) => index);
    this.resize(options.columns, options.rows);
  }

  /** To be written before the first `render()`. */
  open(): string {
    return ENTER_SCREEN;
  }

  /** To be written at the end, whatever it was: the screen is again as it was before. */
  close(): string {
    return LEAVE_SCREEN;
  }

  /** Zero, as a client sends that doesn't know its size, is taken for 80 by 24. */
  resize(columns: number, rows: number): void {
    this.#columns = columns > 0 ? Math.min(columns, LARGEST) : FALLBACK.columns;
    this.#rows = rows > 0 ? Math.min(rows, LARGEST) : FALLBACK.rows;
    this.#scroll();
  }

  /** Takes what the terminal sends. After `chosen` or `left` everything is dropped. */
  feed(data: Buffer): readonly MenuEvent[] {
    const events: MenuEvent[] = [];
    for (const key of this.#keys.read(data)) {
      if (this.#over) break;
      const event = this.#press(key);
      if (event.kind === 'changed' && events.length > 0) continue;
      events.push(event);
      this.#over = event.kind !== 'changed';
    }
    return events;
  }

  /** The whole screen. No line reaches the last column, so that no terminal wraps or scrolls it. */
  render(): string {
    const width = Math.max(1, this.#columns - 1);
    const lines = this.#options.entries.length === 0 ? this.#renderNothing(width) : this.#renderList(width);
    const body = lines
      .slice(0, this.#rows)
      .map((line) => `${line}${CLEAR_LINE}`)
      .join('\r\n');
    return `${HOME}${body}${CLEAR_REST}${this.#placeCursor(width)}`;
  }

  #press(key: MenuKey): MenuEvent {
    switch (key.kind) {
      case 'up':
        return this.#move(this.#selected - 1);
      case 'down':
        return this.#move(this.#selected + 1);
      case 'page-up':
        return this.#move(this.#selected - this.#listRows());
      case 'page-down':
        return this.#move(this.#selected + this.#listRows());
      case 'home':
        return this.#move(0);
      case 'end':
        return this.#move(this.#shown.length - 1);
      case 'enter': {
        const index = this.#shown[this.#selected];
        return index === undefined ? { kind: 'changed' } : { kind: 'chosen', index };
      }
      case 'leave':
        return { kind: 'left' };
      case 'redraw':
        return { kind: 'changed' };
      case 'backspace':
        return this.#search([...this.#filter].slice(0, -1).join(''));
      case 'erase-word':
        return this.#search(this.#filter.replace(/\S*\s*$/u, ''));
      case 'erase-all':
        return this.#search('');
      case 'text':
        if (key.text === 'q' && this.#filter === '') return { kind: 'left' };
        return this.#search((this.#filter + key.text).slice(0, LONGEST_FILTER).toWellFormed());
    }
  }

  #move(to: number): MenuEvent {
    this.#selected = Math.max(0, Math.min(to, this.#shown.length - 1));
    this.#scroll();
    return { kind: 'changed' };
  }

  /** Every word of the filter must occur; the entry that was selected stays so while it is shown. */
  #search(filter: string): MenuEvent {
    const before = this.#shown[this.#selected];
    this.#filter = filter;
    const words = filter
      .toLowerCase()
      .split(/\s+/u)
      .filter((word) => word !== '');
    this.#shown = [...this.#searchable.entries()]
      .filter(([, text]) => words.every((word) => text.includes(word)))
      .map(([index]) => index);
    return this.#move(Math.max(0, before === undefined ? 0 : this.#shown.indexOf(before)));
  }

  /** Rows for entries: without title and footer where there is no room for them. */
  #listRows(): number {
    return Math.max(1, this.#rows - (this.#hasTitle() ? 2 : 1) - (this.#hasFooter() ? 1 : 0));
  }

  #hasTitle(): boolean {
    return this.#rows >= 5;
  }

  #hasFooter(): boolean {
    return this.#rows >= 4;
  }

  #scroll(): void {
    const height = this.#listRows();
    if (this.#selected < this.#top) this.#top = this.#selected;
    if (this.#selected >= this.#top + height) this.#top = this.#selected - height + 1;
    this.#top = Math.max(0, Math.min(this.#top, this.#shown.length - height));
  }

  #renderList(width: number): string[] {
    const lines: string[] = [];
    if (this.#hasTitle()) lines.push(`${BOLD}${shorten(this.#options.title, width)}${RESET}`);
    if (this.#rows >= 2) lines.push(this.#filterLine(width));
    const height = this.#listRows();
    for (let row = 0; row < height; row++) {
      const position = this.#top + row;
      const index = this.#shown[position];
      const none = row === 0 && this.#shown.length === 0;
      lines.push(
        index === undefined
          ? shorten(none ? '  (nothing matches)' : '', width)
          : this.#entryLine(index, position === this.#selected, width),
      );
    }
    if (this.#hasFooter()) lines.push(`${DIM}${shorten(this.#footer(width), width)}${RESET}`);
    return lines;
  }

  #entryLine(index: number, selected: boolean, width: number): string {
    const entry = this.#options.entries[index];
    if (entry === undefined) return '';
    // The device's column takes at most half of the line, so that the account is always in sight.
    const deviceWidth = Math.min(this.#accountWidth, Math.max(8, Math.floor(width / 2)));
    const device = shorten(entry.device, deviceWidth);
    const padding = ' '.repeat(Math.max(0, deviceWidth - displayWidth(device)));
    const detail = entry.detail === '' ? '' : `  ${entry.detail}`;
    const text = shorten(`${selected ? '>' : ' '} ${device}${padding}  ${entry.account}${detail}`, width);
    if (!selected) return text;
    return `${REVERSE}${text}${' '.repeat(Math.max(0, width - displayWidth(text)))}${RESET}`;
  }

  #footer(width: number): string {
    const place = `${this.#shown.length === 0 ? 0 : this.#selected + 1}/${this.#shown.length}`;
    const long = `${place}  Enter opens, Ctrl-C leaves, type to search`;
    return displayWidth(long) <= width ? long : `${place} Enter opens, ^C leaves`;
  }

  static readonly #PROMPT = 'Search: ';

  #filterLine(width: number): string {
    return shorten(`${Menu.#PROMPT}${tail(this.#filter, this.#filterRoom(width))}`, width);
  }

  #filterRoom(width: number): number {
    return Math.max(1, width - Menu.#PROMPT.length - 1);
  }

  #placeCursor(width: number): string {
    if (this.#options.entries.length === 0 || this.#rows < 2) return '';
    const row = this.#hasTitle() ? 2 : 1;
    const typed = displayWidth(tail(this.#filter, this.#filterRoom(width)));
    return `\u001b[${row};${Math.min(width, Menu.#PROMPT.length + typed) + 1}H`;
  }

  #renderNothing(width: number): string[] {
    return [...wrap(this.#options.nothing, width), ...wrap('Press q or Ctrl-C to leave.', width)];
  }
}

/** What isn't printable, or would change the direction or place of what follows, becomes U+FFFD. */
function clean(text: string): string {
  return text.toWellFormed().replace(/[\p{C}\u2028\u2029]/gu, '\uFFFD');
}
