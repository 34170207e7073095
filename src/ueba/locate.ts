// Where an address is. Without a database its network is known, which is enough to tell places apart, and no position, so
// that nobody's travel is judged by it; imported sign-ins bring positions of their own. With databases in MaxMind's
// format, which the operator names, country, position and autonomous system are read from them. What they say is vague:
// src/behaviour/travel.ts takes that into account.
import ipaddr from 'ipaddr.js';
import { open, type Reader, type Response } from 'maxmind';
import type { Place } from './activity.ts';

export type Locate = (address: string) => Place | undefined;

/** The /16 of an IPv4 address, the /32 of an IPv6 one: what stands for a network where no database tells. */
export const networkOf = (address: string): string => {
  const four = /^(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(address);
  if (four !== null) return `${four[1]}.0.0/16`;
  return address.includes(':') ? `${address.split(':').slice(0, 2).join(':')}::/32` : address;
};

const isNoAddress = (address: string): boolean => address === '' || address === 'local';

const withoutPosition = (address: string): Place => ({
  country: 'unknown',
  latitude: 0,
  longitude: 0,
  precision: 'country',
  network: networkOf(address),
  exempt: true,
});

export const withoutDatabase: Locate = (address) =>
  isNoAddress(address) ? undefined : withoutPosition(address);

export interface LocationSettings {
  /** Files in MaxMind's format; what the first of them knows counts. */
  readonly databases: readonly string[];
  /** Addresses and networks that say nothing of where somebody is: ways out of the organisation's own. */
  readonly exempt: readonly string[];
}

export interface Locator {
  readonly locate: Locate;
  /** Databases that can't be read, each with why: the others are used. */
  readonly problems: readonly { readonly database: string; readonly problem: string }[];
}

/** Addresses whose record is kept at hand while a scan goes on, for each database. */
const KEPT = 10_000;

/** Reads the databases into memory for as long as the answer is kept. Never rejects. */
export const openLocator = async ({ databases, exempt }: LocationSettings): Promise<Locator> => {
  const readers: Reader<Response>[] = [];
  const problems: { database: string; problem: string }[] = [];
  for (const database of databases) {
    try {
      readers.push(await open<Response>(database, { cache: { max: KEPT } }));
    } catch (error) {
      problems.push({ database, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  if (readers.length === 0) return { locate: withoutDatabase, problems };
  const blocks = exempt.flatMap(blockOf);
  return { locate: (address) => locateIn(readers, blocks, address), problems };
};

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = [Address, number];

const blockOf = (text: string): readonly Block[] => {
  try {
    if (text.includes('/')) return [ipaddr.parseCIDR(text)];
    const address = ipaddr.process(text);
    return [[address, address.kind() === 'ipv4' ? 32 : 128]];
  } catch {
    // The configuration is checked before; what is none matches nothing.
    return [];
  }
};

const isIn = (address: Address, [network, bits]: Block): boolean =>
  address.kind() === network.kind() && address.match(network, bits);

const locateIn = (
  readers: readonly Reader<Response>[],
  exempt: readonly Block[],
  address: string,
): Place | undefined => {
  if (isNoAddress(address)) return undefined;
  const unknown = withoutPosition(address);
  if (!ipaddr.isValid(address)) return unknown;
  // An IPv4 address in IPv6's form is looked up as what it is.
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast' || exempt.some((block) => isIn(parsed, block))) return unknown;
  const records = readers.flatMap((reader) => recordOf(reader, parsed));
  const country = first(
    records,
    (record) => wordIn(inside(record, 'country'), 'iso_code') ?? wordIn(record, 'country_code'),
  );
  if (country === undefined) return unknown;
  const position = first(records, positionOf);
  const system = first(records, (record) => numberIn(record, 'autonomous_system_number'));
  return {
    country,
    latitude: position?.latitude ?? 0,
    longitude: position?.longitude ?? 0,
    precision: position?.precision ?? 'country',
    network: system === undefined ? networkOf(parsed.toString()) : `AS${system}`,
    exempt: false,
    ...(position === undefined ? { unplaced: true as const } : {}),
  };
};

/** An IPv6 address in a file of IPv4 addresses would be answered with another's record. */
const fits = ({ metadata }: Reader<Response>, address: Address): boolean =>
  metadata.ipVersion === 6 || address.kind() === 'ipv4';

const recordOf = (reader: Reader<Response>, address: Address): readonly object[] => {
  if (!fits(reader, address)) return [];
  try {
    const record: unknown = reader.get(address.toString());
    return typeof record === 'object' && record !== null ? [record] : [];
  } catch {
    // A damaged file knows nothing of this address.
    return [];
  }
};

const first = <T>(records: readonly object[], read: (record: object) => T | undefined): T | undefined => {
  for (const record of records) {
    const found = read(record);
    if (found !== undefined) return found;
  }
  return undefined;
};

const valueIn = (record: object | undefined, key: string): unknown =>
  record === undefined ? undefined : Object.entries(record).find(([name]) => name === key)?.[1];

const inside = (record: object, key: string): object | undefined => {
  const value = valueIn(record, key);
  return typeof value === 'object' && value !== null ? value : undefined;
};

const wordIn = (record: object | undefined, key: string): string | undefined => {
  const value = valueIn(record, key);
  return typeof value === 'string' && /^[A-Z]{2}$/.test(value) ? value : undefined;
};

const numberIn = (record: object | undefined, key: string): number | undefined => {
  const value = valueIn(record, key);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};

const positionOf = (record: object): Pick<Place, 'latitude' | 'longitude' | 'precision'> | undefined => {
  const at = inside(record, 'location') ?? record;
  const latitude = numberIn(at, 'latitude');
  const longitude = numberIn(at, 'longitude');
  if (latitude === undefined || longitude === undefined) return undefined;
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return undefined;
  const city = inside(record, 'city') !== undefined || typeof valueIn(record, 'city') === 'string';
  return { latitude, longitude, precision: city ? 'city' : 'country' };
};
