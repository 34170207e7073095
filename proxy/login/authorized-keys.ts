// Reads a line in the form of OpenSSH's authorized_keys: options, a public key, a comment. Fails closed: an option that
// isn't known, or whose meaning the gateway can't keep (`environment=`, `tunnel=`), refuses the whole line with a reason.
// Whether a key fits an offer, an address or a time is login.ts's question.
import { BlobError } from './blob.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';
import { type Endpoint, type Restrictions, UNRESTRICTED } from './restrictions.ts';
import { type AddressRule, readFromList } from './source-address.ts';

export interface AuthorizedKey {
  readonly key: PublicKey;
  readonly comment: string;
  /** True: the key signs certificates and never signs in itself. */
  readonly certificateAuthority: boolean;
  /** For an authority: the principals of which a certificate must hold one; undefined: the user's name. */
  readonly principals: readonly string[] | undefined;
  readonly from: readonly AddressRule[] | undefined;
  /** Milliseconds since the epoch; from then on the key is refused. */
  readonly expiresAt: number | undefined;
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
  readonly restrictions: Restrictions;
}

export type AuthorizedKeyLine =
  | { readonly kind: 'key'; readonly key: AuthorizedKey }
  | { readonly kind: 'refused'; readonly reason: string };

const LONGEST_LINE = 16_384;
const MOST_ENDPOINTS = 256;
const MOST_PRINCIPALS = 256;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Terms = Mutable<Omit<AuthorizedKey, 'key' | 'comment' | 'restrictions'>> & {
  restrictions: Mutable<Restrictions>;
};

class LineRefused extends Error {}

/** Reads one line that must hold a key. Never throws. */
export function parseAuthorizedKey(line: string): AuthorizedKeyLine {
  try {
    return { kind: 'key', key: readLine(line) };
  } catch (error) {
    if (error instanceof LineRefused) return { kind: 'refused', reason: error.message };
    if (error instanceof BlobError) return { kind: 'refused', reason: `the key ${error.message}` };
    throw error;
  }
}

/** Reads a whole file; empty lines and those that start with `#` are skipped. Lines are counted from 1. */
export function parseAuthorizedKeysFile(text: string): {
  readonly keys: readonly AuthorizedKey[];
  readonly refused: readonly { readonly line: number; readonly reason: string }[];
} {
  const keys: AuthorizedKey[] = [];
  const refused: { line: number; reason: string }[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const read = parseAuthorizedKey(line);
    if (read.kind === 'key') keys.push(read.key);
    else refused.push({ line: index + 1, reason: read.reason });
  }
  return { keys, refused };
}

function readLine(given: string): AuthorizedKey {
  if (given.length > LONGEST_LINE) throw new LineRefused('the line is too long');
  const line = given.trim();
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) throw new LineRefused('the line holds a control character');
  const { options, rest } = splitOptions(line);
  const [type, base64, ...comment] = rest.split(/[ \t]+/);
  if (type === undefined || base64 === undefined || base64 === '')
    throw new LineRefused('the line has no key');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    throw new LineRefused('the key is not base64');
  }
  const key = readPublicKey(Buffer.from(base64, 'base64'));
  if (key.type !== type) throw new LineRefused('the key is of another type than the line says');
  const terms = readOptions(options);
  if (terms.principals !== undefined && !terms.certificateAuthority) {
    throw new LineRefused('principals= stands without cert-authority');
  }
  return { ...terms, key, comment: comment.join(' ') };
}

interface Option {
  readonly name: string;
  readonly value: string | undefined;
}

const TYPE = /^(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)/;

/** Splits the leading options, if there are any, from the key. A quoted value may hold blanks, commas and `\"`. */
function splitOptions(line: string): { options: readonly Option[]; rest: string } {
  if (TYPE.test(line)) return { options: [], rest: line };
  const options: Option[] = [];
  let at = 0;
  for (;;) {
    const name = /^[A-Za-z0-9-]+/.exec(line.slice(at))?.[0];
    if (name === undefined) throw new LineRefused('the options can not be read');
    at += name.length;
    let value: string | undefined;
    if (line[at] === '=') {
      const quoted = /^="((?:[^"\\]|\\.)*)"/.exec(line.slice(at));
      if (quoted?.[1] === undefined) throw new LineRefused(`the value of ${name} is not in quotes`);
      value = quoted[1].replace(/\\"/g, '"');
      at += quoted[0].length;
    }
    options.push({ name: name.toLowerCase(), value });
    if (line[at] === ',') {
      at++;
      continue;
    }
    const rest = line.slice(at);
    if (!/^[ \t]/.test(rest)) throw new LineRefused(`something follows the option ${name}`);
    return { options, rest: rest.trimStart() };
  }
}

function readOptions(options: readonly Option[]): Terms {
  const terms: Terms = {
    certificateAuthority: false,
    principals: undefined,
    from: undefined,
    expiresAt: undefined,
    touchRequired: true,
    verifyRequired: false,
    restrictions: { ...UNRESTRICTED },
  };
  for (const option of options) readOption(option, terms);
  return terms;
}

function readOption(option: Option, terms: Terms): void {
  const { restrictions } = terms;
  switch (option.name) {
    case 'restrict':
      flag(option);
      Object.assign(restrictions, {
        pty: false,
        portForwarding: false,
        agentForwarding: false,
        x11Forwarding: false,
      });
      return;
    case 'pty':
    case 'no-pty':
      restrictions.pty = permission(option);
      return;
    case 'port-forwarding':
    case 'no-port-forwarding':
      restrictions.portForwarding = permission(option);
      return;
    case 'agent-forwarding':
    case 'no-agent-forwarding':
      restrictions.agentForwarding = permission(option);
      return;
    case 'x11-forwarding':
    case 'no-x11-forwarding':
      restrictions.x11Forwarding = permission(option);
      return;
    case 'user-rc':
    case 'no-user-rc':
      // The gateway runs no ~/.ssh/rc, so there is nothing to allow or refuse.
      flag(option);
      return;
    case 'no-touch-required':
      flag(option);
      terms.touchRequired = false;
      return;
    case 'verify-required':
      flag(option);
      terms.verifyRequired = true;
      return;
    case 'cert-authority':
      flag(option);
      terms.certificateAuthority = true;
      return;
    case 'principals': {
      const names = once(option, terms.principals).split(',');
      if (names.length > MOST_PRINCIPALS || names.includes('')) {
        throw new LineRefused('principals= can not be read');
      }
      terms.principals = names;
      return;
    }
    case 'from': {
      const rules = readFromList(once(option, terms.from));
      if (rules === undefined) {
        throw new LineRefused('from= can not be read (addresses, CIDR blocks and patterns of them)');
      }
      terms.from = rules;
      return;
    }
    case 'expiry-time':
      terms.expiresAt = readTime(once(option, terms.expiresAt));
      return;
    case 'command': {
      const command = once(option, restrictions.forcedCommand);
      if (command === '') throw new LineRefused('command= is empty');
      restrictions.forcedCommand = command;
      return;
    }
    case 'permitopen':
      restrictions.permitOpen = withEndpoint(restrictions.permitOpen, option, false);
      return;
    case 'permitlisten':
      restrictions.permitListen = withEndpoint(restrictions.permitListen, option, true);
      return;
    default:
      throw new LineRefused(`the option ${option.name} is not supported`);
  }
}

function flag(option: Option): void {
  if (option.value !== undefined) throw new LineRefused(`the option ${option.name} takes no value`);
}

function permission(option: Option): boolean {
  flag(option);
  return !option.name.startsWith('no-');
}

function required(option: Option): string {
  if (option.value === undefined) throw new LineRefused(`the option ${option.name} needs a value`);
  return option.value;
}

function once(option: Option, before: unknown): string {
  if (before !== undefined) throw new LineRefused(`the option ${option.name} is given twice`);
  return required(option);
}

function withEndpoint(
  before: readonly Endpoint[] | undefined,
  option: Option,
  portAlone: boolean,
): Endpoint[] {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\*|\d{1,5})$/.exec(required(option));
  const host = match?.[1] ?? match?.[2] ?? (portAlone ? '*' : undefined);
  const port = match?.[3] === '*' ? '*' : Number(match?.[3]);
  const inRange = port === '*' || (port >= 1 && port <= 65_535);
  if (host === undefined || !inRange) throw new LineRefused(`the option ${option.name} can not be read`);
  if ((before?.length ?? 0) >= MOST_ENDPOINTS) throw new LineRefused(`there are too many ${option.name}`);
  return [...(before ?? []), { host, port }];
}

/** YYYYMMDD[HHMM[SS]], in the gateway's time zone or, with a Z, in UTC. */
function readTime(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/i.exec(text);
  if (match === null) throw new LineRefused('expiry-time= can not be read');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const exists =
    utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!exists) throw new LineRefused('expiry-time= is no date');
  return match[7] === '' ? new Date(year, month - 1, day, hour, minute, second).getTime() : utc.getTime();
}
