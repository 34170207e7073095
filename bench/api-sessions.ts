// How long the API takes to list sessions out of a million: the first page, a page far behind, one user's, one device's,
// those that are live. Prints the median and the slowest of 20 requests each. `node bench/api-sessions.ts [ROWS]`
import { SampleServer } from '../src/api/sample-server.ts';
import { idSource } from '../src/store/id.ts';

const rows = Number(process.argv[2] ?? '1000000');
const started = Date.now() - rows * 1_000;

await using server = await SampleServer.start();
const { store } = server.parts;
for (let done = 0; done < rows; done += 500) {
  await store.append(
    'sessions',
    Array.from({ length: Math.min(500, rows - done) }, (_, index) => {
      const n = done + index;
      const at = started + n * 1_000;
      return {
        id: idSource(() => at)(),
        user_id: `u${n % 500}`,
        user_name: `user${n % 500}`,
        device_id: `d${n % 2_000}`,
        device_name: `device${n % 2_000}`,
        device_host: '192.0.2.1',
        device_port: 22,
        credential_id: 'c',
        credential_name: 'root',
        account: 'root',
        grant_id: 'g',
        grant_name: 'all',
        recording: 'strict',
        source_address: '192.0.2.9',
        source_port: 1,
        client_identification: 'OpenSSH_9.2',
        authentication: 'publickey',
        via: 'login-name',
        gateway: 'gw/1',
        started_at: at,
        ended_at: n % 10_000 === 0 ? null : at + 60_000,
        end_reason: n % 10_000 === 0 ? null : 'closed',
        bytes_from_client: 1,
        bytes_from_device: 1,
      };
    }),
  );
}

const as = await server.signIn('carol');
const measure = async (name: string, path: string): Promise<void> => {
  const times: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const from = performance.now();
    const { status } = await server.ask('GET', path, { as });
    times.push(performance.now() - from);
    if (status !== 200) throw new Error(`${path} answered ${status}`);
  }
  times.sort((a, b) => a - b);
  console.log(
    `${name.padEnd(24)} ${(times[10] ?? 0).toFixed(1)} ms, slowest ${(times.at(-1) ?? 0).toFixed(1)} ms`,
  );
};

const middle = new Date(started + rows * 500).toISOString();
console.log(`${rows} sessions, pages of 100`);
await measure('newest', '/api/sessions');
await measure('half a million behind', `/api/sessions?until=${middle}`);
await measure('of one user', '/api/sessions?user=user7');
await measure('on one device', '/api/sessions?device=device7');
await measure('one user on one device', '/api/sessions?user=user7&device=device7');
await measure('live', '/api/sessions?live=true');
