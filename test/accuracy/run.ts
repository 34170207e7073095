// Measures how exactly commands are read: plays scripted and generated interactions in real shells through the gate
// and compares with the shells' own records. `--help` lists the options. The last line of output is JSON.
import { parseArgs } from 'node:util';
import { ENFORCE } from '../../proxy/gate/gate-types.ts';
import { type Counts, compareReadings, type Difference, NOTHING, normal, unapproved } from './compare.ts';
import { generate } from './generator.ts';
import { play } from './interaction.ts';
import { BY_SCREEN } from './measured.ts';
import { Random } from './random.ts';
import { readScenarios, type Scenario } from './scenario.ts';
import { SHELLS, type ShellKind } from './shells.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    shell: { type: 'string', multiple: true },
    latency: { type: 'string', default: '0' },
    scenarios: { type: 'string', multiple: true },
    mode: { type: 'string', default: 'both' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    jobs: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
    failures: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    integration: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`usage: accuracy [--seed N] [--count N] [--shell NAME]… [--latency MS] [--scenarios FILE.jsonl]…
                [--mode screen|enforced|both] [--only PATTERN] [--jobs N] [--seconds N] [--integration] [--failures] [--trace] [--json]
--count N       generated interactions for each shell (default 10, or 0 with --scenarios)
--jobs N        interactions at once, of different shells (default 4): they mostly wait
--seconds N     begin no interaction after this long; what is tried is drawn from all, by the seed
--latency MS    round trip between gateway and device; jitter is added
--integration   bash, zsh and fish report their lines themselves; other shells are left out
--mode          screen: read, never replayed; enforced: refused or replayed when not certain`);
  process.exit(0);
}

interface Job {
  readonly shell: ShellKind;
  readonly scenario: Scenario;
  readonly mode: 'screen' | 'enforced';
  readonly seed: number;
}

const whole = (text: string | undefined, otherwise: number): number => {
  const number = Number.parseInt(text ?? '', 10);
  return Number.isFinite(number) ? number : otherwise;
};

const seed = whole(values.seed, 1);
const latency = whole(values.latency, 0);
const files = values.scenarios ?? [];
const count = whole(values.count, files.length > 0 ? 0 : 10);
const wanted = (values.shell ?? []).flatMap((name) => name.split(','));
const only = values.only === undefined ? undefined : new RegExp(values.only);
const scenarios = files.flatMap((file) => readScenarios(file));
const modes = values.mode === 'both' ? (['screen', 'enforced'] as const) : ([values.mode] as const);

const skipped: string[] = [];
const jobs: Job[] = [];
for (const shell of SHELLS) {
  if (wanted.length > 0 && !wanted.includes(shell.name)) continue;
  if (values.integration && !['bash', 'zsh', 'fish'].includes(shell.family)) continue;
  if (!shell.available()) {
    skipped.push(shell.name);
    continue;
  }
  const list = [
    ...scenarios.filter((scenario) => scenario.sh.includes(shell.name) || scenario.sh.includes(shell.family)),
    ...Array.from({ length: count }, (_, index) => generate(shell.family, seed * 1_000_003 + index)),
  ].filter((scenario) => only === undefined || only.test(scenario.id));
  for (const mode of modes) {
    if (mode !== 'screen' && mode !== 'enforced') throw new Error(`unknown mode ${mode}`);
    list.forEach((scenario, index) => {
      jobs.push({ shell, scenario, mode, seed: seed * 7919 + index });
    });
  }
}

interface Tally extends Counts {
  interactions: number;
  clean: number;
  enforced: number;
  refused: number;
}

const empty = (): Tally => ({
  commands: 0,
  exact: 0,
  uncertain: 0,
  silentlyWrong: 0,
  unapprovedRan: 0,
  interactions: 0,
  clean: 0,
  enforced: 0,
  refused: 0,
});
const byShell = new Map<string, Tally>();
const held: number[] = [];

function report(job: Job, differences: readonly Difference[], transcript: string): void {
  if (!values.failures && !values.trace) return;
  for (const difference of differences) {
    console.log(
      `${job.mode} ${job.shell.name} ${job.scenario.id}: ${difference.kind}\n    ran  ${JSON.stringify(difference.truth)}\n    read ${JSON.stringify(difference.read)}  ${difference.detail}`,
    );
  }
  if (values.trace) console.log(transcript);
}

/** mksh writes a line into its history when it is given up, too: those are no commands that ran. */
function givenUp(job: Job, outcomes: readonly string[]): ReadonlySet<string> {
  if (job.shell.family !== 'mksh') return new Set();
  const taken = outcomes
    .filter((outcome) => !outcome.startsWith('released'))
    .map((outcome) => outcome.replace(/^\w+: /, ''));
  const typed = job.scenario.steps.flatMap((step, index, steps) => {
    const later = steps.slice(index + 1).find((other) => typeof other === 'string');
    return typeof step === 'string' && typeof later === 'string' && later.startsWith('\x03') ? [step] : [];
  });
  return new Set(
    [...(job.scenario.interrupted ?? []), ...typed, ...taken].map((text) => normal(text, false)),
  );
}

async function one(job: Job): Promise<void> {
  const tally = byShell.get(job.shell.name) ?? empty();
  byShell.set(job.shell.name, tally);
  const settings = job.mode === 'screen' ? BY_SCREEN : ENFORCE;
  const played = await play(job.shell, job.scenario, {
    latency,
    settings,
    random: new Random(job.seed),
    trace: values.trace === true,
    integration: values.integration === true,
  });
  const family = job.shell.family;
  const options = {
    loose: family === 'tcsh',
    repeatsDropped: family === 'python' || family === 'mksh' || family === 'psql' || family === 'mysql',
  };
  const splitLines = job.scenario.line === 1 || job.scenario.lineset === 1;
  const split = (list: readonly string[]): string[] =>
    splitLines ? list.flatMap((entry) => entry.split('\n')) : [...list];
  if (job.mode === 'screen') {
    const scripted = job.scenario.wantBy?.[family] ?? job.scenario.want;
    const truth = split(scripted ?? played.truth);
    const lines = played.requests
      .filter((request) => request.what === 'line')
      .map(({ reading, context, heldFor }) => ({ ...reading, heldFor, hidden: context.secret }));
    for (const { heldFor } of lines) held.push(heldFor);
    const readings = splitLines
      ? lines.flatMap((line) => line.text.split('\n').map((text) => ({ ...line, text })))
      : lines;
    const compared = compareReadings(truth, readings, options);
    const counts = compared.counts;
    const dropped = givenUp(job, []);
    const differences = compared.differences.filter((difference) => {
      if (difference.read !== NOTHING || !dropped.has(difference.truth)) return true;
      counts.commands -= 1;
      counts.silentlyWrong -= 1;
      return false;
    });
    tally.interactions += 1;
    if (differences.length === 0) tally.clean += 1;
    tally.commands += counts.commands;
    tally.exact += counts.exact;
    tally.uncertain += counts.uncertain;
    tally.silentlyWrong += counts.silentlyWrong;
    if (truth.length === 0 && job.scenario.ignoreExtra !== 1 && values.failures) {
      console.log(`${job.shell.name} ${job.scenario.id}: nothing ran`);
    }
    if (differences.length > 0 || (values.trace && only !== undefined))
      report(job, differences, played.transcript);
    return;
  }
  const ran = split(played.truth);
  const dropped = givenUp(job, played.outcomes);
  const unproved = unapproved(ran, splitLines ? split(played.approved) : played.approved, options);
  const unexplained = unproved.filter((text) => !dropped.has(normal(text, options.loose)));
  // A record that has more lines than were ever submitted has some that were given up, however they were read.
  const givenUpUnread =
    family === 'mksh' ? ran.length - played.submits - (unproved.length - unexplained.length) : 0;
  const bad = unexplained.slice(Math.max(0, givenUpUnread));
  tally.enforced += ran.length;
  tally.unapprovedRan += bad.length;
  tally.refused += played.outcomes.filter((outcome) => outcome.startsWith('unverifiable')).length;
  if (played.ended !== undefined) tally.refused += 1;
  const refused = played.outcomes.filter((outcome) => outcome.startsWith('unverifiable'));
  if (
    bad.length > 0 ||
    refused.length > 0 ||
    played.ended !== undefined ||
    (values.trace && only !== undefined)
  ) {
    report(
      job,
      [
        ...bad.map(
          (text): Difference => ({
            kind: 'unapproved',
            truth: text,
            read: played.outcomes.join(' | '),
            detail: '',
          }),
        ),
        ...refused.map((read): Difference => ({ kind: 'refused', truth: '', read, detail: '' })),
        ...(played.ended === undefined
          ? []
          : [
              {
                kind: 'uncertain',
                truth: '',
                read: `the channel was ended: ${played.ended}`,
                detail: '',
              } as const,
            ]),
      ],
      played.transcript,
    );
  }
}

const stopAt =
  values.seconds === undefined
    ? Number.POSITIVE_INFINITY
    : performance.now() + 1000 * whole(values.seconds, 60);
if (values.seconds !== undefined) {
  const order = new Random(seed);
  const drawn = jobs.map((job) => ({ job, at: order.next() })).sort((one, other) => one.at - other.at);
  jobs.splice(0, jobs.length, ...drawn.map(({ job }) => job));
}

/** Shells by turns: none waits for another to be through, and none has the machine for itself. */
function byTurns(list: readonly Job[]): Job[] {
  const turns = new Map<string, number>();
  return list
    .map((job) => {
      const turn = turns.get(job.shell.name) ?? 0;
      turns.set(job.shell.name, turn + 1);
      return { job, turn };
    })
    .sort((one, other) => one.turn - other.turn)
    .map(({ job }) => job);
}

if (values.seconds === undefined) jobs.splice(0, jobs.length, ...byTurns(jobs));

let next = 0;
await Promise.all(
  Array.from({ length: whole(values.jobs, 4) }, async () => {
    for (;;) {
      const job = jobs[next++];
      if (job === undefined || performance.now() > stopAt) return;
      try {
        await one(job);
      } catch (error) {
        console.log(
          `${job.shell.name} ${job.scenario.id}: ${error instanceof Error ? error.stack : String(error)}`,
        );
        process.exitCode = 1;
      }
    }
  }),
);

const total = empty();
const percent = (part: number, all: number): string =>
  all === 0 ? '–' : `${((100 * part) / all).toFixed(2)} %`;
if (!values.json || values.failures) {
  console.log(
    'shell         interactions  commands  exact             uncertain  silently wrong  enforced  refused  unapproved',
  );
}
for (const [name, tally] of byShell) {
  for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key];
  if (!values.json || values.failures) {
    console.log(
      `${name.padEnd(13)} ${String(tally.interactions).padStart(12)} ${String(tally.commands).padStart(9)}  ${`${tally.exact} ${percent(tally.exact, tally.commands)}`.padEnd(17)} ${String(tally.uncertain).padStart(9)} ${String(tally.silentlyWrong).padStart(15)} ${String(tally.enforced).padStart(9)} ${String(tally.refused).padStart(8)} ${String(tally.unapprovedRan).padStart(11)}`,
    );
  }
}
held.sort((one, other) => one - other);
const quantile = (part: number): string => (held[Math.floor(part * (held.length - 1))] ?? 0).toFixed(1);
if (!values.json || values.failures) {
  console.log(
    `total: ${total.interactions} interactions, ${percent(total.exact, total.commands)} exact, held p50 ${quantile(0.5)} ms p95 ${quantile(0.95)} ms at ${latency} ms round trip, seed ${seed}${skipped.length === 0 ? '' : `; skipped: ${skipped.join(', ')}`}`,
  );
}
console.log(
  JSON.stringify({
    commands: total.commands,
    exact: total.exact,
    uncertain: total.uncertain,
    silentlyWrong: total.silentlyWrong,
    unapprovedRan: total.unapprovedRan,
  }),
);
process.exit(process.exitCode ?? 0);
