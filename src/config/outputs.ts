// The schema of `siem.outputs` in sallyport.yaml: where events go, in which form, and what waits while nobody takes them.
// Pure. Secrets never stand in the configuration: files hold them, and whoever sends reads those.
import { z } from 'zod';
import { readSeconds, readSocketAddress, type SocketAddress } from './units.ts';

export const OUTPUT_EVENTS = [
  'signed-in',
  'sign-in-failed',
  'session-started',
  'session-refused',
  'session-ended',
  'command',
  'command-settled',
  'transfer',
  'risk-changed',
  'identification-required',
  'identification-passed',
  'identification-failed',
  'identification-timed-out',
  'credential-viewed',
  'credential-view-refused',
  'credential-changed',
  'rating-changed',
  'user-disabled',
  'setting-changed',
  'finding-changed',
  'audit-changed',
  'exception-changed',
  'output-overflowed',
] as const;

export const OUTPUT_SEVERITIES = ['informational', 'low', 'medium', 'high', 'critical'] as const;
const FORMATS = ['cef', 'ocsf', 'ecs'] as const;

const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });

const text = (longest: number) =>
  z
    .string({ error: 'must be text' })
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .refine((value) => !/[\0-\x1f\x7f]/.test(value), 'must not hold control characters');

const file = text(4_096);

const name = z
  .string({ error: 'must be text' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a word of letters, digits, dots and dashes');

const whole = (minimum: number, maximum: number) =>
  z
    .number({ error: 'must be a whole number' })
    .int('must be a whole number')
    .min(minimum, `must be at least ${minimum}`)
    .max(maximum, `must be at most ${maximum}`);

const collector = text(300).transform((value, context): SocketAddress & { readonly host: string } => {
  const reading = readSocketAddress(value);
  if ('problem' in reading || reading.value.host === undefined || reading.value.port === 0) {
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT, or [IPV6]:PORT' });
    return z.NEVER;
  }
  return { host: reading.value.host, port: reading.value.port };
});

const seconds = (minimum: number, maximum: number) =>
  z.union([z.string(), z.number()], { error: 'must be a duration' }).transform((value, context) => {
    const reading = readSeconds(value);
    if ('problem' in reading) context.addIssue({ code: 'custom', message: reading.problem });
    else if (reading.value >= minimum && reading.value <= maximum) return reading.value;
    else context.addIssue({ code: 'custom', message: `must be between ${minimum} and ${maximum} seconds` });
    return z.NEVER;
  });

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

const url = text(2_048).transform((value, context): string => {
  let parsed: URL;
  try {
    parsed = new URL(value);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a URL' });
    return z.NEVER;
  }
  if (parsed.username !== '' || parsed.password !== '') {
    context.addIssue({ code: 'custom', message: 'must not hold a password: use authorizationFile' });
    return z.NEVER;
  }
  const safe = parsed.protocol === 'https:' || (parsed.protocol === 'http:' && isLoopback(parsed.hostname));
  if (!safe) {
    context.addIssue({ code: 'custom', message: 'must be https:// (http:// only to this machine)' });
    return z.NEVER;
  }
  return parsed.href;
});

const common = {
  name,
  events: z
    .array(oneOf(OUTPUT_EVENTS), { error: 'must be a list of kinds of events' })
    .min(1, 'must name at least one kind')
    .max(OUTPUT_EVENTS.length)
    .optional(),
  commands: oneOf(['audited', 'all']).prefault('audited'),
  queue: z
    .strictObject({
      events: whole(100, 10_000_000).prefault(1_000_000),
      overflow: oneOf(['drop-oldest', 'drop-newest']).prefault('drop-oldest'),
    })
    .prefault({}),
};

const severity = oneOf(OUTPUT_SEVERITIES);

const tlsFiles = z.strictObject({
  ca: file.optional(),
  certificate: file.optional(),
  key: file.optional(),
  serverName: text(253).optional(),
});

const syslog = z
  .strictObject({
    ...common,
    kind: z.literal('syslog'),
    format: oneOf(FORMATS).prefault('cef'),
    transport: oneOf(['tls', 'tcp']).prefault('tls'),
    address: collector,
    tls: tlsFiles.prefault({}),
    facility: whole(0, 23).prefault(10),
    minimumSeverity: severity.prefault('informational'),
  })
  .superRefine((output, context) => {
    if ((output.tls.certificate === undefined) !== (output.tls.key === undefined))
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: 'needs both certificate and key, or neither',
      });
  });

const webhook = z.strictObject({
  ...common,
  kind: z.literal('webhook'),
  format: oneOf(FORMATS).prefault('ocsf'),
  url,
  secretFile: file.optional(),
  authorizationFile: file.optional(),
  ca: file.optional(),
  timeoutSeconds: seconds(1, 300).prefault('15s'),
  minimumSeverity: severity.prefault('informational'),
});

const mailAddress = text(320).regex(/^[^\s<>@,;"]+@[^\s<>@,;"]+$/, 'must be a mail address');

const mail = z
  .strictObject({
    ...common,
    kind: z.literal('mail'),
    server: collector,
    security: oneOf(['starttls', 'tls', 'none']).prefault('starttls'),
    user: text(320).optional(),
    passwordFile: file.optional(),
    ca: file.optional(),
    from: mailAddress,
    to: z.array(mailAddress, { error: 'must be a list of mail addresses' }).min(1).max(50),
    minimumSeverity: severity.prefault('high'),
  })
  .superRefine((output, context) => {
    if ((output.user === undefined) !== (output.passwordFile === undefined))
      context.addIssue({ code: 'custom', path: ['user'], message: 'needs passwordFile beside it' });
    if (output.security === 'none' && output.passwordFile !== undefined)
      context.addIssue({ code: 'custom', path: ['security'], message: 'a password goes over TLS only' });
  });

/** From the environment the list comes as JSON. */
const fromJson = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

export const outputsSchema = z.preprocess(
  fromJson,
  z
    .array(
      z.discriminatedUnion('kind', [syslog, webhook, mail], {
        error: (issue) =>
          issue.code === 'invalid_union' ? 'must be one of syslog, webhook, mail' : undefined,
      }),
      { error: 'must be a list of outputs' },
    )
    .max(16, 'must hold at most 16 outputs')
    .superRefine((list, context) => {
      list.forEach((output, index) => {
        if (list.findIndex((other) => other.name === output.name) < index)
          context.addIssue({ code: 'custom', path: [index, 'name'], message: `${output.name} is taken` });
      });
    }),
);

export type OutputSettings = z.output<typeof outputsSchema>[number];
export type SyslogSettings = Extract<OutputSettings, { readonly kind: 'syslog' }>;
export type WebhookSettings = Extract<OutputSettings, { readonly kind: 'webhook' }>;
export type MailSettings = Extract<OutputSettings, { readonly kind: 'mail' }>;

/** With every file named absolutely. */
export const withAbsoluteFiles = (
  output: OutputSettings,
  absolute: (path: string) => string,
): OutputSettings => {
  const maybe = <Key extends string>(key: Key, path: string | undefined) =>
    path === undefined ? {} : { [key]: absolute(path) };
  switch (output.kind) {
    case 'syslog':
      return {
        ...output,
        tls: {
          ...output.tls,
          ...maybe('ca', output.tls.ca),
          ...maybe('certificate', output.tls.certificate),
          ...maybe('key', output.tls.key),
        },
      };
    case 'webhook':
      return {
        ...output,
        ...maybe('secretFile', output.secretFile),
        ...maybe('authorizationFile', output.authorizationFile),
        ...maybe('ca', output.ca),
      };
    case 'mail':
      return { ...output, ...maybe('passwordFile', output.passwordFile), ...maybe('ca', output.ca) };
  }
};
