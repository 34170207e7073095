// The alarm for a line editor that has left: raised when a key ran something unread, and not when a multiplexer draws its
// screen anew, shows another terminal, or goes. What the device prints here was recorded from bash, zsh, tmux 3.3 and
// GNU screen 4.9, and comes cut in two at every place there is.
import { describe, expect, test } from 'vitest';
import { Gate } from './gate.ts';
import { ENFORCE, type GateAction } from './gate-types.ts';

const PROMPT = 'alice@dev$ ';
const ENTERED = '\r\n\x1b[?2004l\r';
const OFF = '\x1b[?1006l\x1b[?1000l\x1b[?1002l\x1b[?1003l';

/** What tmux sends when it draws all it shows: it has thrown its knowledge of the terminal away before. */
const tmuxDraws = (text: string, row: number, column: number, rows = 24): string =>
  `\x1b(B\x1b[m\x1b[?12l\x1b[?25h${OFF}\x1b[?2004l\x1b[1;1H\x1b[1;${rows}r\x1b[${row};${column}H${OFF}` +
  `\x1b[?1006h\x1b[?1000h\x1b[?1002h\x1b[?2004h\x1b[?25l\x1b[H${text}` +
  `${'\x1b[K\r\n'.repeat(rows - row)}\x1b[K\x1b[?12l\x1b[?25h\x1b[${row};${column}H`;

const TMUX_STARTS = `\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\x1b[H\x1b[2J\x1b[?12l\x1b[?25h${OFF}\x1b[?1005l`;
const TMUX_GOES = `\x1b[1;24r\x1b(B\x1b[m\x1b[?1l\x1b>\x1b[H\x1b[2J\x1b[?2004l\x1b[?12l\x1b[?25h${OFF}\x1b[?1004l\x1b[?1049l\x1b[23;0;0t[detached (from session left)]\r\n`;
const SCREEN_STARTS =
  '\x1b[!p\x1b[?3;4l\x1b[4l\x1b>\x1b[?1049h\x1b[22;0;0t\x1b[4l\x1b[?1h\x1b=\x1b[0m\x1b(B\x1b[1;24r\x1b[H\x1b[2J';
const SCREEN_GOES =
  '\x1b[?2004l\x1b[?1l\x1b>\x1b[24;1H\r\n\x1b[?1049l\x1b[23;0;0t[remote detached from 1.left]\r\n';

/** A terminal whose device prints what the test says; every line is let through. */
class Recorded {
  readonly gate = new Gate({ columns: 80, rows: 24, settings: ENFORCE, roundTrip: 0, now: 0 });
  readonly sent: string[] = [];
  alarms = 0;
  now = 0;
  #wake = Number.POSITIVE_INFINITY;

  constructor() {
    this.shows(`\x1b[?2004h${PROMPT}`).wait(500);
  }

  [Symbol.dispose](): void {
    this.gate[Symbol.dispose]();
  }

  type(keys: string): this {
    this.#do(this.gate.clientData(Buffer.from(keys), this.now));
    return this;
  }

  /** The device prints this; cut in two after `cut` bytes, it comes so much later. */
  shows(output: string, cut = 0, later = 0): this {
    const bytes = Buffer.from(output);
    if (cut > 0 && cut < bytes.length) {
      this.#do(this.gate.deviceData(bytes.subarray(0, cut), this.now));
      this.wait(later);
      this.#do(this.gate.deviceData(bytes.subarray(cut), this.now));
    } else this.#do(this.gate.deviceData(bytes, this.now));
    return this;
  }

  wait(milliseconds: number): this {
    const until = this.now + milliseconds;
    while (this.#wake <= until) {
      this.now = Math.max(this.now, this.#wake);
      this.#wake = Number.POSITIVE_INFINITY;
      this.#do(this.gate.timer(this.now));
    }
    this.now = until;
    return this;
  }

  resize(columns: number, rows: number): this {
    this.#do(this.gate.resize(columns, rows, this.now));
    return this;
  }

  /** The command runs, and a prompt is there again: one in what it has started. */
  runs(command: string, output: string): this {
    return this.type(command).shows(command).wait(50).type('\r').wait(50).shows(output).wait(500);
  }

  inTmux(): this {
    return this.runs(
      'tmux attach -t left',
      `${ENTERED}${TMUX_STARTS}${tmuxDraws(`ready\x1b[K\r\n${PROMPT}`, 2, 12)}`,
    );
  }

  inScreen(): this {
    return this.runs('screen -r left', `${ENTERED}${SCREEN_STARTS}ready\r\n${PROMPT}\x1b[?2004h`);
  }

  #do(actions: readonly GateAction[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case 'alarm':
          if (action.alarm === 'SP_GATE_EDITOR_LEFT') this.alarms += 1;
          break;
        case 'requestVerdict':
          this.#do(this.gate.verdict(action.request.id, { kind: 'release' }, this.now));
          break;
        case 'timer':
          this.#wake = action.at;
          break;
        case 'toDevice':
          this.sent.push(action.bytes.toString());
          break;
        case 'toClient':
        case 'resizeDevice':
        case 'observed':
        case 'outcome':
        case 'answered':
        case 'refusedKey':
        case 'endChannel':
          break;
      }
    }
  }
}

const DIRECT = {
  'bash, with a silent command': `\r\n\x1b[?2004l\r\x1b[?2004h${PROMPT}`,
  'bash, with output': `\r\n\x1b[?2004l\rhi\r\n\x1b[?2004h${PROMPT}`,
  zsh: `\x1b[?2004l\r\r\n\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m${' '.repeat(79)}\r \r\r\x1b[0m\x1b[27m\x1b[24m\x1b[J${PROMPT}\x1b[K\x1b[?2004h`,
  'zsh, kept from a new prompt': '\x1b[?2004l\r\r\n',
  fish: `\r\n\x1b[30m\x1b(B\x1b[m\x1b[?2004l\x1b[?1004l\r\x1b[?1004h\x1b[?2004h${PROMPT}`,
  'an editor that only says so': '\x1b[?2004l',
  'an editor whose command restores the screen': `\x1b[?2004l\r\r\n\x1b[A\r${PROMPT}touch x\x1b[?2004h`,
} as const;

/** Every cut of the output, or none; `typed` stands on the line. */
function eachCut(
  output: string,
  alarms: number,
  start: () => Recorded,
  typed = '',
  act = (terminal: Recorded): Recorded => terminal,
): void {
  const wrong: string[] = [];
  for (let cut = 0; cut < Buffer.byteLength(output); cut += 1) {
    const later = cut % 2 === 0 ? 40 : 300;
    using terminal = start();
    if (typed !== '') terminal.type(typed).shows(typed).wait(100);
    act(terminal).shows(output, cut, later).wait(5_000);
    if (Math.min(terminal.alarms, 1) !== alarms) wrong.push(`${cut} of ${output.length}, ${later} ms`);
  }
  expect(wrong).toEqual([]);
}

describe('a line editor that has left', () => {
  test.each(Object.entries(DIRECT))('raises the alarm: %s', (_name, output) => {
    eachCut(output, 1, () => new Recorded(), 'touch x');
  });

  test.each(Object.entries(DIRECT))('raises it while the submit key is held: %s', (_name, output) => {
    eachCut(
      output,
      1,
      () => new Recorded(),
      'touch x',
      // Its last letter is not back: the key waits for that.
      (terminal) => terminal.type('y\r').wait(20),
    );
  });

  test.each([
    ['bash', `\r\n\x1b[?2004l\x1b[?2004h${PROMPT}`],
    ['bash, at once', `\r\n\x1b[?2004l${PROMPT}\x1b[?2004h`],
    ['bash, kept from a new prompt', '\r\n\x1b[?2004l\x1b[?25l\x1b[?12l\x1b[?25h'],
    ['zsh', `\r\n\x1b[?2004l${PROMPT}\x1b[?2004h`],
  ])('raises it inside tmux: %s', (_name, output) => {
    eachCut(output, 1, () => new Recorded().inTmux(), 'touch x');
  });

  test('raises it inside screen', () => {
    eachCut(`\r\n\x1b[?2004l\x1b[?2004h${PROMPT}`, 1, () => new Recorded().inScreen(), 'touch x');
  });

  test('raises it inside tmux although the window was changed just now', () => {
    eachCut(
      `\r\n\x1b[?2004l\x1b[?2004h${PROMPT}`,
      1,
      () => new Recorded().inTmux(),
      'touch x',
      (terminal) =>
        terminal
          .resize(81, 24)
          .shows(tmuxDraws(`ready\x1b[K\r\n${PROMPT}touch x`, 2, 19))
          .wait(100),
    );
  });

  test('raises it once the multiplexer has gone', () => {
    const terminal = new Recorded()
      .inTmux()
      .type('\x02d')
      .shows(`${TMUX_GOES}\x1b[?2004h${PROMPT}`)
      .wait(500);
    terminal.type('touch x').shows('touch x').wait(100).shows(DIRECT.zsh).wait(5_000);
    expect(terminal.alarms).toBe(1);
  });

  test('raises it where only the output looks like a multiplexer', () => {
    const terminal = new Recorded().runs('cat file', `${ENTERED}${TMUX_STARTS}\x1b[?2004h${PROMPT}`);
    terminal.type('\x02n').wait(100).shows(`\r\n\x1b[?2004l\r\x1b[?2004h${PROMPT}`).wait(5_000);
    expect(terminal.alarms).toBe(1);
  });

  test('keeps everything back until that is known', () => {
    const terminal = new Recorded().type('touch x').shows('touch x').wait(100).shows('\x1b[?2004l');
    const before = terminal.sent.length;
    terminal.type('y\r').wait(1_500);
    expect(terminal.sent.length).toBe(before);
    expect(terminal.wait(1_000).alarms).toBe(1);
  });
});

describe('a multiplexer raises no alarm', () => {
  const screen = (line: string): string => tmuxDraws(`ready\x1b[K\r\n${PROMPT}${line}`, 2, 12 + line.length);

  test('when tmux draws its screen anew at a prompt', () => {
    eachCut(screen(''), 0, () => new Recorded().inTmux());
  });

  test('when it does so in the middle of a line', () => {
    eachCut(screen('echo hi'), 0, () => new Recorded().inTmux(), 'echo hi');
  });

  test('when it was started by something that does not look like it', () => {
    const start = (): Recorded =>
      new Recorded().runs('work', `${ENTERED}${TMUX_STARTS}${tmuxDraws(`ready\x1b[K\r\n${PROMPT}`, 2, 12)}`);
    eachCut(screen('echo hi'), 0, start, 'echo hi');
  });

  test('when it does so while a submit key is held, and the key goes through afterwards', () => {
    const text = screen('echo hi');
    for (let cut = 1; cut < text.length; cut += 1) {
      using terminal = new Recorded().inTmux().type('echo h').shows('echo h').wait(100);
      terminal.type('i\r').wait(10).shows(screen('echo h'), cut, 40).shows('i').wait(5_000);
      expect(terminal.alarms).toBe(0);
      expect(terminal.sent.at(-1)).toBe('\r');
    }
  });

  test('when its window is changed', () => {
    eachCut(
      tmuxDraws(`ready\x1b[K\r\n${PROMPT}echo hi`, 2, 19, 20),
      0,
      () => new Recorded().inTmux(),
      'echo hi',
      (terminal) => terminal.resize(60, 20),
    );
  });

  test('when the window of screen is changed', () => {
    eachCut(
      `\x1b[1;20r\x1b[?2004l\x1b[H\x1b[2J\nready\r\n${PROMPT}echo hi\x1b[?2004h\r\x1b[K${PROMPT}echo hi`,
      0,
      () => new Recorded().inScreen(),
      'echo hi',
      (terminal) => terminal.resize(60, 20),
    );
  });

  test.each([
    ['tmux', '\x02d', TMUX_GOES],
    ['screen', '\x01d', SCREEN_GOES],
  ])('when %s is detached', (name, keys, output) => {
    const start = (): Recorded => (name === 'tmux' ? new Recorded().inTmux() : new Recorded().inScreen());
    eachCut(`${output}\x1b[?2004h${PROMPT}`, 0, start, '', (terminal) => terminal.type(keys));
  });

  test.each([
    ['tmux', TMUX_GOES],
    ['screen', SCREEN_GOES],
  ])('when %s is taken over from elsewhere', (name, output) => {
    const start = (): Recorded => (name === 'tmux' ? new Recorded().inTmux() : new Recorded().inScreen());
    eachCut(`${output}\x1b[?2004h${PROMPT}`, 0, start, 'ech');
  });

  test.each([
    ['keys', '\x02c'],
    ['the mouse', '\x1b[<0;3;1M'],
  ])('when another of its windows is asked for with %s', (_name, keys) => {
    eachCut(
      `\x1b[?25l\x1b[H\x1b[K\r\n${'\x1b[K\r\n'.repeat(22)}\x1b[K\x1b[?12l\x1b[?25h\x1b[H\x1b[?2004l${PROMPT}\x1b[?2004h`,
      0,
      () => new Recorded().inTmux(),
      'ech',
      (terminal) => terminal.type(keys).wait(20),
    );
  });
});
