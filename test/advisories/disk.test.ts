// A disk that fills up under the recordings: under `strict` a session that can't be recorded stops, one that is
// `best-effort` goes on, and nothing else of the gateway notices. The disk is a real one, of two megabytes.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, logged } from '../gateway/gateway-events.ts';
import { haveSshd, isRoot, works } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
const canMount =
  haveSshd && isRoot && works('mount', '-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'sallyport-test', folder);

describe.skipIf(!canMount)('a disk that is full', () => {
  let site: Site;
  beforeAll(async () => {
    mkdirSync(join(folder, 'recordings'), { mode: 0o700 });
    site = await openSite({
      gateway: { ssh: { workers: 1 }, config: { recordings: { url: `file:${folder}/recordings` } } },
      directory: (_device, key) => ({
        users: [{ name: 'bess', keys: [key.publicKey], roles: ['engineer'] }],
        grants: [
          {
            name: 'unrecorded',
            users: ['bess'],
            devices: ['web1'],
            channels: ['shell', 'exec'],
            recording: 'best-effort',
          },
        ],
      }),
    });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    if (canMount) execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  const fill = (path: string): void => {
    const file = openSync(path, 'w');
    try {
      for (const size of [64 * 1024, 4 * 1024])
        for (let written = 0; written < 64 * 2 ** 20; written += size) {
          try {
            writeSync(file, randomBytes(size));
          } catch (error) {
            expect(error).toMatchObject({ code: 'ENOSPC' });
            break;
          }
        }
    } finally {
      closeSync(file);
    }
  };
  const flood = 'head -c 6000000 /dev/urandom | base64';

  it('ends a session that must be recorded, says so, and lets no other such session start', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type(`${flood}\r`);
    await terminal.until('can no longer be recorded', 60_000);
    await terminal.ended();
    await logged(site.gateway, 'ssh.recording-failed');
    const row = await eventually('it is in the register', async () =>
      (await site.gateway.rows('session', 'list', '--user', 'alice')).find(
        (one) => one['endReason'] === 'recording-failed',
      ),
    );
    expect(row).toBeDefined();
    // What the ended session no longer needs may be enough for a short one; others may have taken it meanwhile.
    fill(join(folder, 'others'));
    const next = await site.alice.ssh(['echo still here']);
    expect(next).toMatchObject({ code: 255, stdout: '' });
    expect(next.stderr).toMatch(/record/);
  });

  it('lets a session go on that may run without', async () => {
    const bess = site.alice.as('bess@web1');
    const { code, stdout } = await bess.ssh([`${flood} | wc -c; echo done`], { timeout: 60_000 });
    expect(stdout).toMatch(/^\d+\ndone\n$/);
    expect(code).toBe(0);
  });
});
