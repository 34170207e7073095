// Where addresses are, with and without databases of the operator's, and that a wrong or vague one makes nobody suspicious.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeAddressDatabase } from '../../test/ueba/address-database.ts';
import type { Activity } from './activity.ts';
import { Analyst } from './analyst.ts';
import { type Locate, openLocator, withoutDatabase } from './locate.ts';

let folder = '';
const path = (name: string): string => join(folder, name);
const paris = {
  country: { iso_code: 'FR' },
  city: { names: { en: 'Paris' } },
  location: { latitude: 48.85, longitude: 2.35 },
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-locate-'));
  writeAddressDatabase(path('city.mmdb'), 6, {
    '81.2.69.0/24': paris,
    '89.160.20.0/24': {
      country: { iso_code: 'JP' },
      city: { names: { en: 'Tokyo' } },
      location: { latitude: 35.68, longitude: 139.69 },
    },
    '2a02:d000::/20': { country: { iso_code: 'DE' }, location: { latitude: 51.3, longitude: 9.49 } },
  });
  writeAddressDatabase(path('asn.mmdb'), 4, { '81.2.69.0/24': { autonomous_system_number: 64500 } });
  writeAddressDatabase(path('country.mmdb'), 4, {
    '81.2.69.0/24': { country_code: 'FR' },
    '89.160.20.0/24': { country_code: 'JP' },
    // What an IPv6 address would be taken for that is looked up in a file of IPv4 addresses.
    '42.2.0.0/16': { country_code: 'XX' },
  });
  writeFileSync(path('broken.mmdb'), 'no database');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const located = async (databases: readonly string[], exempt: readonly string[] = []): Promise<Locate> => {
  const { locate, problems } = await openLocator({ databases: databases.map(path), exempt });
  expect(problems).toEqual([]);
  return locate;
};

describe('an address', () => {
  it('has country, position and network from the databases that know them', async () => {
    const locate = await located(['asn.mmdb', 'city.mmdb']);
    expect(locate('81.2.69.142')).toEqual({
      country: 'FR',
      latitude: 48.85,
      longitude: 2.35,
      precision: 'city',
      network: 'AS64500',
      exempt: false,
    });
    expect(locate('::ffff:81.2.69.142')).toMatchObject({ country: 'FR', network: 'AS64500' });
    expect(locate('2a02:d123::1')).toMatchObject({
      country: 'DE',
      precision: 'country',
      network: '2a02:d123::/32',
    });
  });

  it('is not looked up as IPv6 in a file of IPv4 addresses', async () => {
    const locate = await located(['country.mmdb']);
    expect(locate('2a02:d123::1')).toMatchObject({ country: 'unknown', exempt: true });
    expect(locate('81.2.69.142')).toMatchObject({ country: 'FR', unplaced: true });
  });

  it('says nothing when it is private, exempt, unknown or none', async () => {
    const locate = await located(['city.mmdb'], ['81.2.69.128/25', '89.160.20.7']);
    for (const address of ['10.1.2.3', '127.0.0.1', '81.2.69.142', '89.160.20.7', '203.0.113.9', 'nonsense'])
      expect(locate(address), address).toMatchObject({ exempt: true, country: 'unknown' });
    expect(locate('81.2.69.1')).toMatchObject({ country: 'FR', exempt: false });
    expect(locate('')).toBeUndefined();
    expect(locate('local')).toBeUndefined();
  });

  it('is told apart by its network without any database, and a file that can’t be read is named', async () => {
    expect(withoutDatabase('192.0.2.7')).toMatchObject({ network: '192.0.0.0/16', exempt: true });
    const { locate, problems } = await openLocator({
      databases: [path('broken.mmdb'), path('absent.mmdb'), path('city.mmdb')],
      exempt: [],
    });
    expect(problems.map(({ database }) => database)).toEqual([path('broken.mmdb'), path('absent.mmdb')]);
    expect(locate('81.2.69.142')).toMatchObject({ country: 'FR' });
  });
});

describe('travel between sessions', () => {
  const AT = Date.UTC(2030, 0, 7, 9);
  const session = (at: number, source: string, locate: Locate): Activity => ({
    kind: 'session',
    at,
    user: 'u1',
    evidence: `s-${at}`,
    source,
    place: locate(source),
    target: 'web1',
    privileged: false,
    endedAt: at + 60_000,
  });
  const signals = (locate: Locate): readonly string[] => {
    const people = [
      { id: 'u1', name: 'alice', department: undefined, priority: 'medium', createdAt: undefined },
    ] as const;
    const analyst = new Analyst({ timeZone: 'UTC', people });
    analyst.take(session(AT, '81.2.69.142', locate));
    analyst.take(session(AT + 3_600_000, '89.160.20.112', locate));
    return analyst.finish().map(({ signal }) => signal);
  };

  it('is found by the positions of a database, and not where only countries or networks are known', async () => {
    expect(signals(await located(['city.mmdb']))).toContain('impossible-travel');
    expect(signals(await located(['country.mmdb']))).not.toContain('impossible-travel');
    expect(signals(withoutDatabase)).not.toContain('impossible-travel');
  });
});
