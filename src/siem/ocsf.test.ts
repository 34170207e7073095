// Every kind of event against the rules of OCSF 1.8.0: known attributes only, required ones there, values of their type
// and enum, `at least one of`, type_uid, and profiles named where their attributes are used.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { toOcsf } from './ocsf.ts';
import { hostile, sampleEvents } from './sample-events.ts';

const part = z.object({ atLeastOne: z.array(z.string()), attributes: z.record(z.string(), z.string()) });
const rules = z
  .object({
    version: z.string(),
    classes: z.record(z.string(), part.extend({ category: z.number() })),
    objects: z.record(z.string(), part),
  })
  .parse(JSON.parse(readFileSync(new URL('ocsf-rules.json', import.meta.url), 'utf8')));

const producer = { gateway: 'gw1', version: '0.1.0' };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const RULE = /^(@?)(\w+)(\[\])?(!)?(?: (.*))?$/;

const problemsOf = (value: unknown, rule: string, path: string): readonly string[] => {
  const [, object, type = '', array, , values] = RULE.exec(rule) ?? [];
  if (array !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no array`];
    return value.flatMap((item, index) =>
      problemsOf(item, `${object}${type}${values === undefined ? '' : ` ${values}`}`, `${path}[${index}]`),
    );
  }
  if (object === '@') {
    const known = rules.objects[type];
    if (known === undefined) return [`${path}: the object ${type} is not in the rules`];
    return isRecord(value) ? problemsIn(value, known, path) : [`${path} is no object`];
  }
  switch (type) {
    case 'integer':
    case 'long':
    case 'timestamp':
      if (!Number.isSafeInteger(value)) return [`${path} is no whole number: ${String(value)}`];
      return values === undefined || values.split(',').includes(String(value))
        ? []
        : [`${path}: ${String(value)} is not in the enum`];
    case 'float':
      return typeof value === 'number' ? [] : [`${path} is no number`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path} is no boolean`];
    case 'json':
      return [];
    default:
      return typeof value === 'string' && value !== '' ? [] : [`${path} is no text: ${String(value)}`];
  }
};

const problemsIn = (
  value: Record<string, unknown>,
  { atLeastOne, attributes }: z.infer<typeof part>,
  path: string,
): readonly string[] => [
  ...Object.entries(value).flatMap(([key, inner]) => {
    const rule = attributes[key];
    if (rule === undefined) return [`${path}.${key} is not an attribute`];
    // Whatever has no place in the schema stands in here.
    return key === 'unmapped' ? [] : problemsOf(inner, rule, `${path}.${key}`);
  }),
  ...Object.entries(attributes).flatMap(([key, rule]) =>
    RULE.exec(rule)?.[4] === '!' && value[key] === undefined ? [`${path}.${key} is missing`] : [],
  ),
  ...(atLeastOne.length > 0 && !atLeastOne.some((key) => value[key] !== undefined)
    ? [`${path} needs one of ${atLeastOne.join(', ')}`]
    : []),
];

const SECURITY_CONTROL = ['action_id', 'disposition_id', 'policy'];

it.each(sampleEvents().map((event) => [`${event.kind} ${event.id.slice(-2)}`, event] as const))(
  'writes %s as the schema has it',
  (_, event) => {
    const told: unknown = JSON.parse(JSON.stringify(toOcsf(event, producer)));
    if (!isRecord(told)) throw new Error('no object');
    const known = rules.classes[String(told['class_uid'])];
    if (known === undefined) throw new Error(`class ${String(told['class_uid'])} is not in the rules`);
    expect(problemsIn(told, known, event.kind)).toEqual([]);
    expect(told['category_uid']).toBe(known.category);
    expect(told['type_uid']).toBe(Number(told['class_uid']) * 100 + Number(told['activity_id']));
    const metadata = told['metadata'];
    if (!isRecord(metadata)) throw new Error('no metadata');
    expect(metadata['version']).toBe(rules.version);
    const profiles = Array.isArray(metadata['profiles']) ? metadata['profiles'] : [];
    if (SECURITY_CONTROL.some((key) => key in told)) expect(profiles).toContain('security_control');
    // Whatever users and devices wrote, no control or direction-changing character is left in it.
    expect(JSON.stringify(told)).not.toMatch(/\\u00[01]|\\n|\\r|\u202e|\\ud[89a-f]/i);
  },
);

it('tells the classes and activities that receivers are told to look for', () => {
  const types = new Map(sampleEvents().map((event) => [event.kind, toOcsf(event, producer)['type_uid']]));
  expect(types.get('signed-in')).toBe(300201);
  expect(types.get('session-started')).toBe(400701);
  expect(types.get('session-ended')).toBe(400703);
  expect(types.get('identification-required')).toBe(300206);
  expect(types.get('finding-changed')).toBe(200401);
  const stopped = sampleEvents().find((event) => event.kind === 'command');
  if (stopped === undefined) throw new Error('no command');
  expect(toOcsf(stopped, producer)).toMatchObject({
    type_uid: 100701,
    action_id: 2,
    disposition_id: 2,
    is_alert: true,
  });
});

it('says nothing of a line that was typed without echo', () => {
  const hidden = sampleEvents().find((event) => event.kind === 'command' && event.text === '');
  if (hidden === undefined) throw new Error('no hidden command');
  expect(JSON.stringify(toOcsf(hidden, producer))).not.toContain('cmd_line');
  expect(hostile).toContain('\n');
});
