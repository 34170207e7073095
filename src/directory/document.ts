// Reads the files that `apply` is given: YAML in, specifications and problems out. Every problem has its line and
// column, and all of them are found at once. Knows no store: whether a name exists there is apply.ts's question.
import ssh2 from 'ssh2';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { readBase32 } from './base32.ts';
import type { CredentialSpec } from './credentials.ts';
import type { DeviceSpec } from './devices.ts';
import type { GrantSpec } from './grants.ts';
import { CHANNELS, NON_INTERACTIVE, RECORDINGS } from './grants.ts';
import { devicePatternProblem, isGlob, nameProblem, usernameProblem } from './names.ts';
import { readHostKey } from './public-line.ts';
import type { SettingKey, SettingValue } from './settings.ts';
import { isSettingGroup, isSettingKey, SETTINGS, settingProblem } from './settings.ts';
import { shown } from './shown-text.ts';
import { readTimes } from './times.ts';
import type { UserSpec } from './users.ts';
import { METHODS, PRIORITIES, ROLES } from './users.ts';

export interface SourceFile {
  /** As problems name it. */
  readonly name: string;
  readonly text: string;
}

export interface Problem {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export const showProblem = (problem: Problem): string =>
  `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;

/** A user with a password still to be hashed, or a hash, or neither. */
export interface WantedUser extends Omit<UserSpec, 'passwordHash'> {
  readonly password: string | undefined;
  readonly passwordHash: string | undefined;
}

export interface WantedSetting {
  readonly key: SettingKey;
  /** Undefined: back to the default. */
  readonly value: SettingValue | undefined;
}

/** A specification and where it stands; `at` finds the place of a part of it. */
export interface Placed<T> {
  readonly spec: T;
  readonly problemAt: (path: readonly (string | number)[], message: string) => Problem;
}

/** One thing's mention of another by name. */
export interface Reference {
  readonly to: Section;
  readonly name: string;
  readonly problem: (message: string) => Problem;
}

export interface Wanted {
  readonly users: readonly Placed<WantedUser>[];
  readonly devices: readonly Placed<DeviceSpec>[];
  readonly credentials: readonly Placed<CredentialSpec>[];
  readonly grants: readonly Placed<GrantSpec>[];
  readonly settings: readonly Placed<WantedSetting>[];
  /** Every name that the files give to a thing of a kind, whether or not the rest of it is right. */
  readonly names: Readonly<Record<Section, ReadonlySet<string>>>;
  /** Of all entries, whether or not the rest of them is right. */
  readonly references: readonly Reference[];
  /** Which lists the files have at all. */
  readonly sections: ReadonlySet<Section>;
}

export type Section = 'users' | 'devices' | 'credentials' | 'grants';

export interface DocumentChecks {
  /** Undefined: the login takes this line of authorized_keys. Otherwise why not. */
  readonly refuseKeyLine: (line: string) => string | undefined;
}

const LARGEST_FILE = 16 * 1024 * 1024;
const SECTIONS: readonly Section[] = ['users', 'devices', 'credentials', 'grants'];
const MOST_PER_LIST = 100_000;

const problemAs =
  <T>(find: (value: T) => string | undefined) =>
  (value: T, context: z.RefinementCtx): void => {
    const message = find(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };

const words = (longest: number) =>
  z
    .string({ error: 'must be text (put numbers and dates in quotes)' })
    .max(longest, { error: `must have at most ${longest} characters` });

const plain = (longest: number) =>
  words(longest).superRefine(
    problemAs((text) => (/[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? 'must not hold control characters' : undefined)),
  );

const secret = words(16_384).superRefine(
  problemAs((text) => (text === '' ? 'must not be empty' : undefined)),
);

/** What a person types: the login takes at most so many bytes. */
const password = secret.superRefine(
  problemAs((text) => (Buffer.byteLength(text) > 1_024 ? 'must have at most 1,024 bytes' : undefined)),
);

const name = words(1_024).superRefine(problemAs(nameProblem));

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item, { error: 'must be a list' })
    .max(MOST_PER_LIST, { error: `must have at most ${MOST_PER_LIST} entries` });

const oneOfWords = <const T extends readonly [string, ...string[]]>(allowed: T) =>
  z.enum(allowed, { error: `must be one of ${allowed.join(', ')}` });

const HASH =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,172}$/;

const hashProblem = (text: string): string | undefined => {
  const match = HASH.exec(text);
  if (match === null) return 'must be an argon2id hash in PHC form: $argon2id$v=19$m=…,t=…,p=…$salt$hash';
  const [memory, passes, lanes] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (memory < 8 || memory > 262_144 || passes < 1 || passes > 16 || lanes < 1 || lanes > 16) {
    return 'asks for more work than a sign-in may cost (m at most 262144, t and p at most 16)';
  }
  return undefined;
};

const userSchema = ({ refuseKeyLine }: DocumentChecks) =>
  z
    .strictObject({
      name,
      password: password.optional(),
      passwordHash: words(512).superRefine(problemAs(hashProblem)).optional(),
      keys: list(
        words(16_384).superRefine(
          problemAs((line) =>
            /[\r\n\0]/.test(line) ? 'must be one line of authorized_keys' : refuseKeyLine(line),
          ),
        ),
      ).optional(),
      totp: words(512)
        .transform((text, context) => {
          const bytes = readBase32(text);
          if (bytes !== undefined && bytes.length >= 10 && bytes.length <= 64) return bytes;
          const message =
            bytes === undefined ? 'must be base32 (letters A–Z and digits 2–7)' : 'must hold 10 to 64 bytes';
          context.addIssue({ code: 'custom', message });
          return z.NEVER;
        })
        .optional(),
      roles: list(oneOfWords(ROLES)).optional(),
      groups: list(name).optional(),
      department: plain(128).optional(),
      priority: oneOfWords(PRIORITIES).optional(),
      authentication: list(
        list(oneOfWords(METHODS)).superRefine(
          problemAs((methods) =>
            methods.includes('publickey') || methods.includes('password')
              ? undefined
              : 'must hold publickey or password: a code alone is not enough',
          ),
        ),
      )
        .min(1, { error: 'must hold at least one combination' })
        .optional(),
    })
    .superRefine((user, context) => {
      const add = (path: PropertyKey[], message: string): void =>
        context.addIssue({ code: 'custom', path, message });
      if (user.password !== undefined && user.passwordHash !== undefined) {
        add(['passwordHash'], 'password and passwordHash exclude each other');
      }
      const hasPassword = user.password !== undefined || user.passwordHash !== undefined;
      user.authentication?.forEach((methods, index) => {
        if (methods.includes('password') && !hasPassword)
          add(['authentication', index], 'asks for a password, but none is set');
        if (methods.includes('totp') && user.totp === undefined)
          add(['authentication', index], 'asks for a code, but totp is not set');
      });
    })
    .transform(
      (user): WantedUser => ({
        name: user.name,
        password: user.password,
        passwordHash: user.passwordHash,
        keys: user.keys ?? [],
        totpSecret: user.totp,
        roles: user.roles ?? ['engineer'],
        groups: user.groups ?? [],
        department: user.department,
        priority: user.priority ?? 'medium',
        authentication: user.authentication,
      }),
    );

const hostKey = words(16_384).transform((text, context) => {
  const reading = readHostKey(text);
  if ('key' in reading) return reading.key;
  context.addIssue({ code: 'custom', message: reading.problem });
  return z.NEVER;
});

const hostProblem = (host: string): string | undefined =>
  /^[A-Za-z0-9_:[][A-Za-z0-9._:%[\]-]*$/.test(host) ? undefined : 'must be a host name or an address';

const flag = z.boolean({ error: 'must be true or false' });

const deviceSchema = z
  .strictObject({
    name,
    host: words(255).superRefine(problemAs(hostProblem)),
    port: z
      .int({ error: 'must be a whole number from 1 to 65535' })
      .min(1, { error: 'must be from 1 to 65535' })
      .max(65_535, { error: 'must be from 1 to 65535' })
      .optional(),
    hostKey: z
      .union([
        hostKey.transform((key) => [key]),
        list(hostKey).min(1, { error: 'must hold a key, or be left out' }),
      ])
      .optional(),
    tags: list(name).optional(),
    os: plain(128).optional(),
    shellIntegration: flag.optional(),
    sideChannel: flag.optional(),
  })
  .transform(
    (device): DeviceSpec => ({
      name: device.name,
      host: device.host.replace(/^\[(.*)\]$/, '$1'),
      port: device.port ?? 22,
      hostKeys: device.hostKey,
      tags: device.tags ?? [],
      os: device.os,
      shellIntegration: device.shellIntegration,
      sideChannel: device.sideChannel,
    }),
  );

/** Undefined: a key that can be used to sign in to a device. */
export const privateKeyProblem = (text: string): string | undefined => {
  const parsed: unknown = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) {
    if (/ncrypted/.test(parsed.message) || /BEGIN ENCRYPTED/.test(text)) {
      return 'is protected by a passphrase: store it without one (ssh-keygen -p), it is sealed here anyway';
    }
    if (/BEGIN PRIVATE KEY/.test(text)) {
      return 'is in PKCS#8 form: convert it to OpenSSH form (ssh-keygen -p -f FILE)';
    }
    return 'is not a private key in OpenSSH or PEM form';
  }
  const key: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const isPrivate =
    typeof key === 'object' && key !== null && 'isPrivateKey' in key && typeof key.isPrivateKey === 'function'
      ? key.isPrivateKey() === true
      : false;
  if (!isPrivate) return 'is a public key: the private one is needed';
  const type = typeof key === 'object' && key !== null && 'type' in key ? String(key.type) : '';
  return type === 'ssh-dss' ? 'is a DSA key, which SSH no longer uses' : undefined;
};

const credentialSchema = z
  .strictObject({
    name,
    device: words(1_024),
    username: words(1_024).superRefine(problemAs(usernameProblem)),
    password: secret.optional(),
    privateKey: words(65_536).superRefine(problemAs(privateKeyProblem)).optional(),
    shellIntegration: flag.optional(),
    sideChannel: flag.optional(),
  })
  .superRefine((credential, context) => {
    if (credential.password === undefined && credential.privateKey === undefined) {
      context.addIssue({ code: 'custom', message: 'needs a password or a privateKey' });
    }
  })
  .transform(
    (credential): CredentialSpec => ({
      name: credential.name,
      device: credential.device,
      username: credential.username,
      password: credential.password,
      privateKey: credential.privateKey,
      shellIntegration: credential.shellIntegration,
      sideChannel: credential.sideChannel,
    }),
  );

const timesText = words(300).superRefine(
  problemAs((text) => {
    const reading = readTimes(text);
    return 'problem' in reading ? reading.problem : undefined;
  }),
);

const grantSchema = z
  .strictObject({
    name,
    users: list(words(1_024)).optional(),
    groups: list(name).optional(),
    devices: list(words(1_024).superRefine(problemAs(devicePatternProblem))).optional(),
    tags: list(name).optional(),
    credentials: list(words(1_024)).optional(),
    channels: list(oneOfWords(CHANNELS)).optional(),
    subsystems: list(
      words(64).regex(/^[A-Za-z0-9._@-]+$/, { error: 'must be a subsystem’s name' }),
    ).optional(),
    times: z.union([timesText.transform((text) => [text]), list(timesText)]).optional(),
    recording: oneOfWords(RECORDINGS).optional(),
    nonInteractive: oneOfWords(NON_INTERACTIVE).optional(),
    contact: plain(200).optional(),
    viewCredentials: z.boolean({ error: 'must be true or false' }).optional(),
  })
  .superRefine((grant, context) => {
    const count = (items: readonly string[] | undefined): number => items?.length ?? 0;
    if (count(grant.users) + count(grant.groups) === 0) {
      context.addIssue({ code: 'custom', message: 'names nobody: needs users or groups' });
    }
    if (count(grant.devices) + count(grant.tags) + count(grant.credentials) === 0) {
      context.addIssue({ code: 'custom', message: 'names no target: needs devices, tags or credentials' });
    }
  })
  .transform(
    (grant): GrantSpec => ({
      name: grant.name,
      users: grant.users ?? [],
      groups: grant.groups ?? [],
      devices: grant.devices ?? [],
      tags: grant.tags ?? [],
      credentials:
        grant.credentials === undefined || grant.credentials.length === 0 ? undefined : grant.credentials,
      channels: grant.channels ?? ['shell', 'exec', 'sftp', 'scp'],
      subsystems: grant.subsystems ?? [],
      times: grant.times ?? [],
      recording: grant.recording ?? 'strict',
      contact: grant.contact,
      viewCredentials: grant.viewCredentials ?? false,
      ...(grant.nonInteractive === undefined ? {} : { nonInteractive: grant.nonInteractive }),
    }),
  );

type Path = readonly (string | number)[];

/** One parsed file: plain values, and the way back from a path to a place. */
interface Parsed {
  readonly root: unknown;
  readonly problems: readonly Problem[];
  readonly problemAt: (path: Path, message: string, ofKey?: boolean) => Problem;
}

const parse = (file: SourceFile): Parsed => {
  const lines = new LineCounter();
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { file: file.name, line: Math.max(1, line), column: Math.max(1, col), message };
  };
  if (file.text.length > LARGEST_FILE) {
    return {
      root: {},
      problems: [at(0, 'is larger than 16 MiB')],
      problemAt: (_, message) => at(0, message),
    };
  }
  const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const keyOffset = (path: Path): number | undefined => {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    if (!isMap(parent)) return undefined;
    for (const { key } of parent.items) {
      if (isScalar(key) && key.value === path.at(-1)) return key.range?.[0];
    }
    return undefined;
  };
  const problemAt = (path: Path, message: string, ofKey = false): Problem => {
    if (ofKey) {
      const offset = keyOffset(path);
      if (offset !== undefined) return at(offset, message);
    }
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return at(node.range[0], message);
      // A key without a value has no node: its own place is the best one.
      const offset = keyOffset(path.slice(0, length));
      if (offset !== undefined) return at(offset, message);
    }
    return at(document.contents?.range?.[0] ?? 0, message);
  };
  // YAML's own messages may quote the line, which may hold a secret: the first sentence is enough.
  const problems = document.errors.map((error) => at(error.pos[0], firstSentence(error.message)));
  if (problems.length > 0) return { root: {}, problems, problemAt };
  try {
    const root: unknown = document.toJS({ maxAliasCount: 100 });
    return { root: root ?? {}, problems, problemAt };
  } catch {
    return { root: {}, problems: [at(0, 'repeats itself by aliases too often')], problemAt };
  }
};

const firstSentence = (text: string): string => shown(text.split('\n')[0] ?? '', 160).replace(/\s*:?$/, '');

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown => {
  let value = root;
  for (const key of path) {
    if (Array.isArray(value) && typeof key === 'number') value = value[key];
    else if (isPlain(value) && typeof key === 'string') value = value[key];
    else return undefined;
  }
  return value;
};

const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );

const asPath = (path: readonly PropertyKey[]): Path => path.filter((part) => typeof part !== 'symbol');

/** zod's issues in the words of this file. A union's issue is that of the branch which fits best. */
const issueProblems = (
  parsed: Parsed,
  item: unknown,
  base: Path,
  issue: z.core.$ZodIssue,
): readonly Problem[] => {
  const path = asPath(issue.path);
  const full = [...base, ...path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => parsed.problemAt([...full, key], `unknown key ${shown(key, 64)}`, true));
  }
  if (issue.code === 'invalid_union') {
    const isList = Array.isArray(valueAt(item, path));
    const branch = issue.errors[isList ? issue.errors.length - 1 : 0] ?? [];
    return branch.flatMap((inner) =>
      issueProblems(parsed, item, base, { ...inner, path: [...issue.path, ...inner.path] }),
    );
  }
  const missing = path.length > 0 && valueAt(item, path) === undefined && issue.code === 'invalid_type';
  const subject = pathText(path);
  const message = missing ? 'is missing' : issue.message;
  return [parsed.problemAt(full, subject === '' ? message : `${subject} ${message}`)];
};

const flattenSettings = (
  value: Record<string, unknown>,
  at: readonly string[],
): { readonly path: readonly string[]; readonly key: string; readonly value: unknown }[] =>
  Object.entries(value).flatMap(([key, inner]) => {
    const path = [...at, key];
    const dotted = path.join('.');
    return isPlain(inner) && isSettingGroup(dotted) && !isSettingKey(dotted)
      ? flattenSettings(inner, path)
      : [{ path, key: dotted, value: inner }];
  });

/** Every name of another thing in an entry as it stands in the file. */
const referencesIn = (
  section: Section,
  item: Record<string, unknown>,
): { readonly to: Section; readonly name: string; readonly path: Path }[] => {
  const inList = (to: Section): { readonly to: Section; readonly name: string; readonly path: Path }[] => {
    const list: unknown = item[to];
    const entries: unknown[] = Array.isArray(list) ? list : [];
    return entries.flatMap((name, index) =>
      typeof name === 'string' && !(to === 'devices' && isGlob(name))
        ? [{ to, name, path: [to, index] }]
        : [],
    );
  };
  switch (section) {
    case 'users':
    case 'devices':
      return [];
    case 'credentials':
      return typeof item['device'] === 'string'
        ? [{ to: 'devices', name: item['device'], path: ['device'] }]
        : [];
    case 'grants':
      return [...inList('users'), ...inList('devices'), ...inList('credentials')];
  }
};

interface Found {
  readonly users: Placed<WantedUser>[];
  readonly devices: Placed<DeviceSpec>[];
  readonly credentials: Placed<CredentialSpec>[];
  readonly grants: Placed<GrantSpec>[];
  readonly settings: Placed<WantedSetting>[];
}

/** Reads all files together. Names are unique across all of them. */
export const readDocuments = (
  files: readonly SourceFile[],
  checks: DocumentChecks,
): { readonly wanted: Wanted; readonly problems: readonly Problem[] } => {
  const problems: Problem[] = [];
  const found: Found = { users: [], devices: [], credentials: [], grants: [], settings: [] };
  const names = {
    users: new Set<string>(),
    devices: new Set<string>(),
    credentials: new Set<string>(),
    grants: new Set<string>(),
  };
  const firstSeen = new Map<string, Problem>();
  const sections = new Set<Section>();
  const references: Reference[] = [];
  const user = userSchema(checks);

  const once = (what: string, here: (message: string) => Problem): void => {
    const before = firstSeen.get(what);
    const place = here('');
    if (before === undefined) firstSeen.set(what, place);
    else problems.push(here(`${what} is in ${before.file}:${before.line} already`));
  };

  for (const file of files) {
    const parsed = parse(file);
    problems.push(...parsed.problems);
    if (!isPlain(parsed.root)) {
      problems.push(parsed.problemAt([], 'must hold users, devices, credentials, grants or settings'));
      continue;
    }
    const root = parsed.root;
    for (const key of Object.keys(root)) {
      if (key !== 'settings' && !SECTIONS.some((section) => section === key)) {
        const known = [...SECTIONS, 'settings'].join(', ');
        problems.push(parsed.problemAt([key], `unknown key ${shown(key, 64)}; known are ${known}`, true));
      }
    }

    const readSection = <T extends { readonly name: string }>(
      section: Section,
      schema: z.ZodType<T>,
      into: Placed<T>[],
    ): void => {
      const items = root[section];
      if (items === undefined) return;
      sections.add(section);
      if (items === null) return;
      if (!Array.isArray(items)) {
        problems.push(parsed.problemAt([section], `${section} must be a list`));
        return;
      }
      const entries: unknown[] = items;
      entries.forEach((item, index) => {
        const base: Path = [section, index];
        if (isPlain(item) && typeof item['name'] === 'string') {
          names[section].add(item['name']);
          once(`${section.slice(0, -1)} ${shown(item['name'], 64)}`, (message) =>
            parsed.problemAt([...base, 'name'], message),
          );
        }
        if (!isPlain(item)) {
          problems.push(parsed.problemAt(base, `must hold keys with values`));
          return;
        }
        for (const { to, name, path } of referencesIn(section, item)) {
          references.push({ to, name, problem: (message) => parsed.problemAt([...base, ...path], message) });
        }
        const result = schema.safeParse(item);
        if (!result.success) {
          problems.push(...result.error.issues.flatMap((issue) => issueProblems(parsed, item, base, issue)));
          return;
        }
        into.push({
          spec: result.data,
          problemAt: (path, message) => parsed.problemAt([...base, ...path], message),
        });
      });
    };
    readSection('users', user, found.users);
    readSection('devices', deviceSchema, found.devices);
    readSection('credentials', credentialSchema, found.credentials);
    readSection('grants', grantSchema, found.grants);

    const settings = root['settings'];
    if (settings === undefined || settings === null) continue;
    if (!isPlain(settings)) {
      problems.push(parsed.problemAt(['settings'], 'settings must hold keys with values'));
      continue;
    }
    for (const { path, key, value } of flattenSettings(settings, [])) {
      const place = ['settings', ...path];
      if (!isSettingKey(key)) {
        problems.push(parsed.problemAt(place, `unknown setting ${shown(key, 64)}`, true));
        continue;
      }
      once(`setting ${key}`, (message) => parsed.problemAt(place, message, true));
      const problem = value === null ? undefined : settingProblem(key, value);
      if (problem !== undefined) {
        problems.push(parsed.problemAt(place, `${key} ${problem} (default: ${SETTINGS[key].standard})`));
      } else {
        const checked = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
        found.settings.push({
          spec: { key, value: checked ? value : undefined },
          problemAt: (rest, message) => parsed.problemAt([...place, ...rest], message),
        });
      }
    }
  }
  return { wanted: { ...found, names, references, sections }, problems };
};
