// The API of a running gateway beside real sessions by real ssh: what is live, ordered, logged, recorded and watched, and
// that all of it leaves its trace.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { ApiCaller, apiUrl, type Row, rowOf } from './caller.ts';

const password = (name: string): string => `${name}-has-a-password`;

/** Reads lines until one is as wanted, and goes away. */
const lineWhere = async (response: Response, wanted: (line: string) => boolean): Promise<string> => {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    const found = text.split('\n').find(wanted);
    if (found !== undefined) return found;
  }
  throw new Error(`the stream ended without it: ${text.slice(-2_000)}`);
};

describe.skipIf(!haveSshd)('the API of a running gateway', () => {
  let site: Site;
  let carol: ApiCaller;
  let erin: ApiCaller;
  beforeAll(async () => {
    site = await openSite({
      gateway: { admin: { listen: '127.0.0.1:0' }, ssh: { workers: 1 } },
      directory: () => ({
        users: [
          { name: 'carol', password: password('carol'), roles: ['administrator'] },
          { name: 'erin', password: password('erin'), roles: ['auditor'] },
        ],
      }),
    });
    const url = await apiUrl(site.gateway);
    carol = await ApiCaller.signIn(url, 'carol', password('carol'));
    erin = await ApiCaller.signIn(url, 'erin', password('erin'));
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const liveSession = (): Promise<Row> =>
    eventually('a live session', async () => (await carol.items('/api/sessions?live=true'))[0]);

  it('tells how the gateway is', async () => {
    expect((await carol.ask('GET', '/api/ready')).body).toEqual({ status: 'ready' });
    expect(rowOf((await carol.ask('GET', '/api/gateway')).body)).toMatchObject({ state: 'ready' });
    const metrics = await (await erin.fetch('GET', '/api/metrics')).text();
    expect(metrics).toMatch(/^sallyport_ready 1$/m);
  });

  it('holds, releases and ends a live session, and tells listeners of it', async () => {
    const leaving = new AbortController();
    const live = await carol.fetch('GET', '/api/live', undefined, leaving.signal);
    const held = lineWhere(live, (line) => line.includes('"held":true'));
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    const session = await liveSession();
    expect(session).toMatchObject({ user: 'alice', device: 'web1', live: true, held: false });
    const path = `/api/sessions/${String(session['id'])}`;

    const watching = await erin.fetch('GET', `${path}/watch`, undefined, leaving.signal);
    const shown = lineWhere(watching, (line) => line.includes('seen-42'));
    terminal.type('echo seen-$((40+2))\r');
    await terminal.until('seen-42');
    expect(await shown).not.toContain('"kind":"input"');

    expect((await erin.ask('POST', `${path}/hold`, {})).status).toBe(403);
    expect((await carol.ask('POST', `${path}/hold`, {})).status).toBe(200);
    expect(await held).toContain('alice');
    expect((await carol.ask('GET', path)).body).toMatchObject({ held: true });
    expect((await carol.ask('POST', `${path}/release`, {})).status).toBe(200);
    terminal.type('echo free-$((40+2))\r');
    await terminal.until('free-42');
    expect((await carol.ask('POST', `${path}/end`, { reason: 'Lunch\u001b[31m.' })).status).toBe(200);
    await terminal.until('Lunch');
    await terminal.ended();
    leaving.abort();
    await eventually(
      'the session has ended',
      async () => (await carol.ask('GET', path)).body['live'] === false,
    );
    expect((await carol.ask('POST', `${path}/end`, {})).status).toBe(409);
    const trail = await carol.items(`/api/changes?kind=session&name=${String(session['id'])}`);
    expect(trail.map((row) => `${String(row['actor'])} ${String(row['action'])}`)).toEqual([
      'console:carol ended',
      'console:carol released',
      'console:carol held',
      'console:erin watched',
    ]);
  });

  it('lists what was submitted, and counts it in four views', async () => {
    await site.alice.ssh(['uname -s; echo counted']);
    const [command] = await eventually('the command', async () => {
      const found = await erin.items('/api/commands?word=uname');
      return found.length > 0 && found;
    });
    expect(command).toMatchObject({ user: 'alice', device: 'web1', outcome: 'ran', how: 'request' });
    expect(command?.['analysed']).toEqual(['uname -s', 'echo counted']);
    for (const by of ['command', 'device', 'credential', 'user', 'session'])
      expect((await erin.items(`/api/command-counts/${by}`)).length, by).toBeGreaterThan(0);
  });

  it('plays, proves, exports and finds a recording, and each viewing is in the trail', async () => {
    await site.alice.ssh(['printf "one\\033]0;title\\007two\\n"; echo needle-in-the-haystack']);
    const recording = await eventually('the recording', async () => {
      const [newest] = await erin.items('/api/recordings');
      return newest?.['state'] === 'complete' && newest;
    });
    const path = `/api/recordings/${String(recording['id'])}`;
    expect((await carol.ask('GET', path)).status).toBe(403);
    const events = await (await erin.fetch('GET', `${path}/events`)).text();
    expect(events).toContain('needle-in-the-haystack');
    expect(events).toContain('"text":"onetwo');
    expect((await erin.ask('GET', path)).body['marks']).toContainEqual(
      expect.objectContaining({ kind: 'command', outcome: 'ran' }),
    );
    expect((await erin.ask('POST', `${path}/verify`)).body).toMatchObject({ proved: true, findings: [] });
    const cast = await erin.fetch('GET', `${path}/export?format=cast`);
    expect(cast.headers.get('content-disposition')).toContain('.cast"');
    expect((await cast.text()).startsWith('{"version":3')).toBe(true);
    const hits = await erin.items('/api/recording-search?q=needle-in');
    expect(hits.map((hit) => hit['session'])).toContain(recording['id']);
    const trail = await erin.items('/api/changes?kind=recording');
    expect(trail.map((row) => row['action'])).toEqual([
      'searched',
      'exported',
      'verified',
      'viewed',
      'viewed',
    ]);
    expect(trail.every((row) => row['actor'] === 'console:erin')).toBe(true);
  });

  it('publishes a rule that holds for the next command', async () => {
    const text = 'name: live\nrules:\n  - name: stop\n    match: ["hostid **"]\n    action: block\n';
    expect((await carol.ask('PUT', '/api/policies/live.yaml', { text })).status).toBe(200);
    await eventually('the rule is in force', async () => {
      const { code } = await site.alice.ssh(['hostid']);
      return code !== 0;
    });
    const blocked = await erin.items('/api/commands?outcome=blocked');
    expect(rowOf(blocked[0])).toMatchObject({
      word: 'hostid',
      rules: [{ rule: 'live/stop', action: 'block' }],
    });
    const draft = { file: 'live.yaml', text: text.replace('hostid', 'uname') };
    const tried = await erin.ask('POST', '/api/policies/backtest', { draft });
    expect(Number(tried.body['hits'])).toBeGreaterThan(0);
  });

  it('shows what is unusual and the ratings, asks for proof of identity and waives it', async () => {
    const [session] = await carol.items('/api/sessions');
    const risk = await eventually('the measure of the session', async () => {
      const answer = await carol.ask('GET', `/api/sessions/${String(session?.['id'])}/risk`);
      return answer.status === 200 && answer.body;
    });
    expect(risk).toMatchObject({ user: 'alice', device: 'web1' });
    expect((await erin.items('/api/ratings')).map((row) => row['user'])).toContain('alice');
    expect((await erin.ask('POST', '/api/ratings/alice/recompute')).body).toMatchObject({ agrees: true });
    const whatIf = { values: { minimumSuspiciousScore: 1 } };
    expect((await erin.ask('POST', '/api/settings/what-if', whatIf)).status).toBe(200);

    const path = '/api/users/bob/reauthentication';
    expect((await erin.ask('POST', path, { reason: 'to be sure' })).status).toBe(403);
    expect((await carol.ask('POST', path, { reason: 'to be sure' })).status).toBe(200);
    const [waiting] = await erin.items('/api/reauthentications?user=bob');
    expect(waiting).toMatchObject({ outcome: 'waiting', askedBy: 'console:carol' });
    expect((await carol.ask('DELETE', path)).status).toBe(200);
    expect((await carol.ask('DELETE', path)).status).toBe(409);
    expect((await erin.ask('GET', '/api/audit-queue')).status).toBe(200);
  });

  it('shows a credential to whom a grant says so, with a reason, and logs both that and the refusal', async () => {
    const refused = await carol.ask('POST', '/api/credentials/web1-login/view', { reason: 'curiosity' });
    expect(refused.status).toBe(403);
    const grant = { users: ['carol'], devices: ['web1'], viewCredentials: true };
    expect((await carol.ask('PUT', '/api/grants/look', grant)).status).toBe(200);
    const shown = await carol.ask('POST', '/api/credentials/web1-login/view', {
      reason: 'the console is down',
    });
    expect(shown.status).toBe(200);
    expect(shown.body['privateKey']).toContain('PRIVATE KEY');
    const views = await erin.items('/api/credential-views?credential=web1-login');
    expect(views.map((row) => [row['outcome'], row['reason']])).toEqual([
      ['shown', 'the console is down'],
      ['refused', 'curiosity'],
    ]);
    expect(JSON.stringify(views)).not.toContain('PRIVATE KEY');
  });

  it('comes back when its process is killed, and no session notices', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    const url = carol.url;
    const pid = site.gateway
      .processes()
      .find((one) => one !== site.gateway.pid && commandOf(one).includes('/api/process.'));
    if (pid === undefined) throw new Error('the API has no process');
    process.kill(pid, 'SIGKILL');
    await eventually('the API is back', async () => {
      const again = await apiUrlNow(site);
      return again !== undefined && again !== url;
    });
    terminal.type('echo there-$((40+2))\r');
    await terminal.until('there-42');
  });
});

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

const apiUrlNow = async (site: Site): Promise<string | undefined> => {
  const ready = logLines(site.gateway).findLast((line) => line['event'] === 'admin.ready');
  const urls = ready?.['urls'];
  return Array.isArray(urls) ? String(urls[0]) : undefined;
};
