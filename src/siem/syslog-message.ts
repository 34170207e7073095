// Syslog messages of RFC 5424 and how they are framed on a stream: by their length (RFC 6587 3.4.1, RFC 5425 4.3), the
// one framing that no content can break. No limit of 1,024 bytes. Pure.
import type { GatewayEvent } from '../behaviour/events.ts';
import { type Severity, severityOf } from './describe.ts';
import type { Producer } from './ocsf.ts';

/** RFC 5424 6.2.1. */
const SEVERITY: Readonly<Record<Severity, number>> = {
  informational: 6,
  low: 5,
  medium: 4,
  high: 3,
  critical: 2,
};

/** security/authorization messages (private): authpriv. */
export const DEFAULT_FACILITY = 10;

/** PRINTUSASCII of at most `limit` characters; `-` for nothing. */
const name = (text: string, limit: number): string =>
  text.replace(/[^\x21-\x7e]/g, '').slice(0, limit) || '-';

/** RFC 5424 6.3.3: `"`, `\` and `]` are escaped in a parameter's value. */
const parameter = (value: string): string => value.replace(/["\\\]]/g, '\\$&');

export const syslogMessage = (
  event: GatewayEvent,
  producer: Producer,
  { text, facility }: { readonly text: string; readonly facility: number },
): Buffer => {
  const priority = facility * 8 + SEVERITY[severityOf(event)];
  const header = [
    `<${priority}>1`,
    new Date(event.at).toISOString(),
    name(producer.gateway, 255),
    'sallyport',
    '-',
    name(event.kind, 32),
    `[event@32473 id="${parameter(event.id)}"]`,
  ].join(' ');
  // No byte order mark (RFC 5424 6.4 lets one out): parsers of CEF and JSON trip over it.
  return Buffer.from(`${header} ${text}`, 'utf8');
};

/** `LENGTH SP MESSAGE`. */
export const framed = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${message.length} `, 'latin1'), message]);
