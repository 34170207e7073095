// Terminal emulators, lent to screens. An emulator is large (some 170 kB) and only the screens that something happens
// on need one: the others are put away in a compact form and brought back exactly as they were. What is put away is
// the emulator's whole state that drawing depends on; where that can't be told in full (in the middle of a sequence,
// with hyperlinks), the screen keeps its emulator. It reaches into the emulator, whose version is therefore pinned.
import xterm from '@xterm/headless';

interface Attributes {
  readonly extended: { readonly urlId: number };
}

interface CoreLine {
  isWrapped: boolean;
  readonly length: number;
  readonly _data: Uint32Array;
  _combined: Record<number, string>;
  _extendedAttrs: Record<number, unknown>;
  resize(columns: number, fill: unknown): unknown;
}

interface CoreBuffer {
  readonly lines: {
    length: number;
    maxLength: number;
    get(index: number): CoreLine | undefined;
    push(line: CoreLine): void;
  };
  readonly markers: readonly unknown[];
  ydisp: number;
  ybase: number;
  y: number;
  x: number;
  scrollTop: number;
  scrollBottom: number;
  tabs: object;
  savedX: number;
  savedY: number;
  savedCurAttrData: Attributes;
  savedCharset: object | undefined;
  getBlankLine(attributes: unknown): CoreLine;
  getNullCell(attributes: unknown): unknown;
}

interface Core {
  writeSync(data: Uint8Array | string): void;
  reset(): void;
  readonly _bufferService: {
    _cachedBlankLine: unknown;
    readonly buffers: {
      readonly normal: CoreBuffer;
      readonly alt: CoreBuffer;
      readonly active: CoreBuffer;
      activateAltBuffer(): void;
    };
  };
  readonly _inputHandler: {
    _curAttrData: Attributes;
    _windowTitle: string;
    _iconName: string;
    _windowTitleStack: string[];
    _iconNameStack: string[];
    readonly _utf8Decoder: { clear(): void };
    readonly _parser: {
      readonly currentState: number;
      readonly initialState: number;
      precedingJoinState: number;
      reset(): void;
    };
  };
  readonly coreService: { modes: object; decPrivateModes: object };
  readonly _charsetService: {
    charset: object | undefined;
    glevel: number;
    _charsets: (object | undefined)[];
  };
  readonly optionsService: { readonly options: { convertEol: boolean } };
}

const RELIED_UPON = [
  ...['writeSync', 'reset', 'coreService.modes', 'coreService.decPrivateModes'],
  ...['optionsService.options', '_charsetService.glevel', '_charsetService._charsets'],
  ...['_bufferService.buffers.active', '_bufferService.buffers.activateAltBuffer'],
  ...['_inputHandler._curAttrData.extended.urlId', '_inputHandler._windowTitle', '_inputHandler._iconName'],
  ...['_inputHandler._windowTitleStack', '_inputHandler._iconNameStack'],
  '_inputHandler._utf8Decoder.clear',
  ...['currentState', 'initialState', 'precedingJoinState', 'reset'].map(
    (name) => `_inputHandler._parser.${name}`,
  ),
  ...['normal', 'alt'].flatMap((buffer) =>
    [
      ...[
        'lines.length',
        'lines.maxLength',
        'lines.get',
        'lines.push',
        'markers',
        'ydisp',
        'ybase',
        'y',
        'x',
      ],
      ...['scrollTop', 'scrollBottom', 'tabs', 'savedX', 'savedY', 'savedCurAttrData', 'savedCharset'],
      'getBlankLine',
      'getNullCell',
    ].map((name) => `_bufferService.buffers.${buffer}.${name}`),
  ),
] as const;

function reaches(from: unknown, path: string): boolean {
  let value = from;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !(name in value)) return false;
    value = Reflect.get(value, name);
  }
  return true;
}

/** Looks at what is relied upon, so that another version of the emulator fails loudly and at once. */
function isCore(core: unknown): core is Core {
  return RELIED_UPON.every((path) => reaches(core, path));
}

function isCoreLine(line: unknown): boolean {
  return ['_data', '_combined', '_extendedAttrs', 'isWrapped', 'length', 'resize'].every((name) =>
    reaches(line, name),
  );
}

/** The emulator decodes only so much at once by itself, and its decoder does not bear every cut through a character. */
const MOST_AT_ONCE = 65_536;
const NOTHING = Buffer.alloc(0);

/** How many bytes at the end are the beginning of a UTF-8 character whose rest has not come. */
function unfinishedCharacter(data: Uint8Array): number {
  for (let back = 1; back <= 3; back += 1) {
    const byte = data[data.length - back];
    if (byte === undefined || byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf8 ? 4 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

const CELL = 3;
/** The content of a cell that was never written: width 1, no character. */
const BLANK_CONTENT = 1 << 22;

type RareLine = Pick<CoreLine, '_combined' | '_extendedAttrs' | 'length'>;

interface FrozenBuffer {
  /** The cells of all lines in a row, without the blank ends of the lines. */
  readonly cells: Uint32Array;
  /** For each line: how many cells it has there, times two, and 1 when it continues the line above. */
  readonly lines: Uint16Array;
  /** What few lines have. The alternate screen keeps lines as long as they were when the window was wider. */
  readonly rare: ReadonlyMap<number, RareLine>;
  readonly most: number;
  readonly places: Pick<
    CoreBuffer,
    | 'ydisp'
    | 'ybase'
    | 'y'
    | 'x'
    | 'scrollTop'
    | 'scrollBottom'
    | 'tabs'
    | 'savedX'
    | 'savedY'
    | 'savedCurAttrData'
    | 'savedCharset'
  >;
}

/** A screen without its emulator. */
export interface FrozenScreen {
  readonly columns: number;
  readonly rows: number;
  readonly scrollback: number;
  readonly alternate: boolean;
  /** The first visible row, and the cursor's. */
  readonly top: number;
  readonly cursor: { readonly row: number; readonly column: number };
  readonly normal: FrozenBuffer;
  readonly alt: FrozenBuffer;
  readonly attributes: Attributes;
  readonly join: number;
  readonly modes: object;
  readonly decPrivateModes: object;
  readonly charsets: { readonly charset: object | undefined; readonly glevel: number };
  readonly allCharsets: (object | undefined)[];
  readonly convertEol: boolean;
}

function keptCells(line: CoreLine): number {
  const data = line._data;
  let cells = line.length;
  for (; cells > 0; cells--) {
    const at = (cells - 1) * CELL;
    if (data[at] !== BLANK_CONTENT || data[at + 1] !== 0 || data[at + 2] !== 0) break;
  }
  return cells;
}

function freezeBuffer(buffer: CoreBuffer, columns: number): FrozenBuffer {
  const { lines, ydisp, ybase, y, x, scrollTop, scrollBottom, tabs, savedX, savedY } = buffer;
  const { savedCurAttrData, savedCharset } = buffer;
  const kept = new Uint16Array(lines.length);
  const rare = new Map<number, RareLine>();
  let total = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines.get(index);
    if (line === undefined) continue;
    const cells = keptCells(line);
    kept[index] = cells * 2 + (line.isWrapped ? 1 : 0);
    total += cells;
    const { _combined, _extendedAttrs, length } = line;
    const plain = Object.keys(_combined).length === 0 && Object.keys(_extendedAttrs).length === 0;
    if (!plain || length !== columns) rare.set(index, { _combined, _extendedAttrs, length });
  }
  const cells = new Uint32Array(total * CELL);
  let at = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const length = ((kept[index] ?? 0) >> 1) * CELL;
    const line = lines.get(index);
    if (line !== undefined) cells.set(line._data.subarray(0, length), at);
    at += length;
  }
  return {
    cells,
    lines: kept,
    rare,
    most: lines.maxLength,
    places: {
      ...{ ydisp, ybase, y, x, scrollTop, scrollBottom, tabs, savedX, savedY },
      ...{ savedCurAttrData, savedCharset },
    },
  };
}

function thawBuffer(buffer: CoreBuffer, frozen: FrozenBuffer, plain: Attributes): void {
  const { lines } = buffer;
  lines.maxLength = frozen.most;
  lines.length = 0;
  let at = 0;
  for (let index = 0; index < frozen.lines.length; index += 1) {
    const code = frozen.lines[index] ?? 0;
    const length = (code >> 1) * CELL;
    const line = buffer.getBlankLine(plain);
    const rare = frozen.rare.get(index);
    if (rare !== undefined && rare.length !== line.length)
      line.resize(rare.length, buffer.getNullCell(plain));
    line._data.set(frozen.cells.subarray(at, at + length));
    at += length;
    line.isWrapped = (code & 1) === 1;
    if (rare !== undefined) {
      line._combined = rare._combined;
      line._extendedAttrs = rare._extendedAttrs;
    }
    lines.push(line);
  }
  Object.assign(buffer, frozen.places);
}

export class Emulator {
  readonly terminal: xterm.Terminal;
  readonly #core: Core;
  #blank = true;
  /** The beginning of a character: drawn when the rest of it has come. */
  #character = NOTHING;

  constructor(columns: number, rows: number, scrollback: number) {
    this.terminal = new xterm.Terminal({
      cols: columns,
      rows,
      scrollback,
      allowProposedApi: true,
      logLevel: 'off',
    });
    const core: unknown = '_core' in this.terminal ? this.terminal._core : undefined;
    if (!isCore(core) || !isCoreLine(core._bufferService.buffers.normal.lines.get(0))) {
      throw new Error('the terminal emulator is not as expected; its version must be the one that is pinned');
    }
    this.#core = core;
  }

  write(output: Uint8Array | string): void {
    this.#blank = false;
    let data = typeof output === 'string' ? Buffer.from(output) : output;
    if (this.#character.length > 0) data = Buffer.concat([this.#character, data]);
    const end = data.length - unfinishedCharacter(data);
    this.#character = end === data.length ? NOTHING : Buffer.from(data.subarray(end));
    for (let from = 0; from < end; ) {
      const piece = data.subarray(from, Math.min(end, from + MOST_AT_ONCE));
      const to = from + piece.length;
      from = to === end ? end : to - unfinishedCharacter(piece);
      this.#core.writeSync(from === to ? piece : piece.subarray(0, from - to));
    }
  }

  resize(columns: number, rows: number): void {
    // The emulator keeps lines in a ring, and what it makes of long lines in a narrower window depends on where the ring
    // begins, which nobody can see. A change of its size and back makes it begin at its beginning.
    const { normal, alt } = this.#core._bufferService.buffers;
    for (const { lines } of [normal, alt]) {
      lines.maxLength += 1;
      lines.maxLength -= 1;
    }
    this.#blank = false;
    this.terminal.resize(columns, rows);
  }

  /** In the middle of no sequence and no character. */
  get atRest(): boolean {
    const parser = this.#core._inputHandler._parser;
    return this.#character.length === 0 && parser.currentState === parser.initialState;
  }

  /** No margins: a line feed in the last row moves all rows. */
  get scrollsWhole(): boolean {
    const { scrollTop, scrollBottom } = this.#core._bufferService.buffers.active;
    return scrollTop === 0 && scrollBottom === this.terminal.rows - 1;
  }

  /** The most lines that are kept of what was drawn; the alternate screen may keep more of them than it has rows. */
  get mostLines(): number {
    return this.#core._bufferService.buffers.active.lines.maxLength;
  }

  /** The screen as it is, and the emulator is blank; undefined, and nothing changed, when it can't be at this moment. */
  freeze(): FrozenScreen | undefined {
    const { _inputHandler: input, _bufferService, coreService, _charsetService, optionsService } = this.#core;
    const { normal, alt, active } = _bufferService.buffers;
    const parser = input._parser;
    if (!this.atRest) return undefined;
    if (normal.markers.length > 0 || alt.markers.length > 0) return undefined;
    const attributes = input._curAttrData;
    if (
      attributes.extended.urlId !== 0 ||
      normal.savedCurAttrData.extended.urlId !== 0 ||
      alt.savedCurAttrData.extended.urlId !== 0
    ) {
      return undefined;
    }
    const { charset, glevel, _charsets } = _charsetService;
    const frozen: FrozenScreen = {
      columns: this.terminal.cols,
      rows: this.terminal.rows,
      scrollback: this.terminal.options.scrollback ?? 0,
      alternate: active === alt,
      top: active.ybase,
      cursor: { row: active.ybase + active.y, column: active.x },
      normal: freezeBuffer(normal, this.terminal.cols),
      alt: freezeBuffer(alt, this.terminal.cols),
      attributes,
      join: parser.precedingJoinState,
      modes: coreService.modes,
      decPrivateModes: coreService.decPrivateModes,
      charsets: { charset, glevel },
      allCharsets: _charsets,
      convertEol: optionsService.options.convertEol,
    };
    // What was put away is the emulator's own state: it gets another.
    this.#blank = false;
    this.clear(frozen.columns, frozen.rows, frozen.scrollback);
    return frozen;
  }

  /** Nothing of what was drawn is left. */
  clear(columns: number, rows: number, scrollback: number): void {
    const { _inputHandler: input, _bufferService, optionsService } = this.#core;
    const { cols, rows: had, options } = this.terminal;
    if (this.#blank && cols === columns && had === rows && options.scrollback === scrollback) return;
    this.#blank = true;
    this.#character = NOTHING;
    this.#core.reset();
    if (this.terminal.options.scrollback !== scrollback) this.terminal.options.scrollback = scrollback;
    if (this.terminal.cols !== columns || this.terminal.rows !== rows) {
      this.terminal.resize(columns, rows);
      this.#core.reset();
    }
    input._parser.reset();
    input._utf8Decoder.clear();
    input._parser.precedingJoinState = 0;
    input._windowTitle = '';
    input._iconName = '';
    input._windowTitleStack = [];
    input._iconNameStack = [];
    _bufferService._cachedBlankLine = undefined;
    optionsService.options.convertEol = false;
  }

  /** Becomes the screen that was put away. */
  thaw(frozen: FrozenScreen): void {
    this.clear(frozen.columns, frozen.rows, frozen.scrollback);
    this.#blank = false;
    const { _inputHandler: input, _bufferService, coreService, _charsetService, optionsService } = this.#core;
    const { buffers } = _bufferService;
    const plain = input._curAttrData;
    if (frozen.alternate) buffers.activateAltBuffer();
    thawBuffer(buffers.normal, frozen.normal, plain);
    thawBuffer(buffers.alt, frozen.alt, plain);
    input._curAttrData = frozen.attributes;
    input._parser.precedingJoinState = frozen.join;
    coreService.modes = frozen.modes;
    coreService.decPrivateModes = frozen.decPrivateModes;
    _charsetService.charset = frozen.charsets.charset;
    _charsetService.glevel = frozen.charsets.glevel;
    _charsetService._charsets = frozen.allCharsets;
    optionsService.options.convertEol = frozen.convertEol;
  }

  [Symbol.dispose](): void {
    this.terminal.dispose();
  }
}

/** A screen that has an emulator. */
export interface Borrower {
  /** Puts itself away and gives its emulator up; undefined when it can't at this moment. */
  giveUp(): Emulator | undefined;
}

/** How many screens that can't be put away are passed over before one more emulator is made. */
const TRIES = 4;

/** The least recently used screens lose their emulators to those that something happens on. */
export class EmulatorPool {
  readonly #limit: number;
  readonly #borrowers = new Set<Borrower>();
  #idle: Emulator[] = [];
  #last: Borrower | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#borrowers.size + this.#idle.length;
  }

  /** An emulator in any state: whoever gets it clears it or thaws something in it. */
  borrow(by: Borrower, columns: number, rows: number, scrollback: number): Emulator {
    const emulator = this.#idle.pop() ?? this.#taken() ?? new Emulator(columns, rows, scrollback);
    this.#borrowers.add(by);
    this.#last = by;
    return emulator;
  }

  used(by: Borrower): void {
    if (this.#last === by) return;
    this.#last = by;
    this.#borrowers.delete(by);
    this.#borrowers.add(by);
  }

  giveBack(by: Borrower, emulator: Emulator): void {
    this.#forget(by);
    if (this.size >= this.#limit) {
      emulator[Symbol.dispose]();
      return;
    }
    emulator.clear(80, 24, 0);
    this.#idle.push(emulator);
  }

  #taken(): Emulator | undefined {
    if (this.#borrowers.size < this.#limit) return undefined;
    let tries = TRIES;
    for (const borrower of this.#borrowers) {
      const emulator = borrower.giveUp();
      if (emulator !== undefined) {
        this.#forget(borrower);
        return emulator;
      }
      this.used(borrower);
      tries -= 1;
      if (tries === 0) return undefined;
    }
    return undefined;
  }

  #forget(by: Borrower): void {
    this.#borrowers.delete(by);
    if (this.#last === by) this.#last = undefined;
  }
}
