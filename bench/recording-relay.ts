// `npm run -s bench:recording-relay`: what recording costs through the whole gateway: the same work through one that records
// and one that does not (its grant is best-effort, and its recordings have no folder), rounds interleaved. Speeds are
// spoilt by whatever else runs; the processor time of the gateway's own processes is not. `--quick` for fewer rounds.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../test/harness/run.ts';
import { openSite, type Site } from '../test/harness/site.ts';
import { measureBulk } from './bulk.ts';
import { measureEcho } from './echo.ts';
import { median, percentile, round, table } from './measure.ts';
import type { Path } from './paths.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const rounds = values.quick ? 2 : 5;
const bulkBytes = (values.quick ? 64 : 256) * 1024 * 1024;
const keys = values.quick ? 60 : 150;

const openOne = async (recorded: boolean): Promise<Site> => {
  const site = await openSite({ gateway: { ssh: { workers: 1 } } });
  if (recorded) return site;
  const grant = {
    users: ['alice'],
    devices: ['web1'],
    channels: ['shell', 'exec'],
    recording: 'best-effort',
  };
  await site.gateway.apply({ grants: [{ name: 'web', ...grant }] });
  const folder = join(site.gateway.folder, 'data', 'recordings');
  rmSync(folder, { recursive: true, force: true });
  writeFileSync(folder, '');
  return site;
};

const pathOf = (site: Site, name: Path['name']): Path => ({
  name,
  command: (remote, options = {}) => [
    'ssh',
    ...site.alice.arguments([
      ...(options.cipher === undefined ? [] : ['-c', options.cipher]),
      options.tty === true ? '-tt' : '-T',
    ]),
    remote,
  ],
});

/** Seconds of processor time that the gateway's processes have used, without the keeper. */
const spent = (site: Site): number => {
  let ticks = 0;
  for (const pid of site.gateway.processes()) {
    // Which takes recordings into the search index, later and with lowest priority.
    if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('keeper-process')) continue;
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
};

await using on = await openOne(true);
await using off = await openOne(false);
const paths = [pathOf(on, 'gateway'), pathOf(off, 'direct')] as const;
const rows: string[][] = [['', 'recorded', 'not recorded', 'difference']];
const result: Record<string, unknown> = {};
const tell = (name: string, one: number, other: number, digits: number, difference: string): void => {
  rows.push([name, one.toFixed(digits), other.toFixed(digits), difference]);
  result[name] = { recorded: round(one, 3), notRecorded: round(other, 3) };
};
const percent = (one: number, other: number): string => `${(((one - other) / other) * 100).toFixed(1)} %`;

const before = [spent(on), spent(off)] as const;
const speed = await measureBulk(paths, 'aes256-gcm@openssh.com', 'down', bulkBytes, rounds);
const used = [spent(on) - before[0], spent(off) - before[1]] as const;
const [fast, bare] = [speed.get('gateway') ?? 0, speed.get('direct') ?? 0];
tell('bulk of a command, MB/s', fast, bare, 0, percent(fast, bare));
const megabytes = (bulkBytes / 1e6) * rounds;
const each = [(used[0] * 1000) / megabytes, (used[1] * 1000) / megabytes] as const;
tell('bulk of a command, processor ms/MB', each[0], each[1], 2, percent(each[0], each[1]));

const text = `i=0; while [ $i -lt 40 ]; do head -c 262144 /dev/urandom | base64 -w 100; i=$((i+1)); done > text; true`;
for (const site of [on, off]) await site.direct.ssh([text]);
const show = async (path: Path, site: Site): Promise<readonly [seconds: number, processor: number]> => {
  const [file = 'ssh', ...args] = path.command('cat text text text text', { tty: true });
  const [from, cpu] = [performance.now(), spent(site)];
  const { code } = await run(file, args, { timeout: 120_000 });
  if (code !== 0) throw new Error('the text did not come');
  return [(performance.now() - from) / 1000, spent(site) - cpu];
};
const shown: [number[], number[]] = [[], []];
const shownCpu: [number[], number[]] = [[], []];
for (let n = 0; n < rounds; n += 1) {
  for (const [index, site] of [on, off].entries()) {
    const [seconds, processor] = await show(paths[index === 0 ? 0 : 1], site);
    shown[index === 0 ? 0 : 1].push(seconds);
    shownCpu[index === 0 ? 0 : 1].push(processor);
  }
}
const textMegabytes = (4 * 40 * 262_144 * (4 / 3) * 1.02) / 1e6;
const [a, b] = [textMegabytes / median(shown[0]), textMegabytes / median(shown[1])];
tell('text on a terminal, MB/s', a, b, 1, percent(a, b));
const cost = shownCpu.map((list) => (median(list) * 1000) / textMegabytes);
tell(
  'text on a terminal, processor ms/MB',
  cost[0] ?? 0,
  cost[1] ?? 0,
  2,
  percent(cost[0] ?? 0, cost[1] ?? 1),
);

const echoes: [number[], number[]] = [[], []];
for (let n = 0; n < 4; n += 1) {
  echoes[0].push(...(await measureEcho(paths[0], keys)));
  echoes[1].push(...(await measureEcho(paths[1], keys)));
}
for (const share of [0.5, 0.95]) {
  const [one, other] = [percentile(echoes[0], share), percentile(echoes[1], share)];
  tell(`echo p${share * 100}, ms`, one, other, 3, `${(one - other).toFixed(3)} ms`);
}
console.log(`${table(rows)}\n`);
console.log(JSON.stringify(result));
