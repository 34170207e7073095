// `npm run -s bench:relay`: the gateway beside its peers in one run. A table for people, and the same as JSON on the last
// line. Options: `--quick` for fewer rounds, `--only bulk,echo,crowd`.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureBulk, processorSeconds } from './bulk.ts';
import { measureIdle, measureSignIns } from './crowd.ts';
import { downloadFlatOut, measureEcho } from './echo.ts';
import { median, percentile, round, table } from './measure.ts';
import { openPaths } from './paths.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'bulk,echo,crowd' },
  },
});
const only = values.only.split(',');
const rounds = values.quick ? 1 : 3;
const bytes = (values.quick ? 128 : 256) * 1024 * 1024;
const keys = values.quick ? 100 : 500;
const sessions = values.quick ? 200 : 1000;

const result: Record<string, unknown> = {
  date: new Date().toISOString().slice(0, 10),
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? '',
  // What else kept the machine busy spoils every figure below: one minute's load before the start.
  loadBefore: round(loadavg()[0] ?? 0),
};
const { site, all } = await openPaths();
await using _ = site;

// First, while the gateway's memory holds nothing of other measurements.
if (only.includes('crowd')) {
  const seconds = values.quick ? 3 : 8;
  const direct = await measureSignIns(site.direct, seconds);
  const gateway = await measureSignIns(site.alice, seconds);
  const idle = await measureIdle(site, sessions);
  const each = (idle.after - idle.before) / idle.sessions;
  result['signInsPerSecond'] = { direct: round(direct, 0), gateway: round(gateway, 0) };
  result['idle'] = {
    sessions: idle.sessions,
    kilobytesEach: round(each / 1000, 1),
    megabytesBefore: round(idle.before / 1e6, 1),
  };
  console.log(
    `${table([
      ['', 'direct', 'gateway'],
      ['sign-ins a second', direct.toFixed(0), gateway.toFixed(0)],
      [`kB for each of ${idle.sessions} idle sessions`, '', (each / 1000).toFixed(1)],
    ])}\n`,
  );
}

if (only.includes('bulk')) {
  const rows: string[][] = [
    ['MB/s', ...all.map(({ name }) => name), 'gateway ÷ jump', 'gateway ÷ direct', 'gateway s/GiB'],
  ];
  const bulk: Record<string, Record<string, number>> = {};
  for (const cipher of ['aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com']) {
    for (const direction of ['down', 'up'] as const) {
      // Processor seconds of the gateway for each GiB: they depend less than speed on what else runs.
      const spent: number[] = [];
      const speed = await measureBulk(all, cipher, direction, bytes, rounds, (name) => {
        const before = processorSeconds(site.gateway.processes());
        return () => {
          const seconds = processorSeconds(site.gateway.processes()) - before;
          if (name === 'gateway') spent.push(seconds / (bytes / 2 ** 30));
        };
      });
      const processor = median(spent);
      const of = (name: string) => speed.get(name) ?? Number.NaN;
      const key = `${cipher.split('-')[0]} ${direction}`;
      bulk[key] = {
        ...Object.fromEntries([...speed].map(([name, value]) => [name, round(value, 0)])),
        toJump: round(of('gateway') / of('jump')),
        toDirect: round(of('gateway') / of('direct')),
        processorSecondsPerGiB: round(processor),
      };
      rows.push([
        key,
        ...all.map(({ name }) => of(name).toFixed(0)),
        (of('gateway') / of('jump')).toFixed(2),
        (of('gateway') / of('direct')).toFixed(2),
        processor.toFixed(2),
      ]);
    }
  }
  result['bulk'] = bulk;
  console.log(`${table(rows)}\n`);
}

if (only.includes('echo')) {
  const quiet: Record<string, Record<string, number>> = {};
  const busy: Record<string, Record<string, number>> = {};
  const rows: string[][] = [['echo, ms', 'p50', 'p95', 'p99', 'p50 busy', 'p95 busy', 'p99 busy']];
  for (const path of all) {
    const alone = await measureEcho(path, keys);
    using _download = await downloadFlatOut(path);
    const beside = await measureEcho(path, keys);
    const figures = (samples: readonly number[]) => ({
      p50: round(percentile(samples, 0.5)),
      p95: round(percentile(samples, 0.95)),
      p99: round(percentile(samples, 0.99)),
    });
    const [a, b] = [figures(alone), figures(beside)];
    quiet[path.name] = a;
    busy[path.name] = b;
    rows.push([path.name, ...[a.p50, a.p95, a.p99, b.p50, b.p95, b.p99].map((value) => value.toFixed(2))]);
  }
  result['echoMilliseconds'] = quiet;
  result['echoMillisecondsWhileAnotherDownloads'] = busy;
  console.log(`${table(rows)}\n`);
}

console.log(JSON.stringify(result));
