// ECS, CEF and syslog: each field where its receivers look for it, and text that tries to break out of its place.
import { expect, it } from 'vitest';
import { toCef } from './cef.ts';
import { toEcs } from './ecs.ts';
import { plain } from './plain-text.ts';
import { hostile, sampleEvents } from './sample-events.ts';
import { framed, syslogMessage } from './syslog-message.ts';

const producer = { gateway: 'gw|1', version: '0.1.0' };

/** A reader of CEF as the standard has it: seven header parts, then keys that begin after an unescaped space. */
const readCef = (line: string): { header: readonly string[]; fields: ReadonlyMap<string, string> } => {
  const header: string[] = [];
  let rest = line;
  for (let part = 0; part < 7; part += 1) {
    const match = /^((?:[^|\\]|\\[\\|])*)\|/.exec(rest);
    if (match === null) throw new Error(`the header is broken: ${rest}`);
    header.push((match[1] ?? '').replace(/\\([\\|])/g, '$1'));
    rest = rest.slice(match[0].length);
  }
  const fields = new Map<string, string>();
  while (rest !== '') {
    const match = /^([A-Za-z0-9_]+)=((?:[^=\\]|\\[\\=nr])*?)(?= [A-Za-z0-9_]+=|$)/.exec(rest);
    if (match === null) throw new Error(`the extension is broken: ${rest}`);
    fields.set(match[1] ?? '', (match[2] ?? '').replace(/\\([\\=])/g, '$1'));
    rest = rest.slice(match[0].length).replace(/^ /, '');
  }
  return { header, fields };
};

it('writes CEF that a strict reader takes apart again, whatever is in it', () => {
  for (const event of sampleEvents()) {
    const line = toCef(event, producer);
    expect(line).not.toMatch(/[\u0000-\u001f\u007f\u202e]/);
    const { header, fields } = readCef(line);
    expect(header).toEqual([
      'CEF:0',
      'Sallyport',
      'Sallyport',
      '0.1.0',
      event.kind,
      event.kind.replaceAll('-', ' '),
      expect.stringMatching(/^([0-9]|10)$/),
    ]);
    expect(fields.get('externalId')).toBe(event.id);
    expect(fields.get('rt')).toBe(String(event.at));
    expect(fields.get('dvchost')).toBe('gw|1');
    for (const key of fields.keys())
      if (/^c[sn]\d$/.test(key)) expect(fields.get(`${key}Label`)).toBeTruthy();
  }
});

it('keeps a command line whole in CEF', () => {
  const command = sampleEvents().find((event) => event.kind === 'command');
  if (command === undefined) throw new Error('no command');
  const { fields } = readCef(toCef(command, producer));
  expect([...fields.values()]).toContain(plain(hostile));
  expect(fields.get('act')).toBe('blocked');
});

const KINDS = ['event', 'alert', 'state', 'pipeline_error'];
const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  authentication: ['start', 'end', 'info'],
  session: ['start', 'end', 'info'],
  network: ['access', 'allowed', 'connection', 'denied', 'end', 'info', 'protocol', 'start'],
  process: ['access', 'change', 'end', 'info', 'start'],
  file: ['access', 'change', 'creation', 'deletion', 'info'],
  threat: ['indicator'],
  iam: ['admin', 'change', 'creation', 'deletion', 'group', 'info', 'user'],
  configuration: ['access', 'change', 'creation', 'deletion', 'info'],
};

it('writes ECS with the categories that the schema allows', () => {
  for (const event of sampleEvents()) {
    const told = JSON.parse(JSON.stringify(toEcs(event, producer)));
    expect(told['@timestamp']).toBe('2030-01-31T08:00:00.000Z');
    expect(told.ecs.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(told.event.id).toBe(event.id);
    expect(KINDS).toContain(told.event.kind);
    expect(told.event.category.length).toBeGreaterThan(0);
    const types = told.event.category.flatMap((category: string) => CATEGORIES[category] ?? []);
    for (const category of told.event.category) expect(Object.keys(CATEGORIES)).toContain(category);
    for (const type of told.event.type) expect(types).toContain(type);
    expect(['success', 'failure', 'unknown']).toContain(told.event.outcome);
    expect(JSON.stringify(told)).not.toMatch(/\\n|\\r|\\u001b|\u202e/);
  }
});

it('frames syslog by bytes, so that no content can end a message early', () => {
  const event = sampleEvents().find(({ kind }) => kind === 'finding-changed');
  if (event === undefined) throw new Error('no finding');
  const message = syslogMessage(event, producer, { text: 'é\n12 <13>1 forged', facility: 10 });
  expect(message.toString()).toMatch(
    /^<82>1 2030-01-31T08:00:00\.000Z gw\|1 sallyport - finding-changed \[event@32473 id="[^"]+"\] é/,
  );
  const frame = framed(message);
  expect(frame.toString('latin1')).toMatch(/^\d+ </);
  expect(Number(frame.toString('latin1').split(' ')[0])).toBe(message.length);
});

it('bounds a field, and never splits a character', () => {
  expect(plain('x'.repeat(5_000), 10)).toHaveLength(10);
  expect(plain('😀'.repeat(10), 6)).not.toMatch(/[\ud800-\udfff](?![\udc00-\udfff])/u);
});
