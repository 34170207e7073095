// The rule language as data: what a policy file may hold, and nothing more. Unknown keys are errors. Meaning is given
// by `compile.ts`; reading files and placing errors by `parse.ts`.

import { z } from 'zod';

export const actions = ['log', 'confirm', 'reauthenticate', 'approve', 'block', 'interrupt'] as const;
/** From mild to severe; the most severe that matches wins. */
export type Action = (typeof actions)[number];

export const accesses = ['read', 'write', 'delete', 'rename', 'list', 'attributes'] as const;
export type Access = (typeof accesses)[number];

const opacityReasons = [
  'variable',
  'substitution',
  'eval',
  'script',
  'source',
  'glob',
  'stdin',
  'interpreter',
  'function',
  'grammar',
  'length',
  'depth',
] as const;

const text = z.string().min(1).max(2_000);
const texts = z.union([text.transform((t) => [t]), z.array(text).min(1).max(1_000)]);

const channels = ['shell', 'exec', 'sftp', 'scp', 'forward', 'agent', 'x11'] as const;
const grammars = ['posix-shell', 'fish', 'csh', 'network-cli', 'sql', 'python'] as const;

const conditionFields = {
  match: texts.optional(),
  flags: texts.optional(),
  without: texts.optional(),
  operand: texts.optional(),
  regex: texts.optional(),
  path: texts.optional(),
  access: z.union([z.enum(accesses).transform((a) => [a]), z.array(z.enum(accesses)).min(1)]).optional(),
  forward: texts.optional(),
  fedBy: texts.optional(),
  assigns: texts.optional(),
  via: texts.optional(),
  program: texts.optional(),
  alone: z.boolean().optional(),
} as const;

const comparison = {
  field: z.enum(['text', 'program', 'name', 'parentText', 'parentProgram', 'directory', 'user']),
  contains: texts.optional(),
  startsWith: texts.optional(),
  endsWith: texts.optional(),
  equals: texts.optional(),
  matches: texts.optional(),
} as const;

export interface Comparison {
  readonly field: 'text' | 'program' | 'name' | 'parentText' | 'parentProgram' | 'directory' | 'user';
  readonly contains?: readonly string[] | undefined;
  readonly startsWith?: readonly string[] | undefined;
  readonly endsWith?: readonly string[] | undefined;
  readonly equals?: readonly string[] | undefined;
  readonly matches?: readonly string[] | undefined;
}

export interface Conditions {
  readonly match?: readonly string[] | undefined;
  readonly flags?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly operand?: readonly string[] | undefined;
  readonly regex?: readonly string[] | undefined;
  readonly path?: readonly string[] | undefined;
  readonly access?: readonly Access[] | undefined;
  readonly forward?: readonly string[] | undefined;
  readonly fedBy?: readonly string[] | undefined;
  readonly assigns?: readonly string[] | undefined;
  readonly via?: readonly string[] | undefined;
  readonly program?: readonly string[] | undefined;
  readonly alone?: boolean | undefined;
}

export type When =
  | { readonly all: readonly When[] }
  | { readonly any: readonly When[] }
  | { readonly not: When }
  | Comparison
  | Conditions;

const when: z.ZodType<When> = z.lazy(() =>
  z.union([
    z.strictObject({ all: z.array(when).min(1).max(200) }),
    z.strictObject({ any: z.array(when).min(1).max(200) }),
    z.strictObject({ not: when }),
    z.strictObject(comparison),
    z.strictObject(conditionFields),
  ]),
);

const time = z
  .string()
  .regex(
    /^(?:[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)* )?\d{2}:\d{2}-\d{2}:\d{2}(?: [A-Za-z_]+(?:\/[A-Za-z_+-]+)*)?$/,
    'expected days, hours and zone as in "mon-fri 08:00-18:00 Europe/Paris"',
  );

const scope = z.strictObject({
  users: texts.optional(),
  groups: texts.optional(),
  devices: texts.optional(),
  tags: texts.optional(),
  credentials: texts.optional(),
  channels: z.array(z.enum(channels)).min(1).optional(),
  contexts: texts.optional(),
  times: z.union([time.transform((t) => [t]), z.array(time).min(1).max(50)]).optional(),
  except: z
    .strictObject({
      users: texts.optional(),
      groups: texts.optional(),
      devices: texts.optional(),
      tags: texts.optional(),
      credentials: texts.optional(),
    })
    .optional(),
});
export type Scope = z.infer<typeof scope>;

const opaque = z.union([
  z.enum(actions).transform((action) => ({ action, reasons: undefined })),
  z.strictObject({ action: z.enum(actions), reasons: z.array(z.enum(opacityReasons)).min(1).optional() }),
]);

const example = z.union([
  text,
  z.strictObject({ line: z.string().max(20_000), grammar: z.enum(grammars).optional() }),
  z.strictObject({
    channel: z.enum(['sftp', 'scp']),
    operation: z.enum(accesses),
    path: text,
    target: text.optional(),
  }),
  z.strictObject({ channel: z.literal('forward'), address: text, port: z.int().min(0).max(65_535) }),
]);
export type Example = z.infer<typeof example>;

const metadata = {
  description: z.string().max(2_000).optional(),
  criticality: z.enum(['low', 'medium', 'high']).optional(),
  points: z.int().min(0).max(15).optional(),
  occurrences: z.int().min(1).max(10).optional(),
  disableUser: z.boolean().optional(),
  scope: scope.optional(),
  opaque: opaque.optional(),
  message: z.string().max(500).optional(),
  owner: z.string().max(200).optional(),
  contact: z.string().max(200).optional(),
  shadow: z.boolean().optional(),
  enabled: z.boolean().optional(),
  references: z.array(z.string().max(500)).max(50).optional(),
  author: z.string().max(500).optional(),
  license: z.string().max(200).optional(),
  tags: z.array(z.string().max(100)).max(50).optional(),
} as const;

const name = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9 ._:/+,'-]{0,119}$/, "expected letters, digits, blanks and . , _ : / + - '");

export const ruleSchema = z
  .strictObject({
    name,
    action: z.enum(actions).optional(),
    ...conditionFields,
    when: when.optional(),
    ...metadata,
    redirections: z.boolean().optional(),
    test: z
      .strictObject({
        match: z.array(example).max(200).optional(),
        nomatch: z.array(example).max(200).optional(),
      })
      .optional(),
  })
  .superRefine((value, context) => {
    const conditions = [
      'match',
      'flags',
      'operand',
      'regex',
      'path',
      'forward',
      'fedBy',
      'assigns',
      'via',
      'program',
      'when',
      'opaque',
    ] as const;
    if (conditions.every((c) => value[c] === undefined)) {
      context.addIssue({
        code: 'custom',
        message: 'a rule needs a condition: match, operand, regex, path, forward, when, …',
      });
    }
    if (value.disableUser === true && value.action !== 'block' && value.action !== 'interrupt') {
      context.addIssue({
        code: 'custom',
        path: ['disableUser'],
        message: 'disableUser goes with the actions block and interrupt only',
      });
    }
    if (value.access !== undefined && value.path === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['access'],
        message: 'access says how a path is used: it needs path',
      });
    }
  });
export type RuleSource = z.infer<typeof ruleSchema>;

export const ruleSetSchema = z
  .strictObject({
    name,
    version: z.string().max(50).optional(),
    description: z.string().max(2_000).optional(),
    mode: z.enum(['rules', 'allowlist']).optional(),
    scope: scope.optional(),
    others: z
      .strictObject({
        action: z.enum(actions).optional(),
        message: z.string().max(500).optional(),
        criticality: z.enum(['low', 'medium', 'high']).optional(),
        points: z.int().min(0).max(15).optional(),
        contact: z.string().max(200).optional(),
      })
      .optional(),
    defaults: z.strictObject({ action: z.enum(actions).optional(), ...metadata }).optional(),
    rules: z.array(ruleSchema).max(20_000),
  })
  .superRefine((value, context) => {
    if (value.others !== undefined && value.mode !== 'allowlist') {
      context.addIssue({ code: 'custom', path: ['others'], message: 'others belongs to mode: allowlist' });
    }
    const seen = new Map<string, number>();
    value.rules.forEach((r, i) => {
      if (seen.has(r.name))
        context.addIssue({
          code: 'custom',
          path: ['rules', i, 'name'],
          message: `the name "${r.name}" is used twice in this file`,
        });
      seen.set(r.name, i);
    });
  });
export type RuleSetSource = z.infer<typeof ruleSetSchema>;
