// Writes a file in MaxMind's format (MaxMind-DB-spec.md, version 2.0), so that tests read a real one: networks in, each
// with its record. Records of 24 bits, which is plenty for a handful of networks.
import { writeFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';

type Value = string | number | { readonly [key: string]: Value };

const MARKER = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')]);
const SEPARATOR = 16;

/** The type and the size before a value; sizes of 29 and more take a byte more. */
const control = (type: number, size: number): Buffer =>
  size < 29 ? Buffer.from([(type << 5) | size]) : Buffer.from([(type << 5) | 29, size - 29]);

const encode = (value: Value): Buffer => {
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    return Buffer.concat([control(2, text.length), text]);
  }
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value >= 0) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return Buffer.concat([control(6, 4), bytes]);
    }
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
  }
  const entries = Object.entries(value);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)]),
  ]);
};

/** A record of a node: another node, nothing, or a place in the data. */
type Next = { readonly node: number } | 'nothing' | { readonly data: number };

export const writeAddressDatabase = (
  file: string,
  ipVersion: 4 | 6,
  records: Readonly<Record<string, { readonly [key: string]: Value }>>,
): void => {
  const nodes: [Next, Next][] = [['nothing', 'nothing']];
  const data: Buffer[] = [];
  let length = 0;
  for (const [network, record] of Object.entries(records)) {
    const [address, prefix] = ipaddr.parseCIDR(network);
    const bytes = address.toByteArray();
    // IPv4 lives in the first 96 zero bits of an IPv6 tree.
    const padded =
      ipVersion === 6 && bytes.length === 4 ? [...new Array<number>(12).fill(0), ...bytes] : bytes;
    const bits = prefix + (padded.length - bytes.length) * 8;
    const encoded = encode(record);
    let at = 0;
    for (let bit = 0; bit < bits; bit += 1) {
      const side = (((padded[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) as 0 | 1;
      const node = nodes[at];
      if (node === undefined) throw new Error('a node is missing');
      if (bit === bits - 1) {
        node[side] = { data: length };
        break;
      }
      const next = node[side];
      if (typeof next === 'object' && 'node' in next) at = next.node;
      else {
        nodes.push(['nothing', 'nothing']);
        node[side] = { node: nodes.length - 1 };
        at = nodes.length - 1;
      }
    }
    data.push(encoded);
    length += encoded.length;
  }
  const tree = Buffer.alloc(nodes.length * 6);
  const number = (next: Next): number =>
    next === 'nothing' ? nodes.length : 'node' in next ? next.node : nodes.length + SEPARATOR + next.data;
  nodes.forEach(([left, right], index) => {
    tree.writeUIntBE(number(left), index * 6, 3);
    tree.writeUIntBE(number(right), index * 6 + 3, 3);
  });
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_893_456_000,
    database_type: 'test',
    ip_version: ipVersion,
    node_count: nodes.length,
    record_size: 24,
  });
  writeFileSync(file, Buffer.concat([tree, Buffer.alloc(SEPARATOR), ...data, MARKER, metadata]));
};
