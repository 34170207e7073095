// `node bench/files.ts [MEBIBYTES] [ROUNDS]`: what judging and hashing files costs. The same file goes up and down over
// sftp and the old scp protocol, through the gateway with its gates and without, turn by turn; the last line is JSON.
// Processor time of this process is given beside the speed, for a busy machine changes the one and hardly the other.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { MemoryAudit, openAudited } from '../test/audit-files/audited-station.ts';
import { Station } from '../test/channels/station.ts';
import { startDevice } from '../test/harness/device.ts';
import { makeKey } from '../test/harness/keys.ts';
import { Scratch } from '../test/harness/scratch.ts';
import { SshUser } from '../test/harness/ssh.ts';

const mebibytes = Number(process.argv[2] ?? 256);
const rounds = Number(process.argv[3] ?? 3);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

await using scratch = new Scratch();
const device = await startDevice(scratch);
const key = makeKey(scratch.path('alice_key'));
const audit = new MemoryAudit();
audit.rules('  - {name: no, path: "~/.bashrc", access: write, action: block}');
const login = `alice@${device.account.name}@web1`;
const user = (station: Station, name: string): SshUser =>
  new SshUser(station, login, key, scratch.path(`known_hosts_${name}`));
const users = {
  open: user(await Station.open(scratch, device, key), 'open'),
  gated: user(await openAudited(scratch, device, key, audit), 'gated'),
};
const local = scratch.path('bulk');
execFileSync('dd', ['if=/dev/urandom', `of=${local}`, 'bs=1M', `count=${mebibytes}`, 'status=none']);

const transfers = {
  'sftp up': (from: SshUser) => from.sftp([`put ${local} bulk`], { timeout: 300_000 }),
  'sftp down': (from: SshUser) => from.sftp(['get bulk /dev/null'], { timeout: 300_000 }),
  'scp -O up': (from: SshUser) => from.scp(['-O', local, from.remote('bulk')], { timeout: 300_000 }),
  'scp -O down': (from: SshUser) =>
    from.scp(['-O', from.remote('bulk'), scratch.path('back')], { timeout: 300_000 }),
};

const result: Record<string, Record<string, number>> = {};
for (const [name, transfer] of Object.entries(transfers)) {
  const speeds: Record<keyof typeof users, number[]> = { open: [], gated: [] };
  const costs: Record<keyof typeof users, number[]> = { open: [], gated: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of ['open', 'gated'] as const) {
      const cpu = process.cpuUsage();
      const began = performance.now();
      const { code, stderr } = await transfer(users[kind]);
      if (code !== 0) throw new Error(`${name}: ${stderr}`);
      const seconds = (performance.now() - began) / 1000;
      const used = process.cpuUsage(cpu);
      speeds[kind].push((mebibytes * 1.048576) / seconds);
      costs[kind].push((used.user + used.system) / mebibytes);
      rmSync(scratch.path('back'), { force: true });
    }
  }
  result[name] = {
    openMegabytesPerSecond: Math.round(median(speeds.open)),
    gatedMegabytesPerSecond: Math.round(median(speeds.gated)),
    gatedToOpen: Number((median(speeds.gated) / median(speeds.open)).toFixed(2)),
    openMicrosecondsPerMebibyte: Math.round(median(costs.open)),
    gatedMicrosecondsPerMebibyte: Math.round(median(costs.gated)),
  };
  console.log(name, result[name]);
}
console.log(JSON.stringify(result));
