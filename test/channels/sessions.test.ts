// A session from outside: the menu, the terminal, orders to hold, release and end, the end of a grant, recordings and
// registers that fail, devices that change their key or refuse the credential; and what a stuck client costs.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { run } from '../harness/run.ts';
import { endProcess, Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import { Station, type StationOptions } from './station.ts';

let scratch: Scratch;
let device: Device;
let key: KeyPair;

beforeAll(async () => {
  scratch = new Scratch();
  device = await startDevice(scratch);
  key = makeKey(scratch.path('alice_key'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

let count = 0;
async function open(options: StationOptions = {}): Promise<{ station: Station; alice: SshUser }> {
  const station = await Station.open(scratch, device, key, options);
  count += 1;
  const knownHosts = scratch.path(`known_hosts_${count}`);
  return { station, alice: new SshUser(station, `alice@${device.account.name}@web1`, key, knownHosts) };
}

describe('a terminal', () => {
  it('has the size, the type and the modes of the client, and follows its size (defect D6)', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    terminal.type('stty size; echo $TERM; stty -a | grep -o "erase = [^;]*"\r');
    expect(await terminal.until('erase = ^?')).toMatch(/24 80\r\nxterm-256color\r\n/);
    terminal.resize(132, 50);
    await station.until(
      () => station.recorders[0]?.events.find((event) => event.detail === '132x50'),
      'the new size in the recording',
    );
    terminal.type('stty size\r');
    await terminal.until('50 132');
    terminal.type('exit 5\r');
    expect((await terminal.ended()).code).toBe(5);
    expect(await station.ended()).toMatchObject({ reason: 'client-closed' });
    expect(station.recorders[0]?.closed).toBe(true);
    expect(station.recorders[0]?.text('input')).toContain('exit 5\r');
  });

  it('gets no hostile environment, but its language', async () => {
    const { alice } = await open();
    const result = await run(
      'ssh',
      [
        ...alice.arguments(['-o', 'SendEnv=LC_ALL LD_PRELOAD COLORTERM']),
        'echo "$LC_ALL.$LD_PRELOAD.$COLORTERM"',
      ],
      { env: { LC_ALL: 'C.UTF-8', COLORTERM: 'truecolor' } },
    );
    expect(result.stdout).toBe('C.UTF-8..truecolor\n');
  });
});

describe('the menu', () => {
  it('opens the chosen device in the same terminal, keys typed ahead included', async () => {
    const { station, alice } = await open();
    using terminal = alice.as('alice').terminal();
    await terminal.until('Where to?');
    terminal.type('\recho typed $((40+2)) ahead\r');
    await terminal.until('typed 42 ahead');
    terminal.type('stty size\r');
    await terminal.until('24 80');
    terminal.type('exit\r');
    await terminal.ended();
    expect(station.starts[0]?.via).toBe('menu');
  });

  it('is left with q, without a session', async () => {
    const { station, alice } = await open();
    using terminal = alice.as('alice').terminal();
    await terminal.until('Where to?');
    terminal.type('q');
    expect((await terminal.ended()).code).toBe(255);
    expect(station.starts).toEqual([]);
  });

  it('without a terminal is a message that says what to type', async () => {
    const { alice } = await open();
    const result = await alice.as('alice').ssh(['id']);
    expect(result.code).toBe(255);
    expect(result.stderr).toContain('ssh USER@ACCOUNT@DEVICE@GATEWAY');
    expect(result.stderr).toContain(`${device.account.name}@web1`);
  });
});

describe('orders', () => {
  it('hold freezes both directions, release lets everything through', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    station.order({ kind: 'hold' });
    await terminal.until('on hold');
    terminal.type('echo $((1+1))frozen\r');
    terminal.resize(100, 30);
    expect(station.recorders[0]?.text('input')).not.toContain('frozen');
    station.order({ kind: 'release' });
    await terminal.until('goes on');
    await terminal.until('2frozen');
    terminal.type('stty size\r');
    await terminal.until('30 100');
  });

  it('hold also keeps new commands and forwards of the connection from the device', async () => {
    const { station, alice } = await open();
    const control = ['-o', `ControlPath=${scratch.path('held-mux')}`];
    const master = spawn('ssh', alice.arguments(['-M', '-N', ...control]), { stdio: 'ignore' });
    try {
      await station.until(() => [...station.connections].find((one) => one.user !== undefined), 'a sign-in');
      while ((await run('ssh', [...control, '-O', 'check', 'x'])).code !== 0);
      expect(await alice.ssh(['true'], { more: control })).toMatchObject({ code: 0, stderr: '' });
      station.order({ kind: 'hold' });
      const file = `${device.account.home}/made-while-held`;
      const command = alice.ssh([`touch ${file}; echo made`], { more: control });
      const other = await run('ssh', [...alice.arguments(['-o', 'LogLevel=ERROR']), `ls ${file}`]);
      expect(other.code).toBe(2);
      station.order({ kind: 'release' });
      expect(await command).toMatchObject({ code: 0, stdout: 'made\n' });
    } finally {
      await endProcess(master);
    }
  });

  it('end tells the user why and closes everything', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    station.order({ kind: 'end', reason: 'ended-by-administrator', tell: 'Ended by carol.' });
    await terminal.until('sallyport: Ended by carol.');
    expect((await terminal.ended()).code).toBe(255);
    expect(await station.ended()).toMatchObject({ reason: 'ended-by-administrator' });
    await station.until(
      () => (station.connections.size === 0 ? true : undefined),
      'the end of the connection',
    );
  });

  it('a notice is shown on shells', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    for (const connection of station.connections) connection.tell('Maintenance at noon.\u001b[31m');
    await terminal.until('\r\nsallyport: Maintenance at noon.[31m\r\n');
  });

  it('the end of the granted time ends the session', async () => {
    const { station, alice } = await open({ endsAt: Date.now() + 1_500 });
    using terminal = alice.terminal();
    await terminal.until('The time for which this access is granted is over');
    expect(await station.ended()).toMatchObject({ reason: 'grant-time-over' });
  });

  it('an idle session ends', async () => {
    const { station, alice } = await open({ settings: { idle: 1_000 } });
    using terminal = alice.terminal();
    await terminal.until('idle for too long');
    expect(await station.ended()).toMatchObject({ reason: 'idle' });
  });
});

describe('what cannot be kept does not run', () => {
  it('a session that cannot be registered', async () => {
    const { station, alice } = await open();
    station.registerFails = true;
    const result = await alice.ssh(['id']);
    expect(result).toMatchObject({ code: 255, stdout: '' });
    expect(result.stderr).toContain('cannot register sessions');
  });

  it('a session that cannot be recorded, under strict', async () => {
    const { station, alice } = await open();
    station.recordingFails = true;
    const result = await alice.ssh(['id']);
    expect(result).toMatchObject({ code: 255, stdout: '' });
    expect(result.stderr).toContain('cannot be recorded');
    expect(await station.ended()).toMatchObject({ reason: 'recording-failed' });
  });

  it('but it does under best-effort', async () => {
    const { station, alice } = await open({ recording: 'best-effort' });
    station.recordingFails = true;
    expect(await alice.ssh(['echo on'])).toMatchObject({ code: 0, stdout: 'on\n' });
  });

  it('a recording that fails in mid-session ends it', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    station.recorders[0]?.onFailure?.(new Error('no space'));
    await terminal.until('can no longer be recorded');
    expect(await station.ended()).toMatchObject({ reason: 'recording-failed' });
  });
});

describe('a device', () => {
  it('is pinned at first use', async () => {
    const { station, alice } = await open({ pinned: [] });
    expect((await alice.ssh(['true'])).code).toBe(0);
    expect(station.pins).toEqual([device.hostKey]);
  });

  it('with another host key is refused loudly, with both fingerprints', async () => {
    const other = makeKey(scratch.path(`other_${count}`));
    const { station, alice } = await open({ pinned: [other.publicKey] });
    const result = await alice.ssh(['id']);
    expect(result).toMatchObject({ code: 255, stdout: '' });
    expect(result.stderr).toContain('THE HOST KEY OF web1 HAS CHANGED');
    expect(result.stderr.match(/SHA256:[A-Za-z0-9+/]{43}/g)?.length).toBe(2);
    expect(await station.ended()).toMatchObject({ reason: 'SP_DIAL_HOST_KEY_CHANGED' });
  });

  it('opens with a password', async () => {
    const password = device.account.password ?? '';
    const { alice } = await open({ secret: { kind: 'password', password } });
    expect(await alice.ssh(['echo in'])).toMatchObject({ stdout: 'in\n' });
  });

  it.each(['ecdsa', 'rsa'] as const)('opens with an %s key', async (type) => {
    const other = makeKey(scratch.path(`device_${type}`), type, 'a passphrase');
    execFileSync('bash', ['-c', `echo '${other.publicKey}' >> '${device.account.home}/../authorized_keys'`]);
    const secret = { kind: 'privateKey', privateKey: other.privateKey, password: 'a passphrase' } as const;
    const { alice } = await open({ secret });
    expect(await alice.ssh(['echo in'])).toMatchObject({ stdout: 'in\n' });
  });

  it('that refuses the credential is a clear message without the secret', async () => {
    const { station, alice } = await open({ secret: { kind: 'password', password: 'wrong-secret' } });
    const result = await alice.ssh(['id']);
    expect(result).toMatchObject({ code: 255, stdout: '' });
    expect(result.stderr).toContain('did not accept the credential');
    expect(JSON.stringify([result.stderr, station.logged, station.refusals])).not.toContain('wrong-secret');
  });

  it('that goes away ends the session', async () => {
    const { station, alice } = await open();
    using terminal = alice.terminal();
    await terminal.until('device$ ');
    terminal.type('kill -9 $(ps -o ppid= -p $$)\r');
    await terminal.until('connection to web1 was closed');
    await terminal.ended();
    expect(await station.ended()).toMatchObject({ reason: 'device-closed' });
  });
});

describe('a client that stops reading', () => {
  it('stops its device, costs little memory, and gets everything when it goes on', async () => {
    const { station, alice } = await open();
    const before = process.memoryUsage().rss;
    const child = spawn('ssh', [...alice.arguments(), 'head -c 400000000 /dev/zero'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const recorder = await station.until(() => station.recorders[0], 'the recording');
      // Nobody reads the pipe: ssh fills it and stops; then so must the device. A slow one has not begun at first.
      let last = -1;
      while (last !== recorder.bytesOut || last < 1_000_000) {
        last = recorder.bytesOut;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect(last).toBeLessThan(20_000_000);
      expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
      let bytes = 0;
      child.stdout.on('data', (data: Buffer) => {
        bytes += data.length;
      });
      await once(child, 'close');
      expect(bytes).toBe(400_000_000);
    } finally {
      await endProcess(child);
    }
  });

  it('is not granted more while the recorder is behind', async () => {
    const { station, alice } = await open();
    const child = spawn('ssh', [...alice.arguments(), 'head -c 50000000 /dev/zero'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const recorder = await station.until(() => station.recorders[0], 'the recording');
      recorder.pendingBytes = 100_000_000;
      let bytes = 0;
      child.stdout.on('data', (data: Buffer) => {
        bytes += data.length;
      });
      let last = -1;
      while (last !== bytes || last === 0) {
        last = bytes;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      expect(last).toBeLessThan(50_000_000);
      recorder.pendingBytes = 0;
      recorder.onDrain?.();
      await once(child, 'close');
      expect(bytes).toBe(50_000_000);
    } finally {
      await endProcess(child);
    }
  });
});
