import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TransportError } from './errors.ts';
import { loadHostKeys, parseHostKey } from './host-keys.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'host-keys-'));
});
afterEach(() => rm(parent, { recursive: true }));

async function failure(folder: string): Promise<string> {
  try {
    await loadHostKeys(folder);
  } catch (error) {
    if (error instanceof TransportError && error.code === 'SP_HOST_KEYS') return error.message;
    throw error;
  }
  return 'none';
}

describe('host keys', () => {
  it('are made once with safe modes, and are the same at the next start', async () => {
    const folder = path.join(parent, 'a', 'keys');
    const made = await loadHostKeys(folder);
    expect(made.map((key) => key.type)).toEqual(['ecdsa-sha2-nistp256', 'ssh-ed25519', 'ssh-rsa']);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of ['ed25519', 'ecdsa', 'rsa']) {
      expect((await stat(path.join(folder, `ssh_host_${name}_key`))).mode & 0o777).toBe(0o600);
    }
    const again = await loadHostKeys(folder);
    expect(again.map((key) => key.line)).toEqual(made.map((key) => key.line));
  });

  it('are files that OpenSSH reads, with the public half beside them', async () => {
    const keys = await loadHostKeys(path.join(parent, 'keys'));
    for (const [index, name] of ['ecdsa', 'ed25519', 'rsa'].entries()) {
      const file = path.join(parent, 'keys', `ssh_host_${name}_key`);
      const derived = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' });
      expect(derived.trim().split(' ').slice(0, 2).join(' ')).toBe(keys[index]?.line);
      expect(await readFile(`${file}.pub`, 'utf8')).toContain(keys[index]?.line);
    }
  });

  it('made by ssh-keygen are loaded', async () => {
    await loadHostKeys(path.join(parent, 'keys'));
    await rm(path.join(parent, 'keys'), { recursive: true });
    const folder = path.join(parent, 'keys');
    execFileSync('mkdir', ['-m', '700', folder]);
    for (const [name, type] of Object.entries({ ed25519: 'ed25519', ecdsa: 'ecdsa', rsa: 'rsa' })) {
      const file = path.join(folder, `ssh_host_${name}_key`);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
    }
    const keys = await loadHostKeys(folder);
    expect(keys.map((key) => key.type)).toEqual(['ecdsa-sha2-nistp256', 'ssh-ed25519', 'ssh-rsa']);
    for (const key of keys) {
      const file = key.type === 'ssh-rsa' ? 'rsa' : key.type === 'ssh-ed25519' ? 'ed25519' : 'ecdsa';
      expect(await readFile(path.join(folder, `ssh_host_${file}_key.pub`), 'utf8')).toContain(key.line);
    }
  });

  it('are refused when others may read a key or the folder, with the command that mends it', async () => {
    const folder = path.join(parent, 'keys');
    await loadHostKeys(folder);
    const key = path.join(folder, 'ssh_host_rsa_key');
    await chmod(key, 0o640);
    expect(await failure(folder)).toContain(`chmod 600 ${key}`);
    await chmod(key, 0o600);
    await chmod(folder, 0o755);
    expect(await failure(folder)).toContain(`chmod 700 ${folder}`);
  });

  it('are refused as symbolic links, as garbage, and as short RSA keys', async () => {
    const folder = path.join(parent, 'keys');
    await loadHostKeys(folder);
    const key = path.join(folder, 'ssh_host_rsa_key');
    await rm(key);
    await symlink(path.join(folder, 'ssh_host_ed25519_key'), key);
    expect(await failure(folder)).toContain(key);
    await rm(key);
    await writeFile(key, 'not a key', { mode: 0o600 });
    expect(await failure(folder)).toContain('not a private key');
    const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
    const pem = short.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => parseHostKey(pem)).toThrow(/fewer than 2048 bits/);
  });
});
