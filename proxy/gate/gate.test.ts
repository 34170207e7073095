// The gate against a small line editor, on a clock of the test's own: what is held, what is let through, what is
// taken back, and that no input whatever gets a submit key past it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Gate } from './gate.ts';
import {
  ENFORCE,
  type GateAction,
  type GateSettings,
  OBSERVE,
  type VerdictAnswer,
  type VerdictRequest,
} from './gate-types.ts';
import { type EditorHabits, REPORT_KEY, TinyEditor } from './tiny-editor.ts';

/** `SALLYPORT_PROPERTY_TIMES=20`: so many times as many tries, each run with another seed. */
const TIMES = Math.max(1, Number(process.env['SALLYPORT_PROPERTY_TIMES'] ?? 1) || 1);

type Judge = (request: VerdictRequest) => VerdictAnswer | undefined;

/** The gate, the editor behind it, and a clock that only moves when told. */
class Bench {
  readonly editor: TinyEditor;
  readonly gate: Gate;
  readonly requests: VerdictRequest[] = [];
  readonly actions: GateAction[] = [];
  now = 1_000;
  shown = '';
  #wake = Number.POSITIVE_INFINITY;
  readonly #judge: Judge;

  constructor(judge: Judge, settings: GateSettings = ENFORCE, habits: Partial<EditorHabits> = {}) {
    this.#judge = judge;
    this.editor = new TinyEditor(habits);
    this.gate = new Gate({ columns: 80, rows: 24, settings, roundTrip: 0, now: this.now });
    this.#do(this.gate.deviceData(Buffer.from(this.editor.prompt()), this.now));
    this.wait(300);
  }

  type(text: string | Buffer): this {
    this.#do(this.gate.clientData(Buffer.from(text), this.now));
    return this;
  }

  output(text: string | Buffer): this {
    this.#do(this.gate.deviceData(Buffer.from(text), this.now));
    return this;
  }

  wait(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 5_000 && this.#wake <= until; turn++) {
      this.now = Math.max(this.now, this.#wake);
      this.#wake = Number.POSITIVE_INFINITY;
      this.#do(this.gate.timer(this.now));
    }
    this.now = Math.max(this.now, until);
    return this;
  }

  answer(id: number, answer: VerdictAnswer): this {
    this.#do(this.gate.verdict(id, answer, this.now));
    return this;
  }

  go(): this {
    this.#do(this.gate.go(this.now));
    return this;
  }

  report(text: string, allow?: Buffer): this {
    this.#do(this.gate.reported(text, this.now, { allow, drop: undefined }));
    return this;
  }

  get outcomes(): string[] {
    return this.actions.flatMap((action) => (action.kind === 'outcome' ? [action.outcome] : []));
  }

  get ended(): string | undefined {
    return this.actions.find((action) => action.kind === 'endChannel')?.code;
  }

  #do(actions: readonly GateAction[]): void {
    // As the gate decided them: what follows from one of them comes after all of them.
    this.actions.push(...actions);
    for (const action of actions) {
      switch (action.kind) {
        case 'toDevice': {
          const out = this.editor.take(action.bytes);
          if (out !== '') this.#do(this.gate.deviceData(Buffer.from(out), this.now));
          break;
        }
        case 'resizeDevice': {
          const out = this.editor.redraw();
          if (out !== '') this.#do(this.gate.deviceData(Buffer.from(out), this.now));
          break;
        }
        case 'toClient':
          this.shown += action.bytes.toString();
          break;
        case 'requestVerdict': {
          this.requests.push(action.request);
          const answer = this.#judge(action.request);
          if (answer !== undefined) this.#do(this.gate.verdict(action.request.id, answer, this.now));
          break;
        }
        case 'timer':
          this.#wake = action.at;
          break;
        case 'observed':
          this.requests.push(action.request);
          break;
        case 'outcome':
        case 'answered':
        case 'refusedKey':
        case 'alarm':
        case 'endChannel':
          break;
      }
    }
  }
}

const release: Judge = () => ({ kind: 'release' });
const blockRm: Judge = (request) =>
  request.reading.candidates.some((text) => /\brm\b/.test(text))
    ? { kind: 'block', notice: 'Blocked by rule "no-rm".' }
    : { kind: 'release' };

describe('a submit key', () => {
  test('is let through when its line was read exactly and approved', () => {
    const bench = new Bench(release).type('echo hi').type('\r').wait(300);
    expect(bench.requests).toMatchObject([{ reading: { text: 'echo hi', how: 'exact' } }]);
    expect(bench.editor.ran).toEqual(['echo hi']);
  });

  test('waits while there is no verdict, and so does everything behind it', () => {
    const bench = new Bench(() => undefined).type('echo hi\rrm x\r').wait(5_000);
    expect(bench.editor.received.toString()).toBe('echo hi');
    bench.answer(bench.requests[0]?.id ?? 0, { kind: 'release' }).wait(500);
    expect(bench.editor.ran).toEqual(['echo hi']);
    expect(bench.editor.received.toString()).toBe('echo hi\rrm x');
    expect(bench.requests[1]?.reading.text).toBe('rm x');
  });

  test.each([
    ['LF', '\n'],
    ['^O', '\x0f'],
    ['keypad Enter', '\x1bOM'],
    ['kitty Enter', '\x1b[13u'],
    ['kitty ctrl-j', '\x1b[106;5u'],
    ['modifyOtherKeys Enter', '\x1b[27;5;13~'],
    ['Meta-Enter', '\x1b\r'],
    ['accept-and-hold', '\x1ba'],
  ])('sent as %s is held like CR', (_name, key) => {
    const bench = new Bench(() => undefined).type(`rm x${key}`).wait(500);
    expect(bench.requests).toHaveLength(1);
    expect(bench.editor.received.toString()).toBe('rm x');
  });

  test('in a paste to a device without bracketed paste is held for each line', () => {
    const bench = new Bench(blockRm, ENFORCE, { announces: false });
    bench.type('\x1b[200~echo a\nrm x\necho b\n\x1b[201~').wait(4_000);
    expect(bench.requests.map((request) => request.reading.text)).toEqual(['echo a', 'rm x', 'echo b']);
    expect(bench.editor.ran).toEqual(['echo a', 'echo b']);
  });

  test('on an empty line needs no verdict', () => {
    const bench = new Bench(() => undefined).type('\r').wait(300).type('\r').wait(300);
    expect(bench.requests).toEqual([]);
    expect(bench.editor.received.toString()).toBe('\r\r');
  });
});

test('a line whose prompt nobody knows is not waited for once it is back', () => {
  const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('\r').wait(2_000);
  bench.output('\r\nnew% ').type('echo hi').wait(100).type('\r').wait(700);
  expect(bench.requests).toMatchObject([{ reading: { candidates: expect.arrayContaining(['echo hi']) } }]);
});

describe('keys typed ahead into a slow program', () => {
  test('are not forgotten when the prompt comes back before their echo', () => {
    const bench = new Bench(() => undefined);
    bench.output('\x1b[?2004l\r\n').wait(2_000);
    bench.type('rm x').output('\r\n\x1b[?2004halice@dev$ ').wait(200);
    bench.type('\r').wait(3_000);
    expect(bench.editor.ran).toEqual([]);
    expect(bench.requests.length).toBe(1);
  });
});

describe('a blocked line', () => {
  test('never runs; the user is told why and gets a clean prompt', () => {
    const bench = new Bench(blockRm).type('rm -rf x\r').wait(500).type('echo ok\r').wait(500);
    expect(bench.editor.ran).toEqual(['echo ok']);
    expect(bench.shown).toContain('Blocked by rule "no-rm".');
    expect(bench.outcomes).toEqual(['blocked', 'released']);
  });

  test('that cannot be taken back ends the channel', () => {
    const bench = new Bench(blockRm, ENFORCE, { interruptible: false }).type('rm x\r').wait(5_000);
    expect(bench.ended).toBe('SP_GATE_ERASE_UNVERIFIED');
    expect(bench.editor.ran).toEqual([]);
    bench.type('\r').wait(1_000);
    expect(bench.editor.ran).toEqual([]);
  });

  test('with interrupt also ends the channel', () => {
    const bench = new Bench(() => ({ kind: 'interrupt', notice: 'No.' })).type('rm x\r').wait(3_000);
    expect(bench.ended).toBe('SP_GATE_INTERRUPTED');
    expect(bench.editor.ran).toEqual([]);
  });

  test('shows a notice without control characters of its own', () => {
    const bench = new Bench(() => ({ kind: 'block', notice: 'a\x1b[2Jb' })).type('rm x\r').wait(1_000);
    expect(bench.shown).toContain('a [2Jb');
  });
});

describe('a key that a program took', () => {
  test('is not part of the next line where the screen shows that, and is judged with it all the same', () => {
    const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('\r').wait(2_000);
    bench.output('\r\nlogin\r\nalice@dev$ ').wait(2_000);
    for (const line of ['echo a', 'login']) {
      bench.type(`${line}\r`).wait(1_000);
      bench.answer(bench.requests.at(-1)?.id ?? 0, { kind: 'release' }).wait(2_000);
    }
    bench.type('q').wait(500).output('\r\nalice@dev$ ').wait(2_000);
    bench.type('echo b').output('echo b').wait(100).type('\r').wait(2_000);
    expect(bench.requests.at(-1)?.reading).toMatchObject({ text: 'echo b', how: 'exact' });
    expect(bench.requests.at(-1)?.reading.candidates).toContain('qecho b');
  });

  test('is not mistaken for one that stands behind the cursor', () => {
    const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('echo a\r').wait(1_000);
    bench.answer(bench.requests[0]?.id ?? 0, { kind: 'release' }).wait(2_000);
    bench.type('ls').wait(500).output('\b\b').type('\x1b[D\x1b[D').wait(2_000).type('\r').wait(3_000);
    expect(bench.requests.at(-1)?.reading.text).toBe('ls');
  });

  test('is believed to be on a line that shows nothing', () => {
    const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('\r').wait(2_000);
    bench.type('rm x').wait(50).output('\r\x1b[Kalice@dev$ ').wait(2_000).type('\r').wait(3_000);
    expect(bench.requests[0]?.reading.candidates).toContain('rm x');
    expect(bench.editor.ran).toEqual([]);
  });
});

describe('what stands behind a known prompt before the first key', () => {
  const grown = (lines: number): Bench => {
    const bench = new Bench(release).type('ls\r').wait(2_000);
    bench.editor.ps1 = 'alice@dev$ # ';
    for (let line = 0; line < lines; line++) bench.type('ls\r').wait(5_000);
    return bench.type('rm x').wait(200).type('\r').wait(5_000);
  };

  test('may be a part of the prompt, and of the line', () => {
    const { reading } = grown(1).requests.at(-1) ?? {};
    expect(reading?.candidates).toEqual(expect.arrayContaining(['rm x', '# rm x']));
  });

  test('is the prompt once an editor has come up behind it twice, and may still be a part of the line', () => {
    const { reading } = grown(2).requests.at(-1) ?? {};
    expect(reading).toMatchObject({ text: 'rm x', how: 'exact' });
    expect(reading?.candidates).toContain('# rm x');
  });
});

describe('a line that its editor is to prove to have', () => {
  const prove: Judge = ({ unproven }) =>
    unproven?.provable === true ? { kind: 'prove', digits: '3914752', beyond: false } : { kind: 'release' };
  const proving = (habits: Partial<EditorHabits> = {}, judge: Judge = prove): Bench =>
    new Bench(judge, ENFORCE, habits).type('ls\r').wait(2_000);

  test('runs as it was when it has proven it', () => {
    const bench = proving().type('man rm x\r').wait(2_000);
    expect(bench.requests.map(({ unproven }) => unproven?.provable)).toEqual([undefined, true, undefined]);
    expect(bench.editor.ran).toEqual(['ls', 'man rm x']);
    expect(bench.outcomes).toEqual(['released', 'released']);
  });

  test('does not run where it does not, whatever is then said', () => {
    for (const habits of [{ moves: false }, { echo: false }]) {
      const bench = proving(habits).type('man rm x\r').wait(20_000);
      expect(bench.editor.ran).not.toContain('man rm x');
    }
  });

  test('does not run where text stands before it that is not its own', () => {
    const bench = proving();
    bench.type('q').wait(200);
    // A program has taken the key, and a shell whose prompt ends in that letter comes up.
    bench.editor.take(Buffer.from('\x7f'));
    bench.editor.ps1 = 'alice@dev$ q';
    bench.output(`\r${bench.editor.prompt()}`).wait(500);
    bench.type('rm x').wait(200).type('\r').wait(20_000);
    expect(bench.requests.at(-1)?.reading.text).toBe('qrm x');
    expect(bench.editor.ran).toEqual(['ls']);
  });

  test('is asked for once, and twice in vain at most in one channel', () => {
    const bench = proving({ moves: false });
    for (let line = 0; line < 4; line++) bench.type('man rm x\r').wait(20_000);
    const provable = bench.requests.filter(({ unproven }) => unproven?.provable === true);
    expect(provable.length).toBe(2);
  });

  test('holds the digits meanwhile, in front of it and in another order than they were sent', () => {
    const bench = proving({}, ({ unproven }) =>
      unproven?.provable === true ? { kind: 'prove', digits: '3914752', beyond: true } : { kind: 'release' },
    );
    bench.type('man rm x\r').wait(2_000);
    const sent = bench.actions.flatMap((action) =>
      action.kind === 'toDevice' ? [action.bytes.toString()] : [],
    );
    const keys = sent.find((text) => text.includes('\x1bOD')) ?? '';
    expect(keys.replaceAll('\x1bOD', '')).toBe('3914752');
    expect(bench.shown).toContain('alice@dev$ 2574193man rm x');
    expect(keys.indexOf('3')).toBe(3 * ('man rm x'.length + 'alice@dev$ '.length));
  });

  test('or a paste, before anything of it is sent', () => {
    const paste = '\x1b[200~man rm\nman rm x\n\x1b[201~';
    for (const moves of [true, false]) {
      const judge: Judge = ({ what }) => (what === 'paste' ? undefined : { kind: 'release' });
      const bench = proving({ moves }, judge).type(paste).wait(200);
      const last = (): number => bench.requests.at(-1)?.id ?? 0;
      bench.answer(last(), { kind: 'prove', digits: '3914752', beyond: false }).wait(8_000);
      bench.answer(last(), { kind: 'release' }).wait(8_000);
      expect(bench.requests.slice(1).map(({ what, unproven }) => [what, unproven?.provable])).toEqual([
        ['paste', true],
        ['paste', moves ? undefined : false],
      ]);
      expect(bench.editor.received.includes(paste)).toBe(moves);
      expect(bench.shown.includes('Not pasted')).toBe(!moves);
    }
  });

  test('is not asked for where something has the whole screen', () => {
    const bench = proving().output('\x1b[?1049h\x1b[H').wait(500).type('man rm x\r').wait(20_000);
    expect(bench.requests.at(-1)?.unproven?.provable).not.toBe(true);
  });

  test('is asked for where nothing was typed and what stands there is no known prompt', () => {
    const bench = new Bench(({ reading }) =>
      reading.text === '' ? { kind: 'block', notice: 'no' } : { kind: 'release' },
    );
    bench.editor.ps1 = 'other> rm x';
    bench.type('ls\r').wait(5_000).type('\r').wait(5_000);
    expect(bench.requests.at(-1)).toMatchObject({ reading: { text: '' }, unproven: { left: 'other> rm x' } });
    expect(bench.outcomes.at(-1)).toBe('blocked');
  });

  test('is no question before anything was let start', () => {
    const bench = new Bench(release).type('man rm x\r').wait(2_000);
    expect(bench.requests.map(({ unproven }) => unproven)).toEqual([undefined]);
  });
});

describe('every end of a line is to be judged', () => {
  test('where a program was reading when it was begun, shown or not', () => {
    for (const announces of [true, false]) {
      const bench = new Bench(release, ENFORCE, { announces }).type('login\r').wait(2_000);
      bench.type('hunter2\r').wait(4_000);
      expect(bench.requests.map(({ anyEnd }) => anyEnd)).toEqual([false, true]);
    }
  });

  test('where an editor seems to come up only after the submit key', () => {
    const bench = new Bench(() => undefined, ENFORCE).type('login\r').wait(1_000);
    bench.answer(bench.requests[0]?.id ?? 0, { kind: 'release' }).wait(2_000);
    bench.type('qrm x\r').output('\x1b[?2004h').wait(8_000);
    expect(bench.requests.at(-1)).toMatchObject({ anyEnd: true });
  });

  test('and not where a known prompt came late, before its first key', () => {
    const bench = new Bench(release, ENFORCE, { announces: false }).type('ls\r').wait(2_000);
    bench.type('login\r').wait(2_000).output('\r\nalice@dev$ ').wait(2_000);
    bench.type('man rm\r').wait(2_000);
    expect(bench.requests.at(-1)).toMatchObject({ anyEnd: false, reading: { text: 'man rm' } });
  });

  test('and not in a full-screen program that was let start, nor of a paste that an editor takes', () => {
    const paste = new Bench(release).type('\x1b[200~a\nb\x1b[201~').wait(300);
    expect(paste.requests).toMatchObject([{ what: 'paste', anyEnd: false }]);
    const vim = new Bench(release)
      .type('vim x\r')
      .wait(300)
      .output('\x1b[?1049h\x1b[H\x1b[2J~\r\n~')
      .wait(2_000);
    vim.type('itext\r').wait(8_000);
    expect(vim.requests.at(-1)).toMatchObject({ anyEnd: false, context: { reader: 'program' } });
    vim.output('\x1b[?1049l').wait(500).type('qrm x\r').wait(8_000);
    expect(vim.requests.at(-1)).toMatchObject({ anyEnd: true });
  });

  test('and not where nothing is held', () => {
    const bench = new Bench(release, OBSERVE).type('login\r').wait(2_000).type('hunter2\r').wait(4_000);
    expect(bench.requests.length).toBe(2);
    expect(bench.requests.map(({ anyEnd }) => anyEnd)).not.toContain(true);
  });
});

describe('a line that its user gives up by a key which its editor ignores', () => {
  test.each([['\x1a'], ['\x03'], ['\x1c']])('is read all the same: %j', (key) => {
    for (const announces of [true, false]) {
      const bench = new Bench(blockRm, ENFORCE, { announces, interruptible: false });
      bench.type('rm x').wait(100).type(key).wait(5_000).type('\r').wait(8_000);
      expect(bench.requests[0]?.reading.candidates).toContain('rm x');
      expect(bench.editor.ran).toEqual([]);
    }
  });

  const PROMPTS = ['\r\nalice@dev$ ', '\r\n\x1b[?2004halice@dev$ ', '\x1b[?2004l\r\n\x1b[?2004halice@dev$ '];

  test.each(PROMPTS.flatMap((prompt) => ['\x1a', '\x1c', '\x03'].map((key) => [key, prompt] as const)))(
    'is read all the same, whoever prints a prompt then: %j, %j',
    (key, prompt) => {
      for (const next of ['', 'ls']) {
        const bench = new Bench(blockRm, ENFORCE, { interruptible: false }).type('\r').wait(2_000);
        bench
          .type('rm x')
          .wait(100)
          .type(key)
          .wait(50)
          .output(prompt)
          .wait(2_000)
          .type(`${next}\r`)
          .wait(8_000);
        expect(bench.requests[0]?.reading.candidates.join()).toContain('rm x');
        expect(bench.editor.ran).toEqual([]);
      }
    },
  );

  test.each([['\x1a'], ['\x1c']])(
    'is read all the same where no editor announces itself, whoever prints a prompt then: %j',
    (key) => {
      for (const prompt of ['\r\n', '\r\n% ', '\r\nalice@dev$ ', '\r\n\x1b[?2004halice@dev$ ']) {
        for (const next of ['\r', '\x0f', 'ls\r']) {
          for (const echo of [true, false]) {
            const bench = new Bench(blockRm, ENFORCE, { announces: false, echo }).type('\r').wait(2_000);
            bench.type('rm x').wait(100).type(key).wait(50).output(prompt).wait(2_000).type(next).wait(8_000);
            expect(bench.requests[0]?.reading.candidates.join()).toContain('rm x');
            expect(bench.editor.ran).toEqual([]);
          }
        }
      }
    },
  );

  test('is judged only with what follows, and no doubt is left of it once that was let go', () => {
    const bench = new Bench(
      release,
      { ...ENFORCE, uncertain: 'allow', replay: 'never' },
      { announces: false },
    );
    bench.type('\r').wait(2_000).type('abc').wait(100).type('\x1a').output('\r\n% ').wait(2_000);
    bench.type('ls\r').wait(3_000).type('echo b\r').wait(3_000);
    expect(bench.requests.map(({ reading }) => reading.candidates)).toEqual([
      expect.arrayContaining(['ls', 'abcls']),
      ['echo b'],
    ]);
  });

  test('holds up nothing any more once it was refused and a clean prompt came', () => {
    const bench = new Bench(blockRm, ENFORCE, { announces: false }).type('\r').wait(2_000);
    bench.type('rm x').wait(100).type('\x1a').output('\r\nalice@dev$ ').wait(2_000).type('ls\r').wait(5_000);
    expect(bench.outcomes.at(-1)).toBe('blocked');
    bench.type('ls\r').wait(5_000);
    expect(bench.editor.ran).toEqual(['ls']);
  });

  test('is gone where an interrupt brings the known prompt of an editor that does not announce itself', () => {
    const bench = new Bench(blockRm, ENFORCE, { announces: false }).type('\r').wait(2_000);
    bench.type('rm x').wait(100).type('\x03').wait(2_000).type('ls\r').wait(2_000);
    expect(bench.requests.map(({ reading }) => reading.candidates)).toEqual([['ls']]);
    expect(bench.editor.ran).toEqual(['ls']);
  });

  test('is for no log where it was typed without echo', () => {
    const bench = new Bench(release, ENFORCE, { announces: false, echo: false }).type('\r').wait(2_000);
    bench
      .type('hunter2')
      .wait(100)
      .type('\x1a')
      .output('\r\n% ')
      .wait(2_000)
      .type('ls')
      .output('ls')
      .wait(50);
    bench.type('\r').wait(3_000);
    expect(bench.requests[0]).toMatchObject({
      reading: { text: 'ls', candidates: expect.arrayContaining(['hunter2ls']) },
      context: { secret: false, secretBefore: true },
    });
  });

  test('is gone where a prompt comes back', () => {
    const bench = new Bench(release).type('rm x').wait(100).type('\x03').wait(2_000).type('ls\r').wait(2_000);
    expect(bench.requests.map(({ reading }) => reading.candidates)).toEqual([['ls']]);
  });
});

test('output that looks like fish takes no doubt from history expansion', () => {
  const bench = new Bench(release).type('\r').wait(500);
  bench.output('\u23ce\x1b[K\r\n\x1b[?2004l\x1b[?2004halice@dev$ ').wait(500);
  bench.type('!rm').wait(50).type('\r').wait(5_000);
  expect(bench.requests[0]?.reading.doubts).toContain('history-expansion');
  expect(bench.outcomes).toEqual(['released', 'unverifiable']);
  bench.gate.sideFact({ echo: true, foreground: 'fish', shellReads: true }, bench.now);
  bench.type('echo a!b').wait(50).type('\r').wait(5_000);
  expect(bench.outcomes.at(-1)).toBe('released');
});

describe('text that keys took out of a line while others wrote', () => {
  test.each([['\r'], ['ls\r']])('is judged where no editor draws the line anew: %j', (next) => {
    const bench = new Bench(blockRm, ENFORCE, { announces: false }).type('\r').wait(2_000);
    bench.type('rm x\x15').wait(100).output('\r\nalice@dev$ ').wait(500).type(next).wait(5_000);
    expect(bench.requests[0]?.reading.candidates.join()).toContain('rm x');
    expect(bench.editor.ran).toEqual([]);
  });

  test('is gone where an editor draws the line without it', () => {
    const bench = new Bench(blockRm).type('\r').wait(500).type('rm x\x7f\x7f\x7f\x7f').wait(100);
    bench.output('\r\nalice@dev$ ').wait(500).type('ls\r').wait(5_000);
    expect(bench.requests.map(({ reading }) => reading.text)).toEqual(['ls']);
    expect(bench.editor.ran).toEqual(['ls']);
  });
});

describe('a submit key that nothing has answered', () => {
  test('may have been none: its line is judged with the next one until a line feed comes', () => {
    const bench = new Bench(release).type('login\r').wait(3_000).type('hunter2').wait(50);
    // Nothing of the sort is seen of this reader from here on.
    const before = bench.requests.length;
    bench.editor.take = () => '';
    bench.type('\r').wait(3_000).type('again\r').wait(3_000);
    expect(bench.requests.slice(before).map(({ reading }) => reading.candidates)).toEqual([
      expect.arrayContaining(['hunter2']),
      expect.arrayContaining(['again', 'hunter2again']),
    ]);
    bench.output('\r\n').type('third\r').wait(3_000);
    expect(bench.requests.at(-1)?.reading.candidates.join()).not.toContain('again');
  });
});

describe('a line that keys alone do not tell', () => {
  test('is redrawn by its editor, read from that, and typed anew only where needed', () => {
    const bench = new Bench(release).type('echo one\r').wait(500).type('\x1b[A\r').wait(3_000);
    expect(bench.requests[1]?.reading).toMatchObject({ text: 'echo one', how: 'screen' });
    expect(bench.editor.ran).toEqual(['echo one', 'echo one']);
  });

  test('is typed by the gate itself when every line must be', () => {
    const bench = new Bench(release, { ...ENFORCE, replay: 'always' }).type('echo hi\r').wait(3_000);
    expect(bench.editor.ran).toEqual(['echo hi']);
    expect(bench.editor.received.toString()).toBe('echo hi\x03\x1b[200~echo hi\x1b[201~\r');
    expect(bench.outcomes).toEqual(['replayed']);
  });

  test('of a command that goes on is typed anew with the lines before it', () => {
    const bench = new Bench(release, { ...ENFORCE, replay: 'always' });
    bench.type("echo 'a\r").wait(3_000);
    bench.type("b'\r").wait(5_000);
    expect(bench.outcomes).toEqual(['replayed', 'replayed']);
    expect(bench.editor.received.toString().endsWith("\x03\x1b[200~echo 'a\nb'\x1b[201~\r")).toBe(true);
  });

  test('painted over by output is read from the redraw', () => {
    const bench = new Bench(blockRm)
      .type('rm x')
      .output('\r\x1b[Kalice@dev$ ls')
      .wait(200)
      .type('\r')
      .wait(2_000);
    expect(bench.editor.ran).toEqual([]);
    expect(bench.requests[0]?.reading.candidates).toContain('rm x');
  });
});

describe('what is typed without echo', () => {
  test('is judged as a secret and reaches the program that asked for it', () => {
    const bench = new Bench(release).type('login\r').wait(3_000).type('hunter2\r').wait(3_000);
    expect(bench.requests.map((request) => request.context.secret)).toEqual([false, true]);
    expect(bench.editor.received.toString()).toContain('hunter2\r');
    bench.type('echo hi\r').wait(500);
    expect(bench.requests[2]).toMatchObject({ reading: { text: 'echo hi' }, context: { secret: false } });
  });

  test('at a prompt that does not echo is judged, is not let through unseen, and is not for the log', () => {
    const bench = new Bench(release, ENFORCE, { announces: false, echo: false }).type('rm x\r').wait(5_000);
    expect(bench.requests).toMatchObject([{ reading: { text: 'rm x' }, context: { secret: true } }]);
    expect(bench.editor.ran).toEqual([]);
  });

  test.each([['rm x\x15'], ['rm x\x7f\x7f\x7f\x7f'], ['rm x\x15ls']])(
    'is judged as if no key had taken anything away: %j',
    (keys) => {
      const bench = new Bench(blockRm, ENFORCE, { announces: false, echo: false }).type(`${keys}\r`);
      bench.wait(5_000);
      expect(bench.requests).toMatchObject([{ context: { secret: true } }]);
      expect(bench.requests[0]?.reading.candidates.some((text) => text.startsWith('rm x'))).toBe(true);
      expect(bench.outcomes).toEqual(['blocked']);
    },
  );

  const atPassword = (settings: GateSettings): Bench =>
    new Bench(release, settings).wait(300).type('login\r').wait(3_000);
  const judged = (bench: Bench): VerdictRequest[] =>
    bench.actions.flatMap((action) =>
      action.kind === 'observed' || action.kind === 'requestVerdict' ? [action.request] : [],
    );

  test.each([
    ['in one chunk', OBSERVE, ['hunter2\r']],
    ['in one chunk', ENFORCE, ['hunter2\r']],
    ['key by key', OBSERVE, [...'hunter2', '\r']],
    ['key by key', ENFORCE, [...'hunter2', '\r']],
    ['with a correction', OBSERVE, [...'huntrr\x7f\x7fer2', '\r']],
    ['with a correction', ENFORCE, [...'huntrr\x7f\x7fer2', '\r']],
  ] as const)('%s is a secret (%o)', (_how, settings, keys) => {
    const bench = atPassword(settings);
    for (const key of keys) bench.type(key).wait(40);
    bench.wait(3_000).type('echo hi\r').wait(3_000);
    const seen = judged(bench).map(({ reading, context }) => [reading.text, context.secret]);
    expect(seen).toEqual([
      ['login', false],
      ['hunter2', true],
      ['echo hi', false],
    ]);
  });

  test.each([
    ['ends with a line feed', false],
    ['ends without one', true],
  ])(
    'loses no line after it where the device answers sooner than its round trip and %s',
    (_how, silentEnd) => {
      const bench = new Bench(release, OBSERVE, { silentEnd });
      bench.gate.setRoundTrip(20);
      bench.type('login\r').type('hunter2\r').type('echo hi\r').wait(3_000);
      expect(judged(bench).map(({ reading, context }) => [reading.text, context.secret])).toEqual([
        ['login', false],
        ['hunter2', true],
        ['echo hi', false],
      ]);
    },
  );

  test('before an editor came up is judged and kept from the log, and the line that it shows is not', () => {
    const bench = new Bench(release).type('less x\r').wait(3_000);
    bench.type('q').wait(6).type('e').output(bench.editor.late()).wait(6);
    for (const key of ['cho hi', '\r']) bench.type(key).wait(40);
    bench.wait(3_000);
    expect(bench.requests[1]).toMatchObject({
      reading: { text: 'echo hi', how: 'screen', candidates: expect.arrayContaining(['qecho hi']) },
      context: { secret: false, secretBefore: true },
    });
  });

  test('ahead of a shell that takes its time, into a program that is ending, waits for the line that the shell shows', () => {
    const bench = new Bench(blockRm).type('less x\r').wait(3_000);
    for (const key of ['q', ...'rm x', '\r']) bench.type(key).wait(6);
    bench.wait(3_000);
    expect(bench.requests).toHaveLength(1);
    bench.output(bench.editor.late()).wait(1_000);
    expect(bench.requests[1]).toMatchObject({ reading: { text: 'rm x' } });
    expect(bench.editor.ran).toEqual([]);
  });

  test('is a secret where stars come back for it', () => {
    const bench = new Bench(release, OBSERVE).type('login\r').wait(500);
    for (const key of 'hunter2') bench.type(key).output('*').wait(40);
    bench.type('\r').wait(500);
    expect(judged(bench)[1]).toMatchObject({
      reading: { candidates: expect.arrayContaining(['hunter2']) },
      context: { secret: true },
    });
  });

  test('is a secret where the program ends without a line feed', () => {
    const bench = new Bench(release, OBSERVE, { silentEnd: true }).type('login\r').wait(500);
    bench.type('hunter2\r').wait(3_000).type('echo hi\r').wait(500);
    const seen = judged(bench).map(({ reading, context }) => [reading.text, context.secret]);
    expect(seen).toEqual([
      ['login', false],
      ['hunter2', true],
      ['echo hi', false],
    ]);
  });

  test('keeps the lines that are judged with it out of the log as well', () => {
    const bench = new Bench(release).type('login\r').wait(3_000).type("it's\r").wait(3_000);
    bench.type('echo hi\r').wait(3_000);
    expect(bench.requests[2]).toMatchObject({
      preceding: ["it's"],
      context: { secret: false, secretBefore: true },
    });
  });
});

describe('keys that could run something unread', () => {
  test.each([['\x18\x05'], ['\x1be'], ['\x1b#'], ['\x1b[15~'], ['\x1b[24~'], ['\x1b*'], ['\x00'], ['\x9d']])(
    '%j is dropped',
    (key) => {
      const bench = new Bench(release).type('ls').type(Buffer.from(key, 'latin1')).wait(200);
      const first = Buffer.from(key, 'latin1').subarray(0, 1);
      expect(bench.editor.received.includes(first)).toBe(false);
      expect(bench.actions.some((action) => action.kind === 'refusedKey')).toBe(true);
    },
  );

  test('a paste with control characters in it is dropped', () => {
    const bench = new Bench(release).type('\x1b[200~rm x\x0f\x1b[201~').wait(300);
    expect(bench.editor.received.toString()).toBe('');
  });

  test('a paste with line ends is judged before anything of it is passed on', () => {
    const bench = new Bench(blockRm).type('\x1b[200~echo a\nrm x\n\x1b[201~').wait(1_000);
    expect(bench.requests).toMatchObject([{ what: 'paste' }]);
    expect(bench.editor.received.toString()).toBe('\x03');
    bench.type('echo ok\r').wait(500);
    expect(bench.editor.ran).toEqual(['echo ok']);
  });

  test('^D on a line of a terminal without an editor is held', () => {
    const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('rm x\x04').wait(500);
    expect(bench.requests.map((request) => request.reading.text)).toEqual(['rm x']);
  });

  test('Tab is dropped while the line holds a substitution', () => {
    const bench = new Bench(release).type('echo $(rm x)').type('\t').wait(200);
    expect(bench.editor.received.includes('\t')).toBe(false);
  });

  test('an editor that stops reading although nothing was submitted raises the alarm', () => {
    const bench = new Bench(release).type('ls').output('\r\n\x1b[?2004l');
    expect(bench.actions).toContainEqual(
      expect.objectContaining({ kind: 'alarm', alarm: 'SP_GATE_EDITOR_LEFT' }),
    );
  });
});

describe('in an editor that was approved', () => {
  const inVim = (): Bench =>
    new Bench(release).type('vim x\r').wait(300).output('\x1b[?1049h\x1b[H\x1b[2J~\r\n~').wait(2_000);

  test.each([['\x1b[15~'], ['\x18'], ['\x1d'], ['\x1bx']])('%j is passed on', (key) => {
    const bench = inVim().type(key).wait(200);
    expect(bench.editor.received.toString()).toContain(key);
  });

  test('lines are passed on one after another, and it stays the program', () => {
    const bench = inVim().output('\x1b[?2004h').type('line one\r').wait(2_000).type('line two\r').wait(2_000);
    expect(bench.editor.received.toString()).toBe('vim x\rline one\rline two\r');
    expect(bench.requests.at(-1)?.context).toMatchObject({ reader: 'program', program: 'vim x' });
  });

  test('so is v after ESC', () => {
    const bench = inVim().type('\x1b').wait(200).type('v').wait(200);
    expect(bench.editor.received.toString().endsWith('\x1bv')).toBe(true);
  });

  test.each([
    ['once it has given the screen back', '\x1b[?1049l\x1b[?1049h'],
    ['once the known prompt is there', '\x1b[H\x1b[2Jalice@dev$ '],
  ])('nothing of that %s', (_name, output) => {
    const bench = inVim().output(output).wait(2_000).type('\x1b[15~').wait(200);
    expect(bench.editor.received.toString()).not.toContain('\x1b[15~');
  });

  test.each([['vim x; sh'], ['vim $(touch y)'], ['vim x | tee']])('nothing of that for %s', (command) => {
    const bench = new Bench(release).type(`${command}\r`).wait(300);
    bench.output('\x1b[?1049h\x1b[H\x1b[2J~').wait(2_000).type('\x1b[15~').wait(200);
    expect(bench.editor.received.toString()).not.toContain('\x1b[15~');
  });
});

describe('a mark that the shell prints at the end of its prompt', () => {
  const marked = (output: string): Bench => {
    const bench = new Bench(() => undefined, ENFORCE, { announces: false }).type('\r').wait(2_000);
    return bench.output(output).wait(2_000).type('ls').wait(200).type('\r').wait(3_000);
  };

  test('brings what was filled in before the first key to the judge', () => {
    const [request] = marked('\r\nnew% \x1b]133;B\x07rm -rf ').requests;
    expect(request?.reading.candidates).toContain('rm -rf ls');
    expect(request?.reading.confidence).toBeLessThan(0.9);
  });

  test('hides nothing where it stands too far to the right', () => {
    const [request] = marked('\r\nnew% rm -rf \x1b]133;B\x07').requests;
    expect(request?.reading.candidates).toContain('ls');
  });
});

describe('asking the user', () => {
  const ask: Judge = () => ({ kind: 'ask', question: 'Run it? y/n', echo: true });

  test('keeps the answer from the device and lets the line through after it', () => {
    const bench = new Bench(ask).type('reboot\r').wait(200).type('y\r');
    const answered = bench.actions.find((action) => action.kind === 'answered');
    expect(answered).toMatchObject({ answer: 'y' });
    expect(bench.editor.received.toString()).toBe('reboot');
    bench.answer(answered?.id ?? 0, { kind: 'release' }).wait(300);
    expect(bench.editor.ran).toEqual(['reboot']);
  });

  test('given up with ^C takes the line back', () => {
    const bench = new Bench(ask).type('reboot\r').wait(200).type('\x03').wait(1_000).type('ls').wait(100);
    expect(bench.editor.ran).toEqual([]);
    expect(bench.outcomes).toContain('cancelled');
  });
});

describe('a shell that reports its line', () => {
  const reporting = (
    judge: Judge,
    settings: GateSettings,
    report: (bench: Bench, line: string) => void,
  ): Bench => {
    const bench: Bench = new Bench(judge, settings, { report: (line) => report(bench, line) });
    bench.gate.witnessReady(Buffer.from(REPORT_KEY));
    return bench;
  };
  const truly = (bench: Bench, line: string): void => void bench.report(line);

  test('is believed for the text that the screen shows, and what runs is that', () => {
    const bench = reporting(release, ENFORCE, truly).type('echo hi\r').wait(300);
    expect(bench.requests).toMatchObject([
      { reading: { text: 'echo hi', how: 'integrated', confidence: 0.99 } },
    ]);
    expect(bench.editor.ran).toEqual(['echo hi']);
  });

  test('and says what the screen does not show leaves the line uncertain', () => {
    const bench = reporting(release, { ...ENFORCE, replay: 'never' }, (to) => void to.report('ls'))
      .type('echo hi\r')
      .wait(3_000);
    expect(bench.requests[0]?.reading.confidence).toBeLessThan(0.9);
    expect(bench.outcomes).toEqual(['unverifiable']);
    expect(bench.editor.ran).toEqual([]);
  });

  test('is told right before the submit key that its line may run, and not when the line is blocked', () => {
    const allow = Buffer.from('\x1e');
    const report = (to: Bench, line: string): void => void to.report(line, allow);
    const bench = reporting(blockRm, ENFORCE, report).type('echo hi\r').wait(500);
    expect(bench.editor.received.subarray(-2)).toEqual(Buffer.from('\x1e\r'));
    const blocked = reporting(blockRm, ENFORCE, report).type('rm x\r').wait(2_000);
    expect(blocked.editor.received.includes(allow)).toBe(false);
  });

  test('does not hide what the keys say', () => {
    const bench = reporting(blockRm, ENFORCE, (to) => void to.report('ls'))
      .type('rm x\r')
      .wait(2_000);
    expect(bench.requests[0]?.reading).toMatchObject({ text: 'ls', doubts: ['mismatch'] });
    expect(bench.editor.ran).toEqual([]);
  });

  test('that keeps silent is read without', () => {
    const bench = reporting(release, ENFORCE, () => {})
      .type('echo hi\r')
      .wait(2_000);
    expect(bench.requests).toMatchObject([{ reading: { text: 'echo hi', how: 'exact' } }]);
    expect(bench.editor.ran).toEqual(['echo hi']);
  });

  test('is asked where nothing is held as well', () => {
    const bench = reporting(release, OBSERVE, truly).type('echo hi\r').wait(300);
    expect(bench.requests).toMatchObject([{ reading: { text: 'echo hi', how: 'integrated' } }]);
  });

  test('is not asked for a second line unless it says again that it reads', () => {
    const bench = reporting(release, ENFORCE, truly).type('echo a\r').wait(500).type('echo b\r').wait(500);
    expect(bench.requests.map(({ reading }) => reading.how)).toEqual(['integrated', 'exact']);
  });

  test('unasked is not heard', () => {
    const bench = new Bench(release).report('rm x').type('echo hi\r').wait(500);
    expect(bench.requests).toMatchObject([{ reading: { text: 'echo hi', how: 'exact' } }]);
  });
});

describe('a session that an administrator holds', () => {
  const held = (): { bench: Bench; id: number } => {
    const bench = new Bench(() => undefined).type('rm x\r').wait(500);
    bench.gate.stand(bench.now);
    return { bench, id: bench.requests[0]?.id ?? 0 };
  };

  test.each([
    ['release', { kind: 'release' }, ['rm x'], 'rm x\r'],
    ['block', { kind: 'block', notice: 'no' }, [], 'rm x\x03'],
  ] as const)('gets a verdict to %s only once it goes on', (_name, answer, ran, received) => {
    const { bench, id } = held();
    bench.answer(id, answer).wait(100_000);
    expect(bench.editor.received.toString()).toBe('rm x');
    expect(bench.outcomes).toEqual([]);
    bench.go().wait(2_000);
    expect(bench.editor.ran).toEqual(ran);
    expect(bench.editor.received.toString()).toBe(received);
    expect(bench.ended).toBeUndefined();
  });

  test('loses nothing by the time that it stood', () => {
    const { bench, id } = held();
    bench.wait(100_000).go().wait(1_000);
    expect(bench.outcomes).toEqual([]);
    bench.answer(id, { kind: 'release' }).wait(500);
    expect(bench.editor.ran).toEqual(['rm x']);
    const asked = bench.now;
    bench.type('ls\r').wait(500);
    expect(bench.requests[1]?.at).toBeGreaterThanOrEqual(asked);
  });
});

describe('observing', () => {
  test('never holds, and reads each line when its editor leaves it', () => {
    const bench = new Bench(() => undefined, OBSERVE).type('echo one\r').wait(200).type('\x1b[A\r').wait(200);
    expect(bench.editor.ran).toEqual(['echo one', 'echo one']);
    expect(bench.requests.map((request) => request.reading.text)).toEqual(['echo one', 'echo one']);
  });

  test('keeps nothing back of a line because a password was given up before it', () => {
    const bench = new Bench(() => undefined, OBSERVE, { echo: false }).type('hunt').wait(100);
    bench.type('\x03').wait(200).type('ls').output('ls').wait(50).type('\r').wait(500);
    expect(bench.requests.at(-1)).toMatchObject({
      reading: { text: 'ls' },
      context: { secretBefore: false },
    });
  });

  const back = '\x1b[?2004halice@dev$ ';
  test.each<[string, readonly string[]]>([
    ['at once', [`${back}echo three\r\n\x1b[?2004l\r`]],
    ['after its prompt', [back, 'echo three\r\n\x1b[?2004l\r']],
    ['after it has come up', ['\x1b[?2004h', 'alice@dev$ echo three\r\n\x1b[?2004l\r']],
    ['in pieces', ['\x1b[?2004', 'halice@dev$ ec', 'ho three\r', '\n\x1b[?2004l\r']],
  ])('reads a line typed ahead that the next editor shows %s', (_, pieces) => {
    const gate = new Gate({ columns: 80, rows: 24, settings: OBSERVE, roundTrip: 0, now: 0 });
    const seen: GateAction[] = [];
    let now = 0;
    // Each piece comes when whatever the gate waits for has long passed.
    const pass = (actions: readonly GateAction[]): void => {
      let due = actions;
      for (let turn = 0; turn < 20; turn++) {
        seen.push(...due);
        const at = due.findLast((action) => action.kind === 'timer')?.at;
        if (at === undefined || at > now + 300) break;
        due = gate.timer(Math.max(now, at));
      }
      now += 300;
    };
    pass(gate.deviceData(Buffer.from(back), now));
    pass(gate.clientData(Buffer.from('sleep 2\recho three\r'), now));
    pass(gate.deviceData(Buffer.from('sleep 2\r\n\x1b[?2004l\r'), now));
    now += 2_000;
    for (const piece of pieces) pass(gate.deviceData(Buffer.from(piece), now));
    pass(gate.deviceData(Buffer.from(`three\r\n${back}`), now));
    now += 5_000;
    pass(gate.timer(now));
    const rows = seen.flatMap((action) => (action.kind === 'observed' ? [action.request] : []));
    expect(rows).toMatchObject([
      { reading: { text: 'sleep 2' }, context: { secret: false } },
      { reading: { text: 'echo three' }, context: { secret: false } },
    ]);
  });

  test('notes a line that nothing answers, with little confidence', () => {
    const bench = new Bench(() => undefined, OBSERVE, { announces: false, echo: false });
    bench.type('rm x\r').output('\x1b[?2004halice@dev$ ').wait(5_000);
    expect(bench.requests).toMatchObject([
      { reading: { candidates: expect.arrayContaining(['rm x']) }, context: { secret: true } },
    ]);
    expect(bench.requests[0]?.reading.confidence).toBeLessThan(0.5);
  });
});

describe('whatever comes from both sides', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        'rm x',
        'echo hi',
        '\r',
        '\n',
        '\x0f',
        '\x1b[A',
        '\x1b[200~a\nb\x1b[201~',
        '\x1b[200~',
        '\x1b[201~',
        '\x03',
        '\x04',
        '\x1b',
        '\x1bOM',
        '\x1b[13u',
        '\t',
        '\x1b[?2004h',
        '\x1b[?2004l',
        '\x1b[?1049h',
        '\x1b[?1049l',
        'alice@dev$ ',
        '\r\n',
        '\x1b[H\x1b[2J',
        '\x1b]133;B\x07',
        '\x1b]0;rm x\x07',
      )
      .map((text) => Buffer.from(text)),
  );
  const step = fc.tuple(
    fc.constantFrom('client', 'device', 'wait', 'resize'),
    noise,
    fc.integer({ min: 0, max: 2_000 }),
  );

  /** What makes a line seem gone, and what a program may print to make it seem so: often enough to meet. */
  const seemingEnd = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constant('client' as const),
        fc
          .constantFrom(
            'rm x',
            '!',
            '\r',
            '\n',
            '\x0f',
            '\x1a',
            '\x1c',
            '\x15',
            '\x7f',
            '\x03',
            '\t',
            '\x1b[A',
          )
          .map((text) => Buffer.from(text)),
        fc.constant(0),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constant('device' as const),
        fc
          .constantFrom(
            '\r\n',
            '\r',
            'rm x',
            '\x1b[K',
            '$ ',
            'alice@dev$ ',
            '\r\nalice@dev$ ',
            '\x1b[?2004h',
            '\x1b[?2004l',
            '\x1b[H\x1b[2J',
            '\x1b[?2004h\r\nalice@dev$ ',
            '\x1b[?2004l\r\n\x1b[?2004halice@dev$ ',
          )
          .map((text) => Buffer.from(text)),
        fc.constant(0),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constant('wait' as const),
        fc.constant(Buffer.alloc(0)),
        fc.constantFrom(10, 50, 150, 400, 1_500, 3_000),
      ),
    },
  );

  const verdicts: fc.Arbitrary<VerdictAnswer | undefined> = fc.constantFrom(
    undefined,
    { kind: 'release' },
    { kind: 'prove', digits: '3914752', beyond: false },
    { kind: 'prove', digits: '3914752', beyond: true },
    { kind: 'block', notice: 'no' },
    { kind: 'ask', question: 'sure?', echo: true },
    { kind: 'wait', notice: 'wait', until: 30_000 },
  );

  test('behind a submit key that is held nothing of the user goes to the device, and what runs was approved', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(verdicts, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        fc.constantFrom('never', 'uncertain', 'always'),
        (steps, answers, announces, replay) => {
          let asked = 0;
          const bench = new Bench(
            () => answers[asked++ % answers.length],
            { ...ENFORCE, replay, uncertain: 'refuse' },
            { announces },
          );
          for (const [kind, data, time] of steps) {
            if (kind === 'client') bench.type(data);
            else if (kind === 'device') bench.output(data);
            else if (kind === 'resize') bench.gate.resize(20 + (time % 100), 5 + (time % 40), bench.now);
            else bench.wait(time);
            for (const { id } of bench.requests) if (time % 7 === 0) bench.answer(id, { kind: 'release' });
          }
          bench.wait(10_000);
          let open: number | undefined;
          const released: string[] = [];
          for (const action of bench.actions) {
            if (action.kind === 'requestVerdict') open = action.request.id;
            else if (action.kind === 'outcome') {
              if (action.id === open) open = undefined;
              if (action.outcome === 'released' || action.outcome === 'replayed') released.push(action.text);
            } else if (action.kind === 'toDevice' && action.origin === 'user') expect(open).toBeUndefined();
          }
        },
      ),
      { numRuns: 200 * TIMES },
    );
  });

  test('where nothing is held everything typed reaches the device as it is, and all that is kept is bounded', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, announces) => {
        const bench = new Bench(() => undefined, OBSERVE, { announces });
        const typed: Buffer[] = [];
        for (const [kind, data, time] of steps) {
          if (kind === 'client') {
            typed.push(data);
            bench.type(data);
          } else if (kind === 'device') bench.output(data);
          else if (kind === 'resize') bench.gate.resize(20 + (time % 100), 5 + (time % 40), bench.now);
          else bench.wait(time);
          expect(bench.gate.keptBytes).toBeLessThan(70_000);
        }
        bench.wait(10_000);
        const passed = bench.actions.flatMap((action) => (action.kind === 'toDevice' ? [action.bytes] : []));
        expect(Buffer.concat(passed).toString('latin1')).toBe(Buffer.concat(typed).toString('latin1'));
      }),
      { numRuns: 200 * TIMES },
    );
  });

  test('a paste within a paste brings no submit key past the judge', () => {
    const bench = new Bench(() => ({ kind: 'block', notice: 'no' }), ENFORCE, { announces: false });
    bench.type('\x1b[200~');
    bench.type('\x1b[200~a\nb\x1b[201~');
    bench.wait(10_000);
    expect(bench.editor.received.toString('latin1')).not.toMatch(/[\r\n]/);
  });

  test.each([
    ['whatever is typed', fc.array(step, { maxLength: 40 })],
    ['what seems gone', fc.array(seemingEnd, { maxLength: 16 })],
  ])(
    'nothing throws, what is kept stays bounded, and no submit key passes without a verdict: %s',
    (_of, given) => {
      fc.assert(
        fc.property(given, fc.boolean(), fc.boolean(), (steps, announces, echo) => {
          const bench = new Bench(() => ({ kind: 'block', notice: 'no' }), ENFORCE, { announces, echo });
          for (const [kind, data, time] of steps) {
            if (kind === 'client') bench.type(data);
            else if (kind === 'device') bench.output(data);
            else if (kind === 'resize') bench.gate.resize(20 + (time % 100), 5 + (time % 40), bench.now);
            else bench.wait(time);
            expect(bench.gate.keptBytes).toBeLessThan(3_000_000);
          }
          bench.wait(10_000);
          // Only empty lines may have been let through: the judge approved nothing.
          const released = bench.actions.filter(
            (action) => action.kind === 'outcome' && action.outcome === 'released',
          );
          const submits = [...bench.editor.received.toString('latin1').matchAll(/[\r\n\x0f]/g)];
          expect(submits.length).toBeLessThanOrEqual(released.length);
          expect(released.every((action) => action.kind === 'outcome' && action.text.trim() === '')).toBe(
            true,
          );
          // An editor that does not know the keypad's Enter takes the end of it for text, out of anybody's sight.
          expect(bench.editor.ran.filter((line) => !/^[\sM]*$/.test(line))).toEqual([]);
        }),
        { numRuns: 300 * TIMES },
      );
    },
  );
});
