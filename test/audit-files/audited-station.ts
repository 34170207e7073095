// A station whose gates judge by rules that a test writes, with the audit log kept in memory: what was appended, settled
// and asked can be looked at, and the log can be made to fail.
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { compilePolicy } from '../../policies/check.ts';
import { createAuditGates } from '../../proxy/audit/gates.ts';
import type { ApprovalAnswer, AuditDeps, AuditedCommand, CommandOutcome } from '../../proxy/audit/ports.ts';
import { Station, type StationOptions } from '../channels/station.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import type { Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';

export interface Row extends AuditedCommand {
  outcome: CommandOutcome;
  detail: string;
}

/** The rules of one set, as YAML list items. */
export const policyOf = (rules: string) => {
  const compiled = compilePolicy([{ file: 'test.yaml', text: `name: test\nrules:\n${rules}` }]);
  if (compiled.problems.length > 0) throw new Error(JSON.stringify(compiled.problems));
  return compiled.set;
};

export class MemoryAudit {
  readonly rows: Row[] = [];
  readonly disabled: string[] = [];
  policy = policyOf('  []');
  fails = false;
  /** Set to answer approvals. */
  approve: ((command: AuditedCommand) => Promise<ApprovalAnswer>) | undefined;
  readonly deps: AuditDeps;
  #ids = 0;
  #watchers = new Set<() => void>();

  constructor() {
    const audit = this;
    this.deps = {
      policies: {
        get current() {
          return audit.policy;
        },
        onChange: () => () => {},
      },
      log: {
        newId: () => {
          this.#ids += 1;
          return `c${this.#ids}`;
        },
        append: async (command) => {
          if (this.fails) throw new Error('the disk is full');
          this.rows.push({ ...command });
          this.#told();
        },
        settle: async (id, outcome, detail) => {
          if (this.fails) throw new Error('the disk is full');
          const row = this.rows.find((one) => one.id === id);
          if (row === undefined) throw new Error(`no row ${id}`);
          row.outcome = outcome;
          row.detail = [row.detail, detail].filter((text) => text !== '').join('; ');
          this.#told();
        },
        occurrences: async () => {
          const met = new Map<string, number>();
          for (const { rules } of this.rows) {
            for (const { rule } of rules) met.set(rule, (met.get(rule) ?? 0) + 1);
          }
          return met;
        },
      },
      approvals: {
        patience: 5_000,
        ask: async (command) => ({
          id: `a-${command.id}`,
          answer: this.approve?.(command) ?? Promise.resolve({ kind: 'expired' }),
          cancel: () => {},
        }),
      },
      identification: { questionFor: async () => undefined, check: async () => 'wrong' },
      userLock: {
        disable: async (name) => {
          this.disabled.push(name);
        },
      },
      events: { info: () => {}, warn: () => {} },
      now: () => Date.now(),
      clock: () => performance.now(),
    };
  }

  rules(text: string): void {
    this.policy = policyOf(text);
  }

  clear(): void {
    this.rows.length = 0;
  }

  of(word: string): Row[] {
    return this.rows.filter((row) => row.word === word);
  }

  /** Waits for a row like this. */
  until(test: (row: Row) => boolean, what: string): Promise<Row> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = this.rows.find(test);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#watchers.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(check);
        const seen = this.rows.slice(-8).map(({ command, outcome, detail }) => [command, outcome, detail]);
        reject(new Error(`${what} was not logged; last: ${JSON.stringify(seen)}`));
      }, 10_000);
      this.#watchers.add(check);
      check();
    });
  }

  #told(): void {
    for (const check of [...this.#watchers]) check();
  }
}

/** What the tests of file transfers begin with: a device, alice behind its audited gateway, and files in her account. */
export interface FileStation {
  readonly scratch: Scratch;
  readonly device: Device;
  readonly key: KeyPair;
  readonly audit: MemoryAudit;
  readonly station: Station;
  readonly alice: SshUser;
  readonly home: string;
  /** Random content, and a file that holds it. */
  readonly data: Buffer;
  readonly local: string;
  /** What stands on the device belongs to the account: only the gate keeps it from being changed. */
  own(path: string): string;
  folder(name: string): string;
}

export const openFileStation = async (
  scratch: Scratch,
  bytes: number,
  options: StationOptions = {},
): Promise<FileStation> => {
  const device = await startDevice(scratch);
  const { home, name } = device.account;
  const { uid, gid } = statSync(home);
  const own = (path: string): string => {
    chownSync(path, uid, gid);
    return path;
  };
  own(`${home}/.bashrc`);
  const key = makeKey(scratch.path('alice_key'));
  const audit = new MemoryAudit();
  const station = await openAudited(scratch, device, key, audit, options);
  const data = randomBytes(bytes);
  const local = scratch.path('local.bin');
  writeFileSync(local, data);
  return {
    scratch,
    device,
    key,
    audit,
    station,
    alice: new SshUser(station, `alice@${name}@web1`, key, scratch.path('known_hosts')),
    home,
    data,
    local,
    own,
    folder: (path) => {
      mkdirSync(`${home}/${path}`, { recursive: true });
      return own(`${home}/${path}`);
    },
  };
};

export const openAudited = (
  scratch: Scratch,
  device: Device,
  key: KeyPair,
  audit: MemoryAudit,
  options: StationOptions = {},
): Promise<Station> =>
  Station.open(scratch, device, key, { ...options, gates: createAuditGates(audit.deps) });
