import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './load.ts';
import { environmentName, settingKeys } from './schema.ts';
import { readBytes, readSeconds, readSocketAddress } from './units.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (text: string): string => {
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, text);
  return file;
};

const problemsOf = (text: string, env: Record<string, string> = {}): readonly string[] => {
  try {
    loadConfig({ file: write(text), env });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
};

test('each key has a line in the documentation, with its default-bearing row and its environment variable', () => {
  const rows = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  expect(rows.map((cells) => cells[1])).toEqual(settingKeys.map((key) => `\`${key.join('.')}\``));
  expect(rows.map((cells) => cells[3])).toEqual(settingKeys.map((key) => `\`${environmentName(key)}\``));
});

test('the documented defaults are the defaults', () => {
  const documented = Object.fromEntries(
    readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('`', '')))
      .map((cells) => [environmentName((cells[1] ?? '').split('.')), cells[2] ?? '']),
  );
  const base = loadConfig({ cwd: '/srv', env: {} });
  for (const [name, value] of Object.entries(documented)) {
    if (value === 'none' || value.startsWith('the ')) continue;
    const spelled = loadConfig({ cwd: '/srv', env: { [name]: value.replace('DATA', '/srv/data') } });
    expect(spelled, name).toEqual(base);
  }
});

test('without a file the defaults apply, and paths hang on the data folder', () => {
  const config = loadConfig({ cwd: '/srv', env: {} });
  expect(config).toMatchObject({
    file: undefined,
    data: '/srv/data',
    store: { url: 'sqlite:/srv/data/sallyport.db' },
    recordings: { url: 'file:/srv/data/recordings', recipients: ['gateway'] },
    masterKey: { file: '/srv/data/master.key', secret: undefined },
  });
  expect(config.ssh.listen).toEqual([{ host: undefined, port: 2222 }]);
  expect(config.ssh.workers).toBeGreaterThan(0);
});

test('a file that was asked for must be there', () => {
  expect(() => loadConfig({ file: join(folder, 'absent.yaml'), env: {} })).toThrow(
    /absent.yaml: can't be read/,
  );
});

test('relative paths are seen from the folder of the file', () => {
  const config = loadConfig({ file: write('data: state\nssh: {banner: hello.txt}\n'), env: {} });
  expect(config.data).toBe(join(folder, 'state'));
  expect(config.ssh.banner).toBe(join(folder, 'hello.txt'));
});

test('the environment wins over the file', () => {
  const config = loadConfig({
    file: write('ssh:\n  listen: 127.0.0.1:22\ndrainSeconds: 5\n'),
    env: { SALLYPORT_SSH_LISTEN: '127.0.0.1:2022, [::1]:2022', SALLYPORT_SSH_LIMITS_PER_SOURCE: '7' },
  });
  expect(config.ssh.listen).toEqual([
    { host: '127.0.0.1', port: 2022 },
    { host: '::1', port: 2022 },
  ]);
  expect(config.ssh.limits.perSource).toBe(7);
  expect(config.drainSeconds).toBe(5);
});

test('a key without a value means its default', () => {
  expect(loadConfig({ file: write('ssh:\nlog:\n  level:\n'), env: {} }).log.level).toBe('info');
});

test('every problem is told with its line and column', () => {
  expect(
    problemsOf('data: ./d\nssh:\n  listn: 22\n  limits:\n    perSource: lots\nlog: { level: loud }\n'),
  ).toEqual(
    expect.arrayContaining([
      'sallyport.yaml:3:3: unknown key ssh.listn; did you mean listen?',
      'sallyport.yaml:5:16: ssh.limits.perSource must be a whole number',
      expect.stringMatching(/^sallyport\.yaml:6:15: log\.level .*"info"/),
    ]),
  );
});

test('a key at the wrong place is pointed to the right one', () => {
  expect(problemsOf('loginGraceSeconds: 5\n')).toEqual([
    'sallyport.yaml:1:1: unknown key loginGraceSeconds; did you mean ssh.limits.loginGraceSeconds?',
  ]);
});

test('broken YAML and keys given twice have their place', () => {
  expect(problemsOf('data: [\n')[0]).toMatch(/^sallyport\.yaml:\d+:\d+: /);
  expect(problemsOf('data: a\ndata: b\n')[0]).toMatch(/^sallyport\.yaml:2:1: .*unique/);
  expect(problemsOf('- a\n')[0]).toMatch(/^sallyport\.yaml:1:1: /);
});

test('a problem from the environment names the variable', () => {
  expect(problemsOf('', { SALLYPORT_DRAIN_SECONDS: 'soon' })).toEqual([
    expect.stringMatching(/^SALLYPORT_DRAIN_SECONDS: drainSeconds not a duration/),
  ]);
});

test('units', () => {
  expect(readSeconds('2m')).toEqual({ value: 120 });
  expect(readSeconds('250ms')).toEqual({ value: 0.25 });
  expect(readSeconds('2 fortnights')).toHaveProperty('problem');
  expect(readBytes('1GiB')).toEqual({ value: 1024 ** 3 });
  expect(readBytes('1.5k')).toEqual({ value: 1536 });
  expect(readBytes('-1')).toHaveProperty('problem');
  expect(readSocketAddress('[::1]:22')).toEqual({ value: { host: '::1', port: 22 } });
  expect(readSocketAddress('::1:22')).toHaveProperty('problem');
  expect(readSocketAddress(2222)).toEqual({ value: { host: undefined, port: 2222 } });
  expect(readSocketAddress('host:65536')).toHaveProperty('problem');
});

test('the key of the escape is one that a shell can do without', () => {
  expect(loadConfig({ cwd: '/srv', env: { SALLYPORT_ESCAPE_KEY: '^a' } }).escape).toEqual({
    enabled: true,
    key: '^A',
  });
  for (const key of ['^C', '^m', '^[', '^', ']', '^]x', '^é', 'C-a'])
    expect(problemsOf('', { SALLYPORT_ESCAPE_KEY: key }).join(), key).toContain('SALLYPORT_ESCAPE_KEY');
});
