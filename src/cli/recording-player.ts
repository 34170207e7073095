// Replays frames in a terminal and obeys the auditor's keys: pause, speed, next command, step, quit. It moves forward
// only; to go back, start again with an earlier --from. Where there is no keyboard it just plays.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Frame } from '../../recordings/play.ts';

export interface PlayerOptions {
  readonly speed: number;
  /** Pause at each command. */
  readonly step: boolean;
}

const LONGEST_PAUSE = 3_600_000;
const SLOWEST = 1 / 64;
const FASTEST = 1024;

export const playerKeys =
  'space pauses and goes on · + and - change the speed · n goes to the next command · s steps by command · q quits';

type Mode = 'playing' | 'paused' | 'skipping' | 'stopped';

export class Player {
  readonly #out: NodeJS.WriteStream;
  readonly #keyboard: NodeJS.ReadStream;
  #mode: Mode = 'playing';
  #speed: number;
  #step: boolean;
  #changed = new AbortController();

  constructor(out: NodeJS.WriteStream, keyboard: NodeJS.ReadStream, options: PlayerOptions) {
    this.#out = out;
    this.#keyboard = keyboard;
    this.#speed = options.speed;
    this.#step = options.step;
  }

  async play(frames: AsyncIterable<Frame>): Promise<void> {
    const interactive = this.#keyboard.isTTY === true && this.#out.isTTY === true;
    const typed = (data: Buffer): void => this.#typed(data.toString('latin1'));
    const stopped = (): void => this.#turn('stopped');
    process.once('SIGINT', stopped);
    if (interactive) {
      this.#keyboard.setRawMode(true);
      this.#keyboard.on('data', typed);
      this.#keyboard.resume();
    }
    try {
      for await (const frame of frames) {
        if (frame.mark !== undefined) {
          if (frame.mark.kind !== 'command') continue;
          if (this.#mode === 'skipping') this.#turn(this.#step ? 'paused' : 'playing');
          else if (this.#step && interactive) this.#turn('paused');
          continue;
        }
        await this.#wait(frame.wait);
        if (this.#mode === 'stopped') return;
        // A slow terminal is not flooded.
        if (!this.#out.write(frame.text)) await once(this.#out, 'drain');
      }
    } finally {
      process.removeListener('SIGINT', stopped);
      if (interactive) {
        this.#keyboard.removeListener('data', typed);
        this.#keyboard.setRawMode(false);
        this.#keyboard.pause();
      }
      // Colours and the like end with the recording.
      if (this.#out.isTTY === true) this.#out.write('\x1b[0m\x1b[?25h\x1b[?1049l\n');
    }
  }

  #typed(keys: string): void {
    for (const key of keys) {
      switch (key) {
        case ' ':
          this.#turn(this.#mode === 'paused' ? 'playing' : 'paused');
          break;
        case '+':
          this.#speed = Math.min(FASTEST, this.#speed * 2);
          this.#turn(this.#mode);
          break;
        case '-':
          this.#speed = Math.max(SLOWEST, this.#speed / 2);
          this.#turn(this.#mode);
          break;
        case 'n':
          this.#turn('skipping');
          break;
        case 's':
          this.#step = !this.#step;
          if (this.#step) this.#turn('skipping');
          break;
        case 'q':
        case '\x03':
          this.#turn('stopped');
          break;
      }
    }
  }

  #turn(mode: Mode): void {
    if (this.#mode === 'stopped') return;
    this.#mode = mode;
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** Waits `milliseconds` of the recording's time, however often the auditor changes the pace. */
  async #wait(milliseconds: number): Promise<void> {
    for (let left = milliseconds; ; ) {
      switch (this.#mode) {
        case 'stopped':
        case 'skipping':
          return;
        case 'paused':
          await pause(LONGEST_PAUSE, undefined, { signal: this.#changed.signal }).catch(() => undefined);
          break;
        case 'playing': {
          if (left <= 0) return;
          const began = performance.now();
          const speed = this.#speed;
          const length = Math.min(left / speed, LONGEST_PAUSE);
          await pause(length, undefined, { signal: this.#changed.signal }).catch(() => undefined);
          const passed = performance.now() - began;
          left = passed >= length ? 0 : left - passed * speed;
        }
      }
    }
  }
}
