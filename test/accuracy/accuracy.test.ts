// A bounded slice of the accuracy suite: every kind of scenario in the shells that are here, and generated
// interactions, read by screen and under enforcement. `npm run accuracy` measures all of it, at any latency.
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ENFORCE } from '../../proxy/gate/gate-types.ts';
import { compareReadings, normal, unapproved } from './compare.ts';
import { generate } from './generator.ts';
import { play } from './interaction.ts';
import { BY_SCREEN } from './measured.ts';
import { Random } from './random.ts';
import { readScenarios, type Scenario } from './scenario.ts';
import { SHELLS, type ShellKind } from './shells.ts';

const OWN = fileURLToPath(new URL('./scenarios/interactions.jsonl', import.meta.url));
const AT_ONCE = 4;
const UNTIL = 40_000;

const here = SHELLS.filter(
  (shell) => ['bash', 'zsh', 'fish', 'dash', 'busybox', 'network'].includes(shell.name) && shell.available(),
);
const scenarios = readScenarios(OWN);

/** One scenario of each class that this shell takes part in, and two generated ones. */
function slice(shell: ShellKind): Scenario[] {
  const classes = new Map<string, Scenario>();
  for (const scenario of scenarios) {
    if (
      scenario.sh.includes(shell.family) &&
      scenario.ignoreExtra === undefined &&
      !classes.has(scenario.cls)
    ) {
      classes.set(scenario.cls, scenario);
    }
  }
  return [...classes.values(), generate(shell.family, 71), generate(shell.family, 72)];
}

async function eachOf<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<number> {
  const began = performance.now();
  let next = 0;
  let done = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() - began < UNTIL) {
        const item = list[next++];
        if (item === undefined) return;
        await work(item);
        done += 1;
      }
    }),
  );
  return done;
}

describe('reading commands in real shells', () => {
  const jobs = here.flatMap((shell) => slice(shell).map((scenario) => ({ shell, scenario })));

  test('no command is read wrongly without saying so', async () => {
    const wrong: unknown[] = [];
    const done = await eachOf(jobs, async ({ shell, scenario }) => {
      const played = await play(shell, scenario, {
        latency: 0,
        settings: BY_SCREEN,
        random: new Random(1),
        trace: false,
      });
      const lines = played.requests.filter((request) => request.what === 'line' && !request.context.secret);
      const split = scenario.line === 1 || scenario.lineset === 1;
      const truth =
        scenario.want ?? (split ? played.truth.flatMap((entry) => entry.split('\n')) : played.truth);
      const readings = lines.flatMap((request) =>
        (split ? request.reading.text.split('\n') : [request.reading.text]).map((text) => ({
          ...request.reading,
          text,
        })),
      );
      const { differences } = compareReadings(truth, readings, { loose: false, repeatsDropped: false });
      for (const difference of differences) {
        if (difference.kind === 'silently-wrong')
          wrong.push({ shell: shell.name, scenario: scenario.id, ...difference });
      }
    });
    expect(wrong).toEqual([]);
    expect(done).toBeGreaterThan(10);
  });

  test('under enforcement nothing runs that was not approved', async () => {
    const wrong: unknown[] = [];
    const done = await eachOf(jobs, async ({ shell, scenario }) => {
      if (scenario.want !== undefined) return;
      const played = await play(shell, scenario, {
        latency: 0,
        settings: ENFORCE,
        random: new Random(1),
        trace: false,
      });
      const bad = unapproved(played.truth, played.approved, { loose: false, repeatsDropped: false });
      const lines = new Set(played.approved.map((text) => normal(text, false)));
      const really = bad.filter(
        (entry) => !entry.split('\n').every((line) => lines.has(normal(line, false))),
      );
      if (really.length > 0)
        wrong.push({ shell: shell.name, scenario: scenario.id, really, approved: played.approved });
    });
    expect(wrong).toEqual([]);
    expect(done).toBeGreaterThan(10);
  });
});
