// `node bench/files.ts [MEBIBYTES] [ROUNDS]`: what judging and hashing files, and judging forwards, costs. The same bytes go
// up and down over sftp, the old scp protocol and a forwarded connection, through three gateways in this process, turn by
// turn: without gates, with gates that only observe, and with gates that hold. The last line is JSON. Processor time of
// this process is given beside the speed, for a busy machine changes the one and hardly the other.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { MemoryAudit, openAudited } from '../test/audit-files/audited-station.ts';
import { Station } from '../test/channels/station.ts';
import { startDevice } from '../test/harness/device.ts';
import { makeKey } from '../test/harness/keys.ts';
import { Scratch } from '../test/harness/scratch.ts';
import { SshUser } from '../test/harness/ssh.ts';
import { median, round, table } from './measure.ts';

const mebibytes = Number(process.argv[2] ?? 256);
const rounds = Number(process.argv[3] ?? 5);

const RULES = `
  - {name: no, path: "~/.bashrc", access: write, action: block}
  - {name: inside, forward: "ssh://*", action: block}
`;

/** Says what it is told to, or listens, in a process of its own: what is behind a forward. */
const FAR_SIDE = `
const { createServer } = require('node:net');
const piece = Buffer.alloc(65536, 7);
const server = createServer({ allowHalfOpen: true }, (socket) => {
  let left = ${mebibytes * 1_048_576};
  const say = () => {
    while (left > 0) {
      left -= piece.length;
      if (!socket.write(piece)) return socket.once('drain', say);
    }
    socket.end();
  };
  socket.once('data', (first) => {
    if (first.length === 1 && first[0] === 0x64) say();
    else socket.on('end', () => socket.end());
  });
  socket.on('data', () => {});
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

const kinds = ['none', 'reads', 'holds'] as const;
type Kind = (typeof kinds)[number];

await using scratch = new Scratch();
const device = await startDevice(scratch);
const key = makeKey(scratch.path('alice_key'));
const reads = new MemoryAudit();
const holds = new MemoryAudit();
holds.rules(RULES);
const login = `alice@${device.account.name}@web1`;
const user = (station: Station, name: string): SshUser =>
  new SshUser(station, login, key, scratch.path(`known_hosts_${name}`));
const users: Record<Kind, SshUser> = {
  none: user(await Station.open(scratch, device, key), 'none'),
  reads: user(await openAudited(scratch, device, key, reads), 'reads'),
  holds: user(await openAudited(scratch, device, key, holds), 'holds'),
};
const local = scratch.path('bulk');
execFileSync('dd', ['if=/dev/urandom', `of=${local}`, 'bs=1M', `count=${mebibytes}`, 'status=none']);
const ask = scratch.path('ask');
execFileSync('sh', ['-c', 'printf d > "$1"', 'sh', ask]);

const far = spawn(process.execPath, ['-e', FAR_SIDE], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line]: [Buffer] = await new Promise((resolve) =>
  far.stdout.once('data', (data: Buffer) => resolve([data])),
);
const port = Number(line.toString());

/** Through a forwarded connection: what the file holds goes up, and the bytes that come back are dropped. */
const forwarded = async (from: SshUser, file: string): Promise<{ code: number | null; stderr: string }> => {
  const input = openSync(file, 'r');
  const child = spawn('ssh', from.arguments(['-W', `127.0.0.1:${port}`]), {
    stdio: [input, 'ignore', 'ignore'],
  });
  closeSync(input);
  const [code]: [number | null] = await new Promise((resolve) =>
    child.once('exit', (status) => resolve([status])),
  );
  return { code, stderr: 'the forward failed' };
};

const patience = { timeout: 300_000 };
const transfers = {
  'sftp up': (from: SshUser) => from.sftp([`put ${local} bulk`], patience),
  'sftp down': (from: SshUser) => from.sftp(['get bulk /dev/null'], patience),
  'scp -O up': (from: SshUser) => from.scp(['-O', local, from.remote('bulk')], patience),
  'scp -O down': (from: SshUser) => from.scp(['-O', from.remote('bulk'), scratch.path('back')], patience),
  'forward up': (from: SshUser) => forwarded(from, local),
  'forward down': (from: SshUser) => forwarded(from, ask),
};

const result: Record<string, Record<string, number>> = {};
const rows: string[][] = [
  ['MB/s', ...kinds, 'reads ÷ none', 'holds ÷ none', ...kinds.map((kind) => `${kind} ms/MiB`)],
];
for (const [name, transfer] of Object.entries(transfers)) {
  const speeds: Record<Kind, number[]> = { none: [], reads: [], holds: [] };
  const costs: Record<Kind, number[]> = { none: [], reads: [], holds: [] };
  // One round before them warms the paths up and is not counted.
  for (let turn = -1; turn < rounds; turn += 1) {
    for (const kind of kinds) {
      const cpu = process.cpuUsage();
      const began = performance.now();
      const { code, stderr } = await transfer(users[kind]);
      if (code !== 0) throw new Error(`${name}: ${stderr}`);
      const seconds = (performance.now() - began) / 1000;
      const used = process.cpuUsage(cpu);
      rmSync(scratch.path('back'), { force: true });
      if (turn < 0) continue;
      speeds[kind].push((mebibytes * 1.048576) / seconds);
      costs[kind].push((used.user + used.system) / 1000 / mebibytes);
    }
  }
  const speed = (kind: Kind): number => median(speeds[kind]);
  const cost = (kind: Kind): number => median(costs[kind]);
  const ratios = [speed('reads') / speed('none'), speed('holds') / speed('none')];
  rows.push([
    name,
    ...kinds.map((kind) => speed(kind).toFixed(0)),
    ...ratios.map((ratio) => ratio.toFixed(2)),
    ...kinds.map((kind) => cost(kind).toFixed(2)),
  ]);
  result[name] = {
    readsRatio: round(speed('reads') / speed('none')),
    holdsRatio: round(speed('holds') / speed('none')),
    ...Object.fromEntries(kinds.map((kind) => [`${kind}MegabytesPerSecond`, round(speed(kind), 0)])),
    ...Object.fromEntries(kinds.map((kind) => [`${kind}MillisecondsPerMebibyte`, round(cost(kind))])),
  };
}
far.kill();
await once(far, 'exit');
console.log(table(rows));
console.log(JSON.stringify(result));
