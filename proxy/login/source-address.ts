// Matches a client's address against the lists in `from=` (patterns, CIDR blocks, negations) and in a certificate's
// `source-address` (CIDR blocks and addresses alone). Addresses only: the gateway resolves no names to decide who
// may sign in, since whoever controls the reverse zone would decide.
import ipaddr from 'ipaddr.js';

export type AddressRule =
  | { readonly kind: 'block'; readonly negated: boolean; readonly block: [ipaddr.IPv4 | ipaddr.IPv6, number] }
  | { readonly kind: 'pattern'; readonly negated: boolean; readonly pattern: string };

const MOST_RULES = 256;
const LONGEST_PATTERN = 64;

/** Reads a `from=` list. Undefined when any part of it can't be read. */
export function readFromList(list: string): readonly AddressRule[] | undefined {
  return readList(list, (item) => {
    const negated = item.startsWith('!');
    const body = negated ? item.slice(1) : item;
    const block = readBlock(body);
    if (block !== undefined) return { kind: 'block', negated, block };
    if (body.length > LONGEST_PATTERN || !/^[0-9a-f.:*?]*[*?][0-9a-f.:*?]*$/i.test(body)) return undefined;
    return { kind: 'pattern', negated, pattern: body.toLowerCase() };
  });
}

/** Reads a certificate's `source-address` list. Undefined when any part of it can't be read. */
export function readBlockList(list: string): readonly AddressRule[] | undefined {
  return readList(list, (item) => {
    const block = readBlock(item);
    return block === undefined ? undefined : { kind: 'block', negated: false, block };
  });
}

/** True when a rule matches and no negated rule does. False for anything that isn't an address. */
export function addressMatches(rules: readonly AddressRule[], address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  const text = parsed.toString();
  let matched = false;
  for (const rule of rules) {
    const hit = rule.kind === 'block' ? inBlock(parsed, rule.block) : wildcardMatches(rule.pattern, text);
    if (!hit) continue;
    if (rule.negated) return false;
    matched = true;
  }
  return matched;
}

function readList(list: string, readItem: (item: string) => AddressRule | undefined) {
  const items = list.split(',').map((item) => item.trim());
  if (items.length > MOST_RULES) return undefined;
  const rules: AddressRule[] = [];
  for (const item of items) {
    const rule = readItem(item);
    if (rule === undefined) return undefined;
    rules.push(rule);
  }
  return rules;
}

function readBlock(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined {
  const match = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text);
  const address = match?.[1];
  if (address === undefined) return undefined;
  // `isValid` also takes forms such as `0x7f.1`, which are too easily misread in a security list.
  const fourParts = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!fourParts && !ipaddr.IPv6.isValid(address)) return undefined;
  const parsed = ipaddr.parse(address);
  const whole = parsed.kind() === 'ipv4' ? 32 : 128;
  const prefix = match?.[2] === undefined ? whole : Number(match[2]);
  if (prefix > whole || hostBitsSet(parsed.toByteArray(), prefix)) return undefined;
  return [parsed, prefix];
}

function hostBitsSet(bytes: number[], prefix: number): boolean {
  return bytes.some((byte, index) => {
    const networkBits = Math.min(8, Math.max(0, prefix - index * 8));
    return (byte & (0xff >> networkBits)) !== 0;
  });
}

function inBlock(address: ipaddr.IPv4 | ipaddr.IPv6, [network, prefix]: [ipaddr.IPv4 | ipaddr.IPv6, number]) {
  if (address instanceof ipaddr.IPv4) {
    return network instanceof ipaddr.IPv4 && address.match(network, prefix);
  }
  return network instanceof ipaddr.IPv6 && address.match(network, prefix);
}

/** `*` is any run, `?` any one character. In time of the product of the lengths: no backtracking over a peer's text. */
function wildcardMatches(pattern: string, text: string): boolean {
  let star = -1;
  let resume = 0;
  let p = 0;
  let t = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
