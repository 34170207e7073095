// Whether a program or a condition that a test needs is there. A test without it is skipped by name, never passed.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** True when every program is found on the path (or stands at the absolute path given). */
export function have(...programs: readonly string[]): boolean {
  return programs.every((program) => {
    const folders = program.startsWith('/')
      ? ['']
      : [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
    return folders.some((folder) => {
      try {
        accessSync(join(folder, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  });
}

/** True when the command ends with 0. */
export function works(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, [...args], { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

export const isRoot = process.getuid?.() === 0;

/** The tests' device is a real sshd; without root it can serve only the user who runs the tests. */
export const haveSshd = have('/usr/sbin/sshd', 'ssh', 'ssh-keygen');
