// OpenSSH's client through one connection of the gateway to Debian's sshd: everything that a channel carries arrives
// as it was sent, in its order, and ends as it ended there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import { Station } from './station.ts';

let scratch: Scratch;
let device: Device;
let key: KeyPair;
let station: Station;
let alice: SshUser;

beforeAll(async () => {
  scratch = new Scratch();
  device = await startDevice(scratch);
  key = makeKey(scratch.path('alice_key'));
  station = await Station.open(scratch, device, key);
  alice = new SshUser(station, `alice@${device.account.name}@web1`, key, scratch.path('known_hosts'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe('a command', () => {
  it('hands back its output and its exit status', async () => {
    const result = await alice.ssh(['echo out; echo err >&2; exit 7']);
    expect(result).toMatchObject({ code: 7, stdout: 'out\n', stderr: 'err\n', timedOut: false });
  });

  it('that dies by a signal ends with exit-signal, not with a status', async () => {
    const result = await alice.ssh(['kill -9 $$'], { more: ['-v'] });
    expect(result.stderr).toMatch(/rtype exit-signal/);
    expect(result.stderr).not.toMatch(/rtype exit-status/);
    expect(result.code).toBe(255);
  });

  it('may write 20 MB to its error stream', async () => {
    const result = await alice.ssh(['head -c 20000000 /dev/zero | tr "\\0" e >&2']);
    expect(result.code).toBe(0);
    expect(result.stderr.length).toBe(20_000_000);
  });

  it('may write more than a window to both streams at once (defect D3)', async () => {
    const result = await alice.ssh([
      '(head -c 8000000 /dev/zero | tr "\\0" a) & (head -c 8000000 /dev/zero | tr "\\0" b >&2); wait',
    ]);
    expect(result).toMatchObject({ code: 0, timedOut: false });
    expect(result.stdout.length).toBe(8_000_000);
    expect(result.stderr.length).toBe(8_000_000);
  });

  it('gets all of its input and goes on after the end of it', async () => {
    const input = Buffer.alloc(6_000_000, 'x');
    const result = await alice.ssh(['wc -c; sleep 0.3; echo done'], { input });
    expect(result.stdout).toBe('6000000\ndone\n');
  });

  it('gets the input that was sent at once with it (defect D7)', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => alice.ssh(['cat'], { input: `line ${index}\n` })),
    );
    expect(results.map((result) => result.stdout)).toEqual(results.map((_, index) => `line ${index}\n`));
  });

  it('without input ends under ssh -n', async () => {
    expect(await alice.ssh(['echo here'], { more: ['-n'] })).toMatchObject({ code: 0, stdout: 'here\n' });
  });

  it('ends when nobody reads its output any more (defect D12)', async () => {
    const words = [...alice.arguments(), 'yes'].map((word) => `'${word}'`).join(' ');
    const { run } = await import('../harness/run.ts');
    const result = await run('bash', ['-c', `ssh ${words} | head -n 2`], { timeout: 15_000 });
    expect(result).toMatchObject({ stdout: 'y\ny\n', timedOut: false });
  });
});
