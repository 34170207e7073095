// Lines that a program may take the first keys of, through the gate of a terminal whose device is this test: which ends
// are refused, what the log says of them, what it must not say, and what it costs at most.
import { describe, expect, it } from 'vitest';
import { analyse } from '../../policies/analysis/analyse.ts';
import { emptyShellState } from '../../policies/analysis/types.ts';
import { compilePolicy } from '../../policies/check.ts';
import type { GateContext, GateOutlet } from '../channels/gate-port.ts';
import { Judge } from './judge.ts';
import { type LineToTry, NO_ENDS, type OpenEnds, tryEnds } from './line-ends.ts';
import type { AuditDeps, AuditedCommand } from './ports.ts';
import { TerminalGate } from './terminal-gate.ts';

const RULES = `
name: test
rules:
  - {name: touch, match: "touch **", action: block}
  - {name: remove, match: "rm -rf **", action: block}
  - {name: counted, match: "mkfifo **", action: block, occurrences: 3}
  - {name: asked, match: "mount **", action: confirm}
  - {name: noted, match: "wget **", action: log}
  - {name: shadowed, match: "curl **", action: block, shadow: true}
`;

const context: GateContext = {
  sessionId: 's1',
  channel: 0,
  startedAt: 0,
  user: { id: 'u1', name: 'alice', groups: [] },
  device: { id: 'd1', name: 'web1', tags: [], os: 'linux' },
  credential: { id: 'c1', name: 'web1-login', username: 'alice' },
  grant: { id: 'g1', name: 'web' },
  sourceAddress: '127.0.0.1',
  environment: new Map(),
  roundTrip: 0,
  terminal: { type: 'xterm', columns: 80, rows: 24, modes: Buffer.alloc(0) },
};

/** A terminal on which a program reads from the start. */
class Bench implements Disposable {
  readonly rows: AuditedCommand[] = [];
  readonly gate: TerminalGate;
  shown = '';
  received = '';
  readonly #echo: boolean;
  #changed: () => void = () => {};

  constructor(echo = true, rules = RULES) {
    this.#echo = echo;
    const compiled = compilePolicy([{ file: 'test.yaml', text: rules }]);
    expect(compiled.problems).toEqual([]);
    const deps: AuditDeps = {
      policies: { current: compiled.set, onChange: () => () => {} },
      log: {
        newId: () => `c${this.rows.length + 1}`,
        append: async (command) => {
          this.rows.push(command);
          this.#changed();
        },
        settle: async () => {},
        occurrences: async () => new Map(),
      },
      approvals: { patience: 1_000, ask: () => Promise.reject(new Error('nobody is asked')) },
      identification: { questionFor: async () => undefined, check: async () => 'wrong' },
      userLock: { disable: async () => {} },
      events: { info: () => {}, warn: () => {} },
      now: () => Date.now(),
      clock: () => performance.now(),
    };
    const outlet: GateOutlet = {
      held: false,
      toDevice: (event) => {
        if (event.kind === 'data') this.#take(event.data);
      },
      toClient: (event) => {
        if (event.kind === 'data') this.#show(event.data);
      },
      injectToDevice: (data) => this.#take(data),
      injectToClient: (data) => this.#show(data),
      keptLess: () => {},
      endChannel: (reason) => this.#show(Buffer.from(reason)),
      endSession: (reason) => this.#show(Buffer.from(reason)),
    };
    this.gate = new TerminalGate({
      deps,
      judge: new Judge(deps, context),
      context,
      outlet,
      kind: 'exec',
      program: 'head -c1; sleep 9',
      started: undefined,
    });
  }

  [Symbol.dispose](): void {
    this.gate[Symbol.dispose]();
  }

  type(text: string): this {
    this.gate.fromClient({ kind: 'data', data: Buffer.from(text) });
    return this;
  }

  /** Waits until this holds. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        if (holds()) resolve();
      };
      this.#changed();
    });
  }

  #take(data: Buffer): void {
    const text = data.toString();
    this.received += text;
    const answer = text.replaceAll('\x03', '^C\r\nready> ').replaceAll('\r', '\r\n');
    if (this.#echo || text.includes('\x03'))
      setImmediate(() => this.gate.fromDevice({ kind: 'data', data: Buffer.from(answer), stream: 'stdout' }));
    this.#changed();
  }

  #show(data: Buffer): void {
    this.shown += data.toString();
    this.#changed();
  }
}

const refused = async (bench: Bench, line: string): Promise<AuditedCommand | undefined> => {
  bench.type(`${line}\r`);
  await bench.until(() => bench.shown.includes('Not run.'));
  expect(bench.received.replaceAll(/.*\r(?!$)/g, '')).not.toContain('\r');
  return bench.rows.at(-1);
};

const passed = async (bench: Bench, line: string): Promise<AuditedCommand | undefined> => {
  bench.type(`${line}\r`);
  await bench.until(() => bench.received.includes(`${line}\r`));
  return bench.rows.at(-1);
};

describe('a line that a program may take the first keys of', () => {
  it('is refused for an end that a rule blocks, and the log and its user are told which', async () => {
    using bench = new Bench();
    const row = await refused(bench, 'qtouch x');
    expect(row).toMatchObject({
      command: 'qtouch x',
      outcome: 'refused',
      decision: 'none',
      rules: [],
      points: 0,
      detail: 'its end "touch x", which a shell could read, is not allowed (rule test/touch)',
    });
    expect(bench.shown).toContain('The end "touch x" would be a command that is not allowed');
  });

  it('is refused and nobody is asked where a rule would ask about an end', async () => {
    using bench = new Bench();
    expect(await refused(bench, 'qmount /x')).toMatchObject({ outcome: 'refused', rules: [] });
  });

  it('is refused for a rule that counts, however often it was met, and counts nothing', async () => {
    using bench = new Bench();
    expect(await refused(bench, 'qmkfifo p')).toMatchObject({ outcome: 'refused', rules: [] });
  });

  it('passes where rules only note its ends, and where none does anything at all', async () => {
    using bench = new Bench();
    expect(await passed(bench, 'qwget x; qcurl x')).toMatchObject({ outcome: 'ran', rules: [] });
    using free = new Bench(true, 'name: test\nrules:\n  - {name: touch, match: "touch **", action: log}\n');
    free.type('qtouch x\r');
    await free.until(() => free.rows.length > 0);
    expect(free.rows).toMatchObject([{ outcome: 'ran', detail: '' }]);
  });

  it('is stored nowhere where it was typed without echo', async () => {
    using bench = new Bench(false);
    const row = await refused(bench, 'qtouch x');
    expect(row).toMatchObject({ hidden: true, outcome: 'refused', rules: [] });
    expect(JSON.stringify(bench.rows)).not.toContain('touch x');
    expect(bench.shown).not.toContain('touch x');
  });

  it('is refused where it makes a command of what a shell was left with before', async () => {
    using bench = new Bench();
    await passed(bench, '# rm \\');
    expect(await refused(bench, '-rf x')).toMatchObject({
      command: '-rf x',
      outcome: 'refused',
      detail: expect.stringContaining('"rm \\ -rf x"'),
    });
  });

  it('is refused where it has more ends than are judged', async () => {
    using bench = new Bench();
    expect(await refused(bench, `q ${'b'.repeat(5_000)}`)).toMatchObject({
      outcome: 'refused',
      detail: 'too long to be judged',
    });
  });
});

describe('trying the ends', () => {
  const trying = (texts: readonly string[], more: Partial<LineToTry> = {}): LineToTry => ({
    texts,
    anyEnd: true,
    atPrompt: false,
    left: '',
    hidden: false,
    read: (text) => [analyse(text, { grammar: 'posix-shell', state: emptyShellState })],
    heldBy: (analyses) =>
      analyses.some(({ commands }) => commands.some(({ name }) => name === 'rm')) ? 'no-rm' : undefined,
    knows: (analyses) =>
      analyses.some(({ commands }) => commands.some(({ name }) => name === 'rm' || name === 'b')),
    over: () => false,
    ...more,
  });
  const reads = (texts: readonly string[], hidden = false): OpenEnds => ({ texts, hidden });

  it('leaves the line as a whole to others', async () => {
    expect(await tryEnds(trying(['rm x', '  rm y']), NO_ENDS)).toMatchObject({ kind: 'allowed' });
    expect(await tryEnds(trying(['xrm x']), NO_ENDS)).toEqual({
      kind: 'held',
      text: 'rm x',
      rule: 'no-rm',
      from: 'line',
      atPrompt: false,
    });
  });

  it('tries nothing at a prompt but what is still open from before', async () => {
    const prompt = { anyEnd: false };
    expect(await tryEnds(trying(['man rm'], prompt), NO_ENDS)).toEqual({ kind: 'allowed', open: NO_ENDS });
    expect(await tryEnds(trying(["' ; rm x"], prompt), reads(["echo '"]))).toMatchObject({ kind: 'held' });
    expect(await tryEnds(trying(['ls'], prompt), reads(["don't"]))).toEqual({
      kind: 'allowed',
      open: NO_ENDS,
    });
    expect(await tryEnds(trying(['-r \\'], prompt), reads(['r\\m \\'], true))).toEqual({
      kind: 'held',
      text: undefined,
      rule: 'no-rm',
      from: 'before',
      atPrompt: false,
    });
  });

  it('remembers what a shell would read on, and of commands that mean nothing to anybody only one', async () => {
    const left = async (text: string): Promise<readonly string[]> => {
      const tried = await tryEnds(trying([text]), NO_ENDS);
      return tried.kind === 'allowed' ? tried.open.texts : [tried.kind];
    };
    expect(await left("some words cb 'x")).toEqual(["some words cb 'x", "b 'x"]);
    expect(await left('some ab\\')).toEqual(['some ab\\', 'ab\\', 'b\\', '\\']);
    expect(await left('some words')).toEqual([]);
  });

  it('gives others a turn, and up when nobody wants to know any more', async () => {
    let over = false;
    setImmediate(() => {
      over = true;
    });
    let read = 0;
    const line = trying(['a b '.repeat(500)], { over: () => over });
    await tryEnds(
      {
        ...line,
        read: (text) => {
          read += 1;
          return line.read(text);
        },
      },
      NO_ENDS,
    );
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(500);
  });
});
