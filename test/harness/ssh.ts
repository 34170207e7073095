// How the tests call OpenSSH's clients: never with the machine's own configuration, keys or known hosts.
import { writeFileSync } from 'node:fs';
import type { KeyPair } from './keys.ts';
import { type RunOptions, type RunResult, run } from './run.ts';
import { type TypedTerminal, typeAt } from './terminal.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export class SshUser {
  readonly endpoint: Endpoint;
  readonly login: string;
  readonly key: KeyPair;
  readonly knownHosts: string;

  /** `login` is the name before the `@`; `knownHosts` is a file of its own. */
  constructor(endpoint: Endpoint, login: string, key: KeyPair, knownHosts: string) {
    this.endpoint = endpoint;
    this.login = login;
    this.key = key;
    this.knownHosts = knownHosts;
  }

  as(login: string): SshUser {
    return new SshUser(this.endpoint, login, this.key, this.knownHosts);
  }

  /** Options that ssh, scp and sftp share, without the port and the target. */
  get options(): string[] {
    return [
      '-F',
      'none',
      '-i',
      this.key.file,
      ...[
        'IdentitiesOnly=yes',
        'IdentityAgent=none',
        'BatchMode=yes',
        'StrictHostKeyChecking=accept-new',
        `UserKnownHostsFile=${this.knownHosts}`,
        'GlobalKnownHostsFile=/dev/null',
        'LogLevel=ERROR',
        'ConnectTimeout=15',
      ].flatMap((option) => ['-o', option]),
    ];
  }

  /** Arguments of `ssh` up to and with the target. */
  arguments(more: readonly string[] = []): string[] {
    return [...this.options, '-p', String(this.endpoint.port), ...more, '-l', this.login, this.endpoint.host];
  }

  ssh(
    command: readonly string[],
    options: RunOptions & { readonly more?: readonly string[] } = {},
  ): Promise<RunResult> {
    return run('ssh', [...this.arguments(options.more), ...command], options);
  }

  /** `ssh` in a terminal of its own. */
  terminal(command: readonly string[] = [], more: readonly string[] = []): TypedTerminal {
    return typeAt('ssh', [...this.arguments(['-tt', ...more]), ...command]);
  }

  scp(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run('scp', [...this.options, '-P', String(this.endpoint.port), ...args], options);
  }

  /** How scp names a file on the device. The login may hold `@`; scp takes the last one as the separator. */
  remote(path: string): string {
    return `${this.login}@${this.endpoint.host}:${path}`;
  }

  sftp(batch: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const target = `${this.login}@${this.endpoint.host}`;
    return run('sftp', [...this.options, '-P', String(this.endpoint.port), '-b', '-', target], {
      input: `${batch.join('\n')}\n`,
      ...options,
    });
  }

  /** A script that stands for `ssh` where a program wants one command to call. */
  wrapper(file: string): string {
    const words = this.options.map((word) => `'${word}'`).join(' ');
    writeFileSync(file, `#!/bin/sh\nexec ssh ${words} -p ${this.endpoint.port} "$@"\n`, { mode: 0o755 });
    return file;
  }
}
