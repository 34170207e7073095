// `credential view`, `views`, `change`, `rotate` and `rotations`: looking at a secret, changing one by hand, letting the
// gateway change it on the device. A secret is printed to a terminal, or where --json asks for it; it comes in by standard
// input only.
import type { Command } from 'commander';
import { DEFAULT_DIAL_TIMEOUTS } from '../../proxy/device/dial.ts';
import { changeCredential, noticeManualChanges } from '../credentials/changes.ts';
import type { PasswordMethod } from '../credentials/new-secret.ts';
import {
  listRotations,
  type RotationOutcome,
  type RotationParts,
  resolveRotations,
  rotateCredential,
} from '../credentials/rotation.ts';
import { listViews, viewCredential } from '../credentials/views.ts';
import { showChange } from '../directory/apply.ts';
import { createHostKeyPins } from '../directory/devices.ts';
import { shown } from '../directory/shown-text.ts';
import type { Vault } from '../directory/vault.ts';
import { createEventLog } from '../events/event-log.ts';
import type { Store } from '../store/store.ts';
import { actor, type ConfigOption, readInput, readSecretLine, withStore, withVault } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, jsonLine, printList } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ViewOptions extends ConfigOption {
  readonly reason: string;
  readonly as?: string;
  readonly from?: string;
  readonly json?: boolean;
  readonly print?: boolean;
}

interface RotateOptions extends ConfigOption {
  readonly by?: string;
  readonly method?: string;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const JSON_OPTION = ['--json', 'one JSON object a line'] as const;

/** The one who sits at the terminal, behind sudo too. */
const me = (): string => {
  const [, name = '', behind] = /^cli:([^ ]*)(?: \((.*)\))?$/.exec(actor()) ?? [];
  return behind ?? name;
};

/** Where the terminal is reached from: an SSH session's client, or this machine. */
const origin = (): string => process.env['SSH_CONNECTION']?.split(' ')[0] ?? 'local';

const view = (name: string, options: ViewOptions): Promise<void> =>
  withVault(options, async ({ store, vault }) => {
    if (options.json !== true && !process.stdout.isTTY)
      throw new CliError(EXIT.usage, 'a secret is printed to a terminal only; --json asks for it elsewhere');
    const outcome = await viewCredential(
      { store, vault, events: createEventLog(store), now: Date.now },
      {
        credential: name,
        user: options.as ?? me(),
        reason: options.reason,
        sourceAddress: options.from ?? origin(),
        authority: options.as === undefined ? 'operator' : 'grant',
      },
    );
    if (outcome.kind === 'refused') throw new CliError(EXIT.failed, `${outcome.code}: ${outcome.tell}`);
    const { secret } = outcome;
    const { score, suspicious, account, device, id } = outcome.view;
    if (options.json === true) {
      process.stdout.write(
        jsonLine({ view: id, credential: name, account, device, score, suspicious, ...secret }),
      );
      return;
    }
    process.stdout.write(`${shown(account, 128)} on ${shown(device, 128)}\n`);
    if (secret.password !== undefined) process.stdout.write(`password  ${shown(secret.password, 4_096)}\n`);
    if (secret.kind === 'privateKey') process.stdout.write(`${secret.privateKey.trimEnd()}\n`);
    if (suspicious) process.stderr.write(`this view is unusual (${score} points): auditors are told\n`);
  });

export const rotationParts = (store: Store, vault: Vault): RotationParts => ({
  store,
  vault,
  events: createEventLog(store),
  now: Date.now,
  access: {
    pins: createHostKeyPins(store),
    log: { info: () => undefined, warn: () => undefined },
    timeouts: DEFAULT_DIAL_TIMEOUTS,
    keepalive: { interval: 10_000, count: 3 },
    identification: undefined,
  },
});

const isMethod = (word: string): word is PasswordMethod =>
  word === 'chpasswd' || word === 'sudo-chpasswd' || word === 'passwd';

const tellOutcome = (name: string, outcome: RotationOutcome): void => {
  const detail = outcome.detail === '' ? '' : `: ${shown(outcome.detail, 400)}`;
  switch (outcome.kind) {
    case 'done':
      process.stdout.write(`${shown(name, 64)} rotated and proven${detail}\n`);
      return;
    case 'failed':
      process.stderr.write(`${shown(name, 64)} is as it was${detail}\n`);
      process.exitCode = EXIT.failed;
      return;
    case 'unverified':
      process.stderr.write(
        `${shown(name, 64)}: not known which secret holds; both are kept and tried again${detail}\n`,
      );
      process.exitCode = EXIT.failed;
      return;
    default:
      outcome satisfies never;
  }
};

const rotate = (name: string, options: RotateOptions): Promise<void> =>
  withVault(options, async ({ store, vault }) => {
    const { method } = options;
    if (method !== undefined && !isMethod(method))
      throw new CliError(EXIT.usage, '--method takes chpasswd, sudo-chpasswd or passwd');
    const outcome = await rotateCredential(rotationParts(store, vault), {
      credential: name,
      actor: actor(),
      by: options.by,
      method,
    });
    tellOutcome(name, outcome);
  });

/** Adds to the commands on credentials that are there already. */
export const registerCredentialWork = (credential: Command): void => {
  credential
    .command('view <name>')
    .description("show a credential's secret; the look is judged and recorded")
    .requiredOption('--reason <text>', 'why you need to see it')
    .option('--as <user>', "in a user's name: a grant with viewCredentials must allow it")
    .option('--from <address>', 'where that user is (default: where this terminal is reached from)')
    .option('--json', 'one JSON object, with the secret')
    .option(...CONFIG)
    .action(view);
  credential
    .command('views [name]')
    .description('who looked at which credential, and why; newest first')
    .option('--since <when>', 'since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--user <name>')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action(
      (
        name: string | undefined,
        options: ConfigOption & {
          readonly since?: number;
          readonly user?: string;
          readonly limit: number;
          readonly json?: boolean;
        },
      ) =>
        withStore(options, async ({ store }) => {
          const { rows } = await listViews(store, {
            since: options.since,
            user: options.user,
            credential: name,
            limit: options.limit,
            after: undefined,
          });
          if (options.json === true) {
            for (const { at, ...row } of rows) process.stdout.write(jsonLine({ at: instant(at), ...row }));
            return;
          }
          const columns = ['at', 'user', 'credential', 'device', 'outcome', 'code', 'score', 'reason'];
          const list = rows.map(({ findings: _, at, ...row }) => ({ at: instant(at), ...row }));
          printList(process.stdout, list, columns, false);
        }),
    );
  credential
    .command('change <name>')
    .description('put another secret in the vault by hand: a password from the first line of standard input')
    .option('--private-key <file>', 'a private key without passphrase instead; - is standard input')
    .option(...CONFIG)
    .action((name: string, options: ConfigOption & { readonly privateKey?: string }) =>
      withVault(options, async ({ store, vault }) => {
        const change = await changeCredential(
          { store, vault, events: createEventLog(store), now: Date.now },
          {
            credential: name,
            actor: actor(),
            secret:
              options.privateKey === undefined
                ? { kind: 'password', password: readSecretLine() }
                : { kind: 'privateKey', privateKey: readInput(options.privateKey) },
          },
        );
        process.stdout.write(`${showChange(change)[0] ?? ''}\n`);
      }),
    );
  credential
    .command('rotate <name>')
    .description('give the account a new secret on its device, prove it, and only then forget the old one')
    .option(
      '--by <credential>',
      'another credential of the device, to change the password as its administrator',
    )
    .option('--method <how>', 'chpasswd, sudo-chpasswd or passwd (default: whichever fits)')
    .option(...CONFIG)
    .action(rotate);
  credential
    .command('rotations [name]')
    .description('rotations, newest first')
    .option('--resolve', 'first find out what became of those whose outcome is not known')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action(
      (
        name: string | undefined,
        options: ConfigOption & {
          readonly resolve?: boolean;
          readonly limit: number;
          readonly json?: boolean;
        },
      ) =>
        withVault(options, async ({ store, vault }) => {
          if (options.resolve === true) await resolveRotations(rotationParts(store, vault));
          const rows = (await listRotations(store, { credential: name, limit: options.limit })).map(
            ({ startedAt, finishedAt, ...row }) => ({
              ...row,
              startedAt: instant(startedAt),
              finishedAt: instant(finishedAt),
            }),
          );
          const columns = ['startedAt', 'credential', 'device', 'method', 'state', 'actor', 'detail'];
          printList(process.stdout, rows, columns, options.json === true);
        }),
    );
};

/** After `apply` and the like: what they changed by hand is told at once, without a gateway that runs. */
export const tellManualChanges = async (store: Store): Promise<void> => {
  await noticeManualChanges({ store, events: createEventLog(store), now: Date.now });
};
