import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { settingKeys } from '../config/schema.ts';
import { changedKeys, fixedKeys } from './reload.ts';

test('the documentation marks exactly the keys that a reload takes', () => {
  const marked = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `') && line.includes('↻'))
    .map((line) => line.split('`')[1]);
  const taken = settingKeys.map((key) => key.join('.')).filter((key) => !fixedKeys.includes(key));
  expect(marked).toEqual(taken);
});

test('only keys that differ and are read once wait for the next start', () => {
  const before = loadConfig({ cwd: '/srv', env: {} });
  const after = loadConfig({
    cwd: '/srv',
    env: { SALLYPORT_SSH_REKEY_BYTES: '1MiB', SALLYPORT_LOG_LEVEL: 'warn', SALLYPORT_SSH_LISTEN: '*:2222' },
  });
  expect(changedKeys(before, after)).toEqual(['ssh.rekeyBytes']);
});
