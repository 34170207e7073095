// How long the API takes to list sessions out of a million: the first page, a page far behind, one user's, one device's,
// those that are live; and by risk and by length, from either end and from the middle. Prints the median and the slowest of
// 20 requests each. `node bench/api-sessions.ts [ROWS]`
import { sampleRisk, sampleSession } from '../src/api/sample-rows.ts';
import { SampleServer } from '../src/api/sample-server.ts';
import { idSource } from '../src/store/id.ts';
import { encodeCursor } from '../src/store/page.ts';

const rows = Number(process.argv[2] ?? '1000000');
const started = Date.now() - rows * 1_000;

await using server = await SampleServer.start();
const { store } = server.parts;
for (let done = 0; done < rows; done += 500) {
  const sessions = Array.from({ length: Math.min(500, rows - done) }, (_, index) => {
    const n = done + index;
    const at = started + n * 1_000;
    const live = n % 10_000 === 0;
    return sampleSession({
      id: idSource(() => at)(),
      user_id: `u${n % 500}`,
      user_name: `user${n % 500}`,
      device_id: `d${n % 2_000}`,
      device_name: `device${n % 2_000}`,
      started_at: at,
      // As many equal ones as real lists have.
      ended_at: live ? null : at + ((n * 7_919) % 7_200) * 1_000,
      end_reason: live ? null : 'closed',
    });
  });
  await store.append('sessions', sessions);
  // Most have no risk; one of a hundred is suspicious.
  await store.append(
    'session_risks',
    sessions.map((session, index) => {
      const n = (done + index) * 7_919;
      return sampleRisk(session, n % 10 === 0 ? (n / 10) % 30 : 0, n % 100 === 0);
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
    `${name.padEnd(28)} ${(times[10] ?? 0).toFixed(1)} ms, slowest ${(times.at(-1) ?? 0).toFixed(1)} ms`,
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
const hour = new Date(started + rows * 1_000 - 3_600_000).toISOString();
/** Half of the lengths are above it; where those begin that have no risk. */
const middles = { risk: 0, duration: 3_600_000 } as const;
for (const sort of ['risk', 'duration'] as const)
  for (const [name, more] of [
    ['', ''],
    [', least first', '&order=asc'],
    [', from the middle', `&after=${encodeCursor({ time: middles[sort], id: '~' })}`],
    [', of one user', '&user=user7'],
    [', of the last hour', `&since=${hour}`],
  ] as const)
    await measure(`by ${sort}${name}`, `/api/sessions?sort=${sort}${more}`);
