// Looking on at a live session through a whole gateway, with a worker process between: a right screen for who joins late,
// what comes afterwards, the end; and a note of who looked.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveEvent } from '../../recordings/live.ts';
import { eventually, logged } from '../gateway/gateway-events.ts';
import { command } from '../harness/gateway.ts';
import { openSite, type Site } from '../harness/site.ts';

describe('session watch', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { workers: 1 } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const watch = (id: string) => {
    const child = site.scratch.start(
      command,
      ['session', 'watch', id, '--json', '--config', join(site.gateway.folder, 'sallyport.yaml')],
      { cwd: site.gateway.folder, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString();
    });
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    const events = (): LiveEvent[] =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line): LiveEvent => JSON.parse(line));
    const seen = (): string =>
      events()
        .map((event) => (event.kind === 'screen' || event.kind === 'output' ? event.text : ''))
        .join('');
    return { child, events, seen, exited };
  };

  it('shows what the user sees, from the present screen to the end, and tells of the watcher', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('echo before-$((40+2))\r');
    await terminal.until('before-42');
    const [row] = await eventually('the session', async () => {
      const rows = await site.gateway.rows('session', 'list', '--live');
      return rows.length > 0 && rows;
    });
    const id = String(row?.['id']);
    const one = watch(id);
    const two = watch(id);
    for (const { events } of [one, two])
      await eventually('a screen', () => events().some(({ kind }) => kind === 'screen'));
    expect(one.events()[0]).toMatchObject({ kind: 'start', description: { kind: 'shell' } });
    expect(one.seen()).toContain('before-42');
    terminal.type('echo after-$((50+3))\r');
    await terminal.until('after-53');
    for (const { seen } of [one, two]) await eventually('what came later', () => seen().includes('after-53'));
    await eventually('the command', () =>
      one.events().some((event) => event.kind === 'mark' && event.mark === 'command'),
    );
    // One watcher goes; the other and the session don't notice.
    two.child.kill('SIGKILL');
    await two.exited;
    terminal.type('exit\r');
    await terminal.ended();
    expect(await one.exited).toBe(0);
    expect(one.events().at(-1)).toMatchObject({ kind: 'closed' });
    expect(await logged(site.gateway, 'session.watched')).toMatchObject({ session: id, user: 'alice' });
    const marks = await site.gateway.sallyport(['recording', 'export', id, '--format', 'marks']);
    expect(marks.stdout).toMatch(/"kind":"watched","by":"cli:/);
  });

  it('refuses sessions that are over, and says so when the worker dies', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    const [row] = await eventually('the session', async () => {
      const rows = await site.gateway.rows('session', 'list', '--live');
      return rows.length > 0 && rows;
    });
    const id = String(row?.['id']);
    const one = watch(id);
    await eventually('a screen', () => one.events().some(({ kind }) => kind === 'screen'));
    const worker = site.gateway.processes().find((pid) => pid !== site.gateway.pid);
    if (worker === undefined) throw new Error('there is no worker');
    process.kill(worker, 'SIGKILL');
    expect(await one.exited).toBe(0);
    await terminal.ended();
    const late = await site.gateway.sallyport(['session', 'watch', id]);
    expect(late.stderr).toContain('not live');
    expect(late.code).not.toBe(0);
  });
});
