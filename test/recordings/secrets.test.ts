// What must not stand in a recording, through a whole gateway: keys that the device does not echo, what a command is
// fed on its standard input, and what rules take out.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';

const secret = 'qK7 zZ-unechoed';
/** The device's shell tells how long it was. */
const tell = `echo "got \${#it}"`;
let site: Site;
beforeAll(async () => {
  site = await openSite({
    gateway: {
      ssh: { workers: 1 },
      config: {
        recordings: {
          redact: [
            { name: 'token', pattern: 'tok-[a-z0-9]+' },
            { name: 'pem', pattern: '-----BEGIN KEY-----', until: '-----END KEY-----' },
          ],
        },
      },
    },
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

/** The recording that is complete now and was not before. */
const known = new Set<string>();
const recorded = async (): Promise<string> => {
  const id = await eventually('a sealed recording', async () => {
    const rows = await site.gateway.rows('recording', 'list');
    const row = rows.find((one) => one['state'] === 'complete' && !known.has(String(one['id'])));
    return row === undefined ? undefined : String(row['id']);
  });
  known.add(id);
  const all = await site.gateway.recordings();
  return all.find(({ path }) => path.endsWith(join(`${id}.sprec`)))?.text ?? '';
};

it('of a password that is typed at a terminal only the number of keys is kept', async () => {
  using terminal = site.alice.terminal();
  await terminal.until('device$ ');
  terminal.type(`stty -echo; printf "Pass""word: "; read -r it; stty echo; ${tell}\r`);
  await terminal.until('Password: ');
  terminal.type(`${secret}\r`);
  await terminal.until(`got ${secret.length}`);
  terminal.type('exit\r');
  await terminal.ended();
  const text = await recorded();
  expect(text).toContain('Password: ');
  expect(text).toContain(`"word":"hidden","data":"{\\"keys\\":${secret.length}}"`);
  expect(text).not.toContain(secret);
});

const asks = `printf "[sudo] password: " >&2; read -r it; ${tell}`;

it('what a command without a terminal is fed, as sudo -S is, is only counted', async () => {
  const ran = await site.alice.ssh([asks], { input: `${secret}\n` });
  expect(ran.stdout).toBe(`got ${secret.length}\n`);
  const text = await recorded();
  expect(text).toContain('[sudo] password: ');
  expect(text).toContain(`\\"input\\":{\\"bytes\\":${secret.length + 1}}`);
  expect(text).not.toContain(secret);
});

it('a command with a terminal that shows no echo is as a password prompt', async () => {
  using terminal = site.alice.terminal([`stty -echo; ${asks}`], ['-tt']);
  await terminal.until('[sudo] password: ');
  terminal.type(`${secret}\r`);
  await terminal.until(`got ${secret.length}`);
  await terminal.ended();
  const text = await recorded();
  expect(text).toContain(`\\"keys\\":${secret.length}`);
  expect(text).not.toContain(secret);
});

it('what rules match is in no output, echo or command of the recording, and no search finds it', async () => {
  using terminal = site.alice.terminal();
  await terminal.until('device$ ');
  terminal.type('echo tok-4bc9 left-$((40+2))\r');
  await terminal.until('left-42');
  terminal.type('printf "%s\\n" "-----BEGIN KEY-----" MIIEpAIB "-----END KEY-----" right-$((50+3))\r');
  await terminal.until('right-53');
  terminal.type('exit\r');
  await terminal.ended();
  const text = await recorded();
  for (const kept of ['left-42', 'right-53', '[redacted token]', '[redacted pem]'])
    expect(text).toContain(kept);
  expect(text).not.toContain('4bc9');
  // What was printed between the lines is gone; the command line that printed it is one line, and stands in the output.
  expect(text).not.toMatch(/MIIEpAIB\\r\\n/);
  expect((await site.gateway.sallyport(['recording', 'search', 'left-42'])).stdout).toContain('left-42');
  expect((await site.gateway.sallyport(['recording', 'search', '4bc9'])).stdout).not.toContain('4bc9');
});

it('what rules match is not in the log of commands either, nor anywhere else that the gateway writes', async () => {
  const { gateway } = site;
  await site.alice.ssh(['echo tok-77e1 noted-1; sudo -n true tok-77e2; echo "left" noted-2']);
  const row = await eventually('the command', async () =>
    (await gateway.rows('command', 'list')).find((one) => String(one['command']).includes('noted-1')),
  );
  expect(row).toMatchObject({
    command: 'echo [redacted token] noted-1; sudo -n true [redacted token]; echo "left" noted-2',
    analysed: {
      commands: [{ name: 'echo' }, { name: 'sudo' }, { name: 'true', via: ['sudo'] }, { name: 'echo' }],
    },
  });
  await recorded();
  const written = readdirSync(gateway.folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => ({ name: file.name, text: readFileSync(join(file.parentPath, file.name), 'latin1') }));
  expect(written.some(({ text }) => text.includes('noted-1'))).toBe(true);
  expect(written.filter(({ text }) => /77e[12]/.test(text)).map(({ name }) => name)).toEqual([]);
});

it('what is redacted later is gone, from the search too, and the rest is proved', async () => {
  using terminal = site.alice.terminal();
  await terminal.until('device$ ');
  terminal.type('echo kept-$((40+2)) gone-$((50+3))\r');
  await terminal.until('gone-53');
  terminal.type('exit\r');
  await terminal.ended();
  expect(await recorded()).toContain('gone-53');
  const id = [...known].at(-1) ?? '';
  const sallyport = (...args: string[]) => site.gateway.sallyport(['recording', ...args]);
  expect((await sallyport('search', 'gone-53')).stdout).toContain('gone-53');
  const told = await sallyport('redact', id, '--pattern', 'gone-[0-9]+', '--reason', 'case 7');
  expect(told).toMatchObject({ code: 0, stdout: `redacted 1 chunk of ${id}\n` });
  const proved = await sallyport('verify', id);
  expect(proved.code).toBe(0);
  expect(proved.stdout).toMatch(/chunk 0 was redacted on .* by cli:.*: case 7/);
  const all = (await site.gateway.recordings()).map(({ text }) => text).join('');
  expect(all).toContain('kept-42');
  expect(all).not.toContain('gone-53');
  expect((await sallyport('search', 'gone-53')).stdout).not.toContain('gone-53');
});
