// Events in ArcSight's Common Event Format, version 0 (CEF implementation standard, revision 26). In the header `\` and
// `|` are escaped, in extensions `\`, `=` and line ends; every value has lost its control characters before. Pure.
import type { GatewayEvent } from '../behaviour/events.ts';
import {
  commandStopped,
  personOf,
  type Severity,
  sentenceOf,
  sessionOf,
  severityOf,
  sourceOf,
  targetOf,
} from './describe.ts';
import type { Producer } from './ocsf.ts';
import { LONGEST_LINE, plain } from './plain-text.ts';

const SEVERITY: Readonly<Record<Severity, number>> = {
  informational: 1,
  low: 3,
  medium: 5,
  high: 8,
  critical: 10,
};

/** Lengths are those of the standard's dictionary, in characters. */
const LIMIT: Readonly<Record<string, number>> = {
  act: 63,
  cs1: 4_000,
  cs2: 4_000,
  cs3: 4_000,
  cs4: 4_000,
  cs5: 4_000,
  cs6: 4_000,
  dhost: 1_023,
  duser: 1_023,
  dproc: 1_023,
  msg: 1_023,
  outcome: 63,
  reason: 1_023,
  suser: 1_023,
  suid: 1_023,
  externalId: 40,
  app: 31,
  dvchost: 100,
};

const headerText = (text: string): string => plain(text, 512).replace(/[\\|]/g, '\\$&');

const extensionText = (key: string, value: string | number): string =>
  typeof value === 'number'
    ? String(value)
    : plain(value, LIMIT[key] ?? LONGEST_LINE).replace(/[\\=]/g, '\\$&');

/** The names that receivers see for what is particular to an event. */
type Labelled = readonly (readonly [label: string, value: string])[];

const particulars = (event: GatewayEvent): Labelled => {
  switch (event.kind) {
    case 'session-started':
      return [
        ['grant', event.grant.name],
        ['authentication', event.authentication],
      ];
    case 'command':
      return [
        ['rules', event.rules.map(({ rule }) => rule).join(', ')],
        ['commandLine', event.text],
        ['second', String(event.second)],
      ];
    case 'risk-changed':
      return [
        ['dimensions', event.findings.map(({ dimension, points }) => `${dimension}:${points}`).join(', ')],
      ];
    case 'identification-required':
    case 'identification-passed':
    case 'identification-failed':
    case 'identification-timed-out':
      return [['trigger', event.trigger]];
    case 'credential-viewed':
    case 'credential-view-refused':
      return [
        ['credential', event.target.credential.name],
        ['viewReason', event.reason],
      ];
    case 'credential-changed':
      return [
        ['credential', event.target.credential.name],
        ['how', event.unusual ? 'unusual manual change' : event.how],
      ];
    case 'finding-changed':
      return [
        ['finding', event.finding],
        ['signal', event.signal],
        ['level', event.level],
      ];
    case 'audit-changed':
      return [
        ['entry', event.entry],
        ['auditor', event.auditor],
        ['comment', event.comment],
      ];
    case 'exception-changed':
      return [
        ['request', event.request],
        ['rule', event.rule],
        ['by', event.by],
        ['text', event.text],
      ];
    case 'rating-changed':
      return [['cause', event.cause]];
    case 'user-disabled':
      return [['by', event.by]];
    case 'setting-changed':
      return [['setting', event.key]];
    case 'output-overflowed':
      return [
        ['output', event.output],
        ['policy', event.policy],
      ];
    case 'transfer':
      return [['channel', event.channelKind]];
    case 'session-refused':
      return [['wanted', event.wanted]];
    case 'command-settled':
      return [['command', event.command]];
    case 'signed-in':
    case 'sign-in-failed':
      return [['authentication', event.authentication]];
    case 'session-ended':
      return [];
    default:
      return event satisfies never;
  }
};

const outcomeOf = (event: GatewayEvent): string | undefined => {
  switch (event.kind) {
    case 'signed-in':
    case 'session-started':
    case 'identification-passed':
    case 'credential-viewed':
      return 'success';
    case 'sign-in-failed':
    case 'session-refused':
    case 'identification-failed':
    case 'identification-timed-out':
    case 'credential-view-refused':
      return 'failure';
    case 'command':
      return commandStopped(event.outcome) ? 'failure' : 'success';
    case 'credential-changed':
      return event.how === 'rotation-failed' ? 'failure' : 'success';
    default:
      return undefined;
  }
};

const reasonOf = (event: GatewayEvent): string | undefined => {
  if (event.kind === 'session-ended') return event.reason;
  if ('code' in event && event.code !== '') return event.code;
  if (event.kind === 'user-disabled') return event.reason;
  return undefined;
};

/** The score or count that goes with an event. */
const numberOf = (event: GatewayEvent): readonly [label: string, value: number] | undefined => {
  switch (event.kind) {
    case 'risk-changed':
      return ['risk', event.after];
    case 'session-started':
    case 'session-ended':
    case 'credential-viewed':
    case 'credential-view-refused':
      return ['risk', event.score];
    case 'finding-changed':
      return ['risk', Math.round(event.score)];
    case 'command':
      return ['points', event.points];
    case 'output-overflowed':
      return ['lost', event.lost];
    case 'transfer':
      return ['files', event.files];
    default:
      return undefined;
  }
};

/** One line, without a syslog header. */
export const toCef = (event: GatewayEvent, producer: Producer): string => {
  const target = targetOf(event);
  const person = personOf(event);
  const source = sourceOf(event);
  const session = sessionOf(event);
  const fields: [string, string | number][] = [
    ['rt', event.at],
    ['externalId', event.id],
    ['dvchost', producer.gateway],
    ['app', 'ssh'],
    ['msg', sentenceOf(event)],
  ];
  const add = (key: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') fields.push([key, value]);
  };
  add('suser', person?.name);
  add('suid', person?.id);
  // `src` and `c6a2` take addresses of their family only.
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(source)) add('src', source);
  else if (/^[0-9a-fA-F:.]{2,45}$/.test(source) && source.includes(':')) {
    add('c6a2', source);
    add('c6a2Label', 'Source IPv6 Address');
  }
  add('dhost', target?.device.name);
  add('duser', target?.credential.username);
  add('outcome', outcomeOf(event));
  add('reason', reasonOf(event));
  if (event.kind === 'command') {
    add('act', event.outcome);
    add('dproc', event.word);
  }
  if (event.kind === 'session-ended') {
    add('in', event.bytesFromClient);
    add('out', event.bytesFromDevice);
    add('start', event.startedAt);
    add('end', event.at);
  }
  if (event.kind === 'transfer') {
    add('in', event.bytesUp);
    add('out', event.bytesDown);
  }
  const number = numberOf(event);
  if (number !== undefined) {
    add('cn1', number[1]);
    add('cn1Label', number[0]);
  }
  const strings: Labelled = [
    ...(session === undefined ? [] : [['session', session] as const]),
    ...particulars(event),
  ].filter(([, value]) => value !== '');
  strings.slice(0, 6).forEach(([label, value], index) => {
    add(`cs${index + 1}`, value);
    add(`cs${index + 1}Label`, label);
  });
  const header = [
    'CEF:0',
    'Sallyport',
    'Sallyport',
    producer.version,
    event.kind,
    event.kind.replaceAll('-', ' '),
    String(SEVERITY[severityOf(event)]),
  ]
    .map((part, index) => (index === 0 ? part : headerText(part)))
    .join('|');
  return `${header}|${fields.map(([key, value]) => `${key}=${extensionText(key, value)}`).join(' ')}`;
};
