// The one schema of sallyport.yaml: every key, its default, its bounds. Pure. Each key is also an environment variable
// (see environmentName) and a line in docs/configuration.md, which a test checks. Paths stay as written here;
// the loader makes them absolute and fills in the defaults that depend on `data`.
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { outputsSchema } from './outputs.ts';
import { redactionSchema } from './redaction.ts';
import { retentionSchema } from './retention.ts';
import { type Reading, readBytes, readList, readSeconds, readSocketAddress } from './units.ts';

type Read<T> = (text: string | number) => Reading<T>;

const accept = <T>(read: Read<T>, value: string | number, context: z.RefinementCtx): T => {
  const reading = read(value);
  if ('value' in reading) return reading.value;
  context.addIssue({ code: 'custom', message: reading.problem });
  return z.NEVER;
};

const scalar = z.union([z.string(), z.number()], { error: 'must be a word or a number' });

const bounded =
  (read: Read<number>, minimum: number, maximum: number, unit: string): Read<number> =>
  (text) => {
    const reading = read(text);
    if ('problem' in reading) return reading;
    return reading.value < minimum || reading.value > maximum
      ? { problem: `must be between ${minimum} and ${maximum}${unit}` }
      : reading;
  };

const readWhole: Read<number> = (text) =>
  /^\d{1,12}$/.test(String(text)) ? { value: Number(text) } : { problem: 'must be a whole number' };

const quantity = (read: Read<number>) => scalar.transform((value, context) => accept(read, value, context));

const seconds = (minimum: number, maximum: number) =>
  quantity(bounded(readSeconds, minimum, maximum, ' seconds'));
const bytes = (minimum: number, maximum: number) => quantity(bounded(readBytes, minimum, maximum, ' bytes'));
const whole = (minimum: number, maximum: number) => quantity(bounded(readWhole, minimum, maximum, ''));

const text = (maximum: number) =>
  z
    .string({ error: 'must be text' })
    .max(maximum)
    .refine((value) => !/[\0-\x1f\x7f]/.test(value), 'must not hold control characters');

const path = text(4096).refine((value) => value !== '', 'must not be empty');

/** One word or a list of them; from the environment, words separated by commas. */
const words = (maximum: number) =>
  z
    .union([scalar, z.array(scalar)], { error: 'must be a word or a list of words' })
    .transform((value) =>
      Array.isArray(value)
        ? value.map(String)
        : typeof value === 'number'
          ? [String(value)]
          : readList(value),
    )
    .pipe(z.array(text(256)).max(maximum));

const addresses = words(32).transform((list, context) =>
  list.map((word) => accept(readSocketAddress, word, context)),
);

/** `off`: none. */
const addressesOrOff = words(32).transform((list, context) =>
  list.length === 1 && list[0] === 'off' ? [] : list.map((word) => accept(readSocketAddress, word, context)),
);

const networks = words(1024).transform((list, context) => {
  for (const word of list) {
    if (!ipaddr.isValidCIDR(word) && !ipaddr.isValid(word))
      context.addIssue({
        code: 'custom',
        message: `${word} is neither an address nor a network such as 10.0.0.0/8`,
      });
  }
  return list;
});

const flag = z
  .union([z.boolean(), z.enum(['true', 'false', 'yes', 'no', '1', '0'])], { error: 'must be true or false' })
  .transform((value) => value === true || value === 'true' || value === 'yes' || value === '1');

/** Keys without which no line is typed, given up or sent. */
const NEEDED_KEYS: ReadonlySet<string> = new Set([
  '^C',
  '^D',
  '^H',
  '^I',
  '^J',
  '^M',
  '^Q',
  '^S',
  '^Z',
  '^[',
]);

const controlKey = z
  .string({ error: 'must be a key such as ^]' })
  .transform((text) => text.toUpperCase())
  .refine((text) => /^\^[@-_]$/.test(text), 'must be a key such as ^]')
  .refine((text) => !NEEDED_KEYS.has(text), 'is a key that no shell can do without');

const limits = z.strictObject({
  connections: whole(1, 1_000_000).prefault(10_000),
  perSource: whole(1, 1_000_000).prefault(2_000),
  unauthenticated: whole(1, 1_000_000).prefault(2_000),
  unauthenticatedPerSource: whole(1, 1_000_000).prefault(1_000),
  handshakeSeconds: seconds(1, 600).prefault('20s'),
  loginGraceSeconds: seconds(1, 3600).prefault('2m'),
  authenticationAttempts: whole(1, 100).prefault(6),
  unusedSeconds: seconds(0, 31 * 86_400).prefault('12h'),
  channels: whole(1, 1_024).prefault(64),
});

const ssh = z.strictObject({
  listen: addresses.prefault('*:2222'),
  workers: z
    .union([z.literal('cores'), whole(0, 512)], { error: 'must be a whole number, or `cores`' })
    .prefault('cores'),
  // Its beginning matters: OpenSSH's client tells only servers named so that its output was closed (`| head`).
  identification: z
    .string()
    .regex(
      /^[\x21-\x2c\x2e-\x7e]{1,64}( [\x20-\x7e]{1,128})?$/,
      'must be a word without dashes, and comments after a space',
    )
    .prefault('OpenSSH_Sallyport'),
  banner: path.optional(),
  trustedUserCAKeys: path.optional(),
  revokedKeys: path.optional(),
  acceptEnv: words(256).prefault([
    'LANG',
    'LANGUAGE',
    'LC_*',
    'TERM',
    'COLORTERM',
    'NO_COLOR',
    'TZ',
    'TERM_PROGRAM',
    'GIT_PROTOCOL',
  ]),
  nistCurves: flag.prefault(false),
  rekeyBytes: bytes(65_536, 64 * 1024 ** 3).prefault('1GiB'),
  keepaliveSeconds: seconds(0, 86_400).prefault('30s'),
  idleSeconds: seconds(0, 31 * 86_400).prefault(0),
  limits: limits.prefault({}),
  proxyProtocol: z.strictObject({ from: networks.prefault([]) }).prefault({}),
});

export const settingsSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a word of letters, digits, dots and dashes')
    .optional(),
  data: path.prefault('./data'),
  ssh: ssh.prefault({}),
  device: z
    .strictObject({
      connectSeconds: seconds(1, 600).prefault('10s'),
      signInSeconds: seconds(1, 600).prefault('20s'),
      keepaliveSeconds: seconds(0, 86_400).prefault('30s'),
    })
    .prefault({}),
  escape: z
    .strictObject({
      enabled: flag.prefault(true),
      key: controlKey.prefault('^]'),
    })
    .prefault({}),
  admin: z
    .strictObject({
      listen: addressesOrOff.prefault('127.0.0.1:8022'),
      certificate: path.optional(),
      key: path.optional(),
    })
    .prefault({}),
  policies: path.prefault('./policies'),
  policyPacks: words(64).prefault([]),
  store: z.strictObject({ url: text(4096).optional() }).prefault({}),
  recordings: z
    .strictObject({
      url: text(4096).optional(),
      // `gateway`, or X25519 public keys in base64.
      recipients: words(32)
        .refine((list) => list.length > 0, 'must name somebody')
        .prefault('gateway'),
      redact: redactionSchema.prefault([]),
      retention: retentionSchema.prefault([]),
    })
    .prefault({}),
  masterKey: z.strictObject({ file: path.optional() }).prefault({}),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).prefault('info'),
      pretty: flag.prefault(false),
    })
    .prefault({}),
  siem: z.strictObject({ outputs: outputsSchema.prefault([]) }).prefault({}),
  findings: z
    .strictObject({
      databases: words(8).prefault([]),
      exempt: networks.prefault([]),
    })
    .prefault({}),
  drainSeconds: seconds(0, 86_400).prefault('60s'),
});

export type Settings = z.output<typeof settingsSchema>;

/** A key of sallyport.yaml as its path, such as ['ssh', 'limits', 'perSource']. */
export type KeyPath = readonly string[];

const objectOf = (schema: unknown): z.ZodObject | undefined => {
  if (schema instanceof z.ZodPrefault) return objectOf(schema.unwrap());
  return schema instanceof z.ZodObject ? schema : undefined;
};

const leaves = (schema: z.ZodObject, at: KeyPath): readonly KeyPath[] =>
  Object.entries(schema.shape).flatMap(([key, child]) => {
    const inner = objectOf(child);
    return inner === undefined ? [[...at, key]] : leaves(inner, [...at, key]);
  });

/** Every key that holds a value, in the schema's order. */
export const settingKeys: readonly KeyPath[] = leaves(settingsSchema, []);

/** The keys allowed inside the object at `at`; empty when there is no object. */
export const keysWithin = (at: KeyPath): readonly string[] => {
  let schema: z.ZodObject | undefined = settingsSchema;
  for (const key of at) schema = objectOf(schema?.shape[key]);
  return schema === undefined ? [] : Object.keys(schema.shape);
};

/** `ssh.limits.perSource` → `SALLYPORT_SSH_LIMITS_PER_SOURCE`. */
export const environmentName = (key: KeyPath): string =>
  `SALLYPORT_${key
    .map((part) =>
      part
        .replace(/([a-z])([A-Z])/g, '$1_$2')
        .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
        .toUpperCase(),
    )
    .join('_')}`;
