// What judging costs: the delay that it adds to a submit key and to echoed keys, what it takes from bulk output on a
// terminal, and the memory of a session. One process serves the same device three times: without a gate, with one that
// only reads (no rule could hold anything), and with one that holds; the rounds are interleaved, so that load hits all.
// Usage: node --expose-gc bench/gate.ts [--samples N] [--megabytes N] [--sessions N] [--only delay,bulk,memory]
//        [--gates none,reads,holds] [--json]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compilePolicy } from '../policies/check.ts';
import { createAuditGates } from '../proxy/audit/gates.ts';
import type { AuditDeps, CommandLog } from '../proxy/audit/ports.ts';
import { type GateFactory, openGates } from '../proxy/channels/gate-port.ts';
import { createCommandLog } from '../src/audit/command-log.ts';
import { openStore, type Store } from '../src/store/store.ts';
import { Station } from '../test/channels/station.ts';
import { type Device, startDevice } from '../test/harness/device.ts';
import { type KeyPair, makeKey } from '../test/harness/keys.ts';
import { Scratch } from '../test/harness/scratch.ts';
import { SshUser } from '../test/harness/ssh.ts';
import type { TypedTerminal } from '../test/harness/terminal.ts';
import { median, percentile, round, table } from './measure.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '200' },
    megabytes: { type: 'string', default: '40' },
    sessions: { type: 'string', default: '40' },
    only: { type: 'string', default: 'delay,bulk,memory' },
    gates: { type: 'string', default: 'none,reads,holds' },
    json: { type: 'boolean', default: false },
  },
});
const SAMPLES = Number(values.samples);
const BYTES = Number(values.megabytes) * 1e6;
const SESSIONS = Number(values.sessions);
const ONLY = values.only.split(',');
const PROMPT = 'bench> ';

const RULES = `
name: bench
rules:
  - {name: removal, match: "rm ** -rf **", action: block}
  - {name: services, match: "systemctl stop *", action: confirm}
  - {name: unknown, opaque: approve}
`;

type Kind = 'none' | 'reads' | 'holds';
const kinds = (['none', 'reads', 'holds'] as const).filter((kind) => values.gates.split(',').includes(kind));

interface Variant {
  readonly kind: Kind;
  readonly user: SshUser;
}

/** Milliseconds that each command of a gate that holds took to be durable in the audit log. */
const logged: number[] = [];

/** A log that says how long it took. */
const timed = (log: CommandLog): CommandLog => ({
  ...log,
  append: async (command) => {
    const from = performance.now();
    await log.append(command);
    logged.push(performance.now() - from);
  },
});

const gatesOf = (kind: Kind, store: Store): GateFactory => {
  if (kind === 'none') return openGates;
  const { set, problems } = compilePolicy(kind === 'holds' ? [{ file: 'bench.yaml', text: RULES }] : []);
  if (problems.length > 0) throw new Error(problems[0]?.message);
  const deps: AuditDeps = {
    policies: { current: set, onChange: () => () => {} },
    log: kind === 'holds' ? timed(createCommandLog(store)) : createCommandLog(store),
    approvals: {
      patience: 0,
      ask: () => Promise.reject(new Error('nobody is asked here')),
    },
    identification: { questionFor: async () => undefined, check: async () => 'wrong' },
    userLock: { disable: async () => {} },
    events: { info: () => {}, warn: () => {} },
    now: Date.now,
    clock: () => performance.now(),
  };
  return createAuditGates(deps);
};

const open = async (variant: Variant): Promise<TypedTerminal> => {
  const terminal = variant.user.terminal();
  await terminal.until(PROMPT);
  return terminal;
};

const measureSubmit = async (terminal: TypedTerminal, count: number): Promise<number[]> => {
  const samples: number[] = [];
  for (let n = 0; n < count + 5; n += 1) {
    terminal.type('true');
    await terminal.until('true');
    const from = performance.now();
    terminal.type('\r');
    await terminal.until(PROMPT);
    if (n >= 5) samples.push(performance.now() - from);
  }
  return samples;
};

interface Echo {
  /** Of keys of a line that has begun. */
  readonly typed: readonly number[];
  /** Of the first key, sent in the moment when the prompt is there: until it is known to be one, input waits. */
  readonly first: readonly number[];
}

const KEYS_OF_A_LINE = 60;

const measureEcho = async (terminal: TypedTerminal, count: number): Promise<Echo> => {
  const typed: number[] = [];
  const first: number[] = [];
  for (let n = 0; typed.length < count; n += 1) {
    const key = String.fromCharCode(97 + (n % 26));
    const from = performance.now();
    terminal.type(key);
    await terminal.until(key);
    (n % KEYS_OF_A_LINE === 0 ? first : typed).push(performance.now() - from);
    if (n % KEYS_OF_A_LINE === KEYS_OF_A_LINE - 1) {
      terminal.type('\x03');
      await terminal.until(PROMPT);
    }
  }
  terminal.type('\x03');
  await terminal.until(PROMPT);
  return { typed, first };
};

interface Bulk {
  /** Megabytes (10⁶) a second through a terminal. */
  readonly rate: number;
  /** Milliseconds of this process's processor time for a megabyte: what else the machine does is not in it. */
  readonly processor: number;
}

const measureBulk = async (variant: Variant, file: string): Promise<Bulk> => {
  const from = performance.now();
  const spent = process.cpuUsage();
  const child = spawn('ssh', [...variant.user.arguments(['-tt']), `cat ${file}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let bytes = 0;
  child.stdout.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  await once(child, 'exit');
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(spent);
  return { rate: bytes / 1e6 / seconds, processor: (user + system) / 1000 / (bytes / 1e6) };
};

const memory = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
};

/** Megabytes of this process for each of many shells that have shown a few screens. */
const measureMemory = async (variant: Variant, sessions: number): Promise<number> => {
  const before = memory();
  const terminals: TypedTerminal[] = [];
  for (let n = 0; n < sessions; n += 1) {
    const terminal = await open(variant);
    terminal.type('seq 1 200\r');
    await terminal.until(/200\r\n[\s\S]*bench> /);
    terminals.push(terminal);
  }
  const used = memory() - before;
  for (const terminal of terminals) terminal.type('exit\r');
  await Promise.all(terminals.map((terminal) => terminal.ended()));
  return Math.max(0, used / sessions);
};

const stationFor = async (
  scratch: Scratch,
  device: Device,
  key: KeyPair,
  kind: Kind,
  store: Store,
): Promise<Variant> => {
  const station = await Station.open(scratch, device, key, { gates: gatesOf(kind, store) });
  const user = new SshUser(station, `alice@${device.account.name}@web1`, key, scratch.path(`known-${kind}`));
  return { kind, user };
};

const scratch = new Scratch();
try {
  const device = await startDevice(scratch);
  writeFileSync(`${device.account.home}/.bashrc`, `PS1='${PROMPT}'\n`);
  const text = scratch.path('text');
  const line = 'The quick brown fox jumps over the lazy dog \x1b[1;32mand says so\x1b[0m 0123456789\n';
  writeFileSync(text, line.repeat(Math.ceil(BYTES / line.length)), { mode: 0o644 });
  const store = await openStore(`sqlite:${scratch.path('db')}`);
  const key = makeKey(scratch.path('key'));
  const variants: Variant[] = [];
  for (const kind of kinds) variants.push(await stationFor(scratch, device, key, kind, store));

  const perSession = new Map<Kind, number>();
  for (const variant of ONLY.includes('memory') ? variants : []) {
    // The first sessions fill caches that stay.
    await measureMemory(variant, 3);
    perSession.set(variant.kind, await measureMemory(variant, SESSIONS));
  }
  const submit = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  const echo = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  const first = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  const bulk = new Map<Kind, Bulk[]>(kinds.map((kind) => [kind, []]));
  const rounds = 4;
  for (let n = 0; n < rounds && ONLY.includes('delay'); n += 1) {
    for (const variant of variants) {
      const terminal = await open(variant);
      submit.get(variant.kind)?.push(...(await measureSubmit(terminal, Math.ceil(SAMPLES / rounds))));
      const echoed = await measureEcho(terminal, Math.ceil(SAMPLES / rounds));
      echo.get(variant.kind)?.push(...echoed.typed);
      first.get(variant.kind)?.push(...echoed.first);
      terminal.type('exit\r');
      await terminal.ended();
    }
  }
  for (let n = 0; n < rounds + 1 && ONLY.includes('bulk'); n += 1)
    for (const variant of variants) bulk.get(variant.kind)?.push(await measureBulk(variant, text));
  await store.close();

  const of = (samples: Map<Kind, number[]>, kind: Kind, p: number): number =>
    percentile(samples.get(kind) ?? [], p);
  const rate = (kind: Kind): number => median((bulk.get(kind) ?? []).map((one) => one.rate));
  const processor = (kind: Kind): number => median((bulk.get(kind) ?? []).map((one) => one.processor));
  const result = {
    samples: SAMPLES,
    submitAddedP50: round(of(submit, 'holds', 0.5) - of(submit, 'none', 0.5)),
    submitAddedP99: round(of(submit, 'holds', 0.99) - of(submit, 'none', 0.99)),
    logP50: round(median(logged)),
    logP99: round(percentile(logged, 0.99)),
    echoAddedP50: round(of(echo, 'holds', 0.5) - of(echo, 'none', 0.5)),
    echoAddedP99: round(of(echo, 'holds', 0.99) - of(echo, 'none', 0.99)),
    firstKeyAddedP50: round(of(first, 'holds', 0.5) - of(first, 'none', 0.5)),
    bulkRatioReads: round(rate('reads') / rate('none')),
    bulkRatioHolds: round(rate('holds') / rate('none')),
    bulkProcessorRatioReads: round(processor('none') / processor('reads')),
    bulkProcessorRatioHolds: round(processor('none') / processor('holds')),
    megabytesPerSession: round((perSession.get('holds') ?? 0) - (perSession.get('none') ?? 0)),
  };
  const shown = (value: number, unit: string): string =>
    Number.isNaN(value) ? '-' : `${round(value)} ${unit}`;
  const ms = (value: number): string => shown(value, 'ms');
  const rows = kinds.map((kind) => [
    kind,
    ms(of(submit, kind, 0.5)),
    ms(of(submit, kind, 0.99)),
    ms(of(echo, kind, 0.5)),
    ms(of(echo, kind, 0.99)),
    ms(of(first, kind, 0.5)),
    shown(rate(kind), 'MB/s'),
    shown(processor(kind), 'ms/MB'),
    shown(perSession.get(kind) ?? Number.NaN, 'MB'),
  ]);
  if (!values.json) {
    process.stdout.write(
      `${table([['gate', 'submit p50', 'p99', 'echo p50', 'p99', 'first key', 'bulk', 'processor', 'session'], ...rows])}\n`,
    );
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await scratch[Symbol.asyncDispose]();
}
process.exit(0);
