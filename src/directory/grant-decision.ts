// What a user may reach at a moment, and why not. Pure: a snapshot of the directory and a time in, a decision out.
// Grants that allow the same account now are merged: their channels and subsystems are united, one `strict` makes the
// recording strict, and the rights last until the first moment at which one of the grants ends that adds something.
import micromatch from 'micromatch';
import type { ChannelKind, Target, TargetDecision } from '../../proxy/login/ports.ts';
import type { GrantSpec } from './grants.ts';
import { CHANNELS } from './grants.ts';
import { isGlob } from './names.ts';
import { shown } from './shown-text.ts';
import { readingOfAccount, type TerminalReading } from './terminal-reading.ts';
import { anyTimesAt, readTimes, showInstant, type Times } from './times.ts';

export interface SnapshotCredential extends TerminalReading {
  readonly id: string;
  readonly name: string;
  readonly username: string;
}

export interface SnapshotDevice extends TerminalReading {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly os: string | undefined;
  readonly credentials: readonly SnapshotCredential[];
}

interface SnapshotGrant {
  readonly id: string;
  readonly spec: GrantSpec;
  readonly matchesDevice: (device: SnapshotDevice) => boolean;
  /** Undefined: a time that can't be read; the grant then never holds. */
  readonly times: readonly Times[] | undefined;
}

/** The directory as far as grants are concerned, at one version. */
export interface Snapshot {
  readonly devices: ReadonlyMap<string, SnapshotDevice>;
  readonly grants: readonly SnapshotGrant[];
}

export interface Who {
  readonly name: string;
  readonly groups: readonly string[];
}

const deviceMatcher = (spec: GrantSpec): ((device: SnapshotDevice) => boolean) => {
  const names = new Set(spec.devices.filter((pattern) => !isGlob(pattern)));
  const globs = spec.devices
    .filter(isGlob)
    .map((pattern) => micromatch.matcher(pattern, { dot: true, nonegate: true, noextglob: true }));
  const tags = new Set(spec.tags);
  // A glob that also has tags asks for either: each list adds devices.
  return (device) =>
    names.has(device.name) ||
    device.tags.some((tag) => tags.has(tag)) ||
    globs.some((matches) => matches(device.name));
};

const readAllTimes = (texts: readonly string[]): readonly Times[] | undefined => {
  const list: Times[] = [];
  for (const text of texts) {
    const reading = readTimes(text);
    if ('problem' in reading) return undefined;
    list.push(reading.times);
  }
  return list;
};

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const makeSnapshot = (
  devices: readonly SnapshotDevice[],
  grants: readonly (GrantSpec & { readonly id: string })[],
): Snapshot => ({
  devices: new Map(
    devices.toSorted((a, b) => byCodeUnits(a.name, b.name)).map((device) => [device.name, device]),
  ),
  grants: grants
    .toSorted((a, b) => byCodeUnits(a.name, b.name))
    .map((spec) => ({
      id: spec.id,
      spec,
      matchesDevice: deviceMatcher(spec),
      times: readAllTimes(spec.times),
    })),
});

interface Holding {
  readonly grant: SnapshotGrant;
  /** Undefined: no end in sight. */
  readonly until: number | undefined;
}

type GrantNow =
  | ({ readonly kind: 'open' } & Holding)
  | { readonly kind: 'closed'; readonly grant: SnapshotGrant; readonly from: number | undefined };

const grantAt = (grant: SnapshotGrant, at: number): GrantNow => {
  if (grant.times === undefined) return { kind: 'closed', grant, from: undefined };
  const answer = anyTimesAt(grant.times, at);
  return answer.kind === 'open'
    ? { kind: 'open', grant, until: answer.until }
    : { kind: 'closed', grant, from: answer.from };
};

const grantsOf = (snapshot: Snapshot, who: Who): readonly SnapshotGrant[] => {
  const groups = new Set(who.groups);
  return snapshot.grants.filter(
    ({ spec }) => spec.users.includes(who.name) || spec.groups.some((group) => groups.has(group)),
  );
};

const coversCredential = (grant: SnapshotGrant, credential: SnapshotCredential): boolean =>
  grant.spec.credentials === undefined || grant.spec.credentials.includes(credential.name);

const rightsOf = (holdings: readonly Holding[]): ReadonlySet<string> =>
  new Set(
    holdings.flatMap(({ grant }) => [
      ...grant.spec.channels.map((channel) => `channel ${channel}`),
      ...grant.spec.subsystems.map((subsystem) => `subsystem ${subsystem}`),
    ]),
  );

/** The first moment at which something that is allowed now no longer is. */
const endOfRights = (holdings: readonly Holding[]): number | undefined => {
  const all = rightsOf(holdings).size;
  const ends = holdings.flatMap(({ until }) => (until === undefined ? [] : [until])).sort((a, b) => a - b);
  return ends.find((end) => {
    const left = holdings.filter(({ until }) => until === undefined || until > end);
    return left.length === 0 || rightsOf(left).size < all;
  });
};

const merge = (
  device: SnapshotDevice,
  credential: SnapshotCredential,
  holdings: readonly Holding[],
): Target => {
  const grants = holdings.map(({ grant }) => grant);
  const channels: readonly ChannelKind[] = CHANNELS.filter((channel) =>
    grants.some(({ spec }) => spec.channels.includes(channel)),
  );
  return {
    device: {
      id: device.id,
      name: device.name,
      host: device.host,
      port: device.port,
      tags: device.tags,
      os: device.os,
    },
    credential: { id: credential.id, name: credential.name, username: credential.username },
    reading: readingOfAccount(device, credential),
    grant: {
      id: grants[0]?.id ?? '',
      name: grants.map(({ spec }) => spec.name).join(', '),
      channels,
      subsystems: [...new Set(grants.flatMap(({ spec }) => spec.subsystems))].sort(byCodeUnits),
      recording: grants.some(({ spec }) => spec.recording === 'strict') ? 'strict' : 'best-effort',
      ...(grants.some(({ spec }) => spec.nonInteractive === 'end') ? { nonInteractive: 'end' as const } : {}),
      endsAt: endOfRights(holdings),
    },
  };
};

const byAccount = (a: SnapshotCredential, b: SnapshotCredential): number =>
  byCodeUnits(a.username, b.username) || byCodeUnits(a.name, b.name);

/** Everything within reach, by device, then account. `at`: milliseconds since the epoch. */
export const targetsAt = (snapshot: Snapshot, who: Who, at: number): readonly Target[] => {
  const open = grantsOf(snapshot, who).flatMap((grant): Holding[] => {
    const now = grantAt(grant, at);
    return now.kind === 'open' ? [now] : [];
  });
  if (open.length === 0) return [];
  const targets: Target[] = [];
  for (const device of snapshot.devices.values()) {
    const here = open.filter(({ grant }) => grant.matchesDevice(device));
    if (here.length === 0) continue;
    for (const credential of device.credentials.toSorted(byAccount)) {
      const holdings = here.filter(({ grant }) => coversCredential(grant, credential));
      if (holdings.length > 0) targets.push(merge(device, credential, holdings));
    }
  }
  return targets;
};

const uniqueWords = (words: readonly string[]): string => [...new Set(words)].sort(byCodeUnits).join(', ');

/** Whom to ask: what the grants say, else the whole gateway's contact. */
const contactOf = (grants: readonly SnapshotGrant[], fallback: string): string => {
  const named = [
    ...new Set(grants.flatMap(({ spec }) => (spec.contact === undefined ? [] : [spec.contact]))),
  ];
  return shown(named.length > 0 ? named.join(' or ') : fallback);
};

const earliest = (
  closed: readonly { readonly grant: SnapshotGrant; readonly from: number | undefined }[],
): string => {
  const known = closed.flatMap(({ grant, from }) => (from === undefined ? [] : [{ grant, from }]));
  const first = known.toSorted((a, b) => a.from - b.from)[0];
  if (first === undefined) return '';
  return ` It opens again at ${showInstant(first.grant.times?.[0]?.zone ?? 'UTC', first.from)}.`;
};

/** See Grants.decide in proxy/login/ports.ts. `contact`: whom to ask when no grant says. */
export const decideAt = (
  snapshot: Snapshot,
  who: Who,
  { account, device: wanted }: { readonly account: string | undefined; readonly device: string },
  at: number,
  contact: string,
): TargetDecision => {
  const asked = account === undefined ? shown(wanted, 64) : `${shown(account, 64)} on ${shown(wanted, 64)}`;
  const device = snapshot.devices.get(wanted);
  const mine =
    device === undefined ? [] : grantsOf(snapshot, who).filter((grant) => grant.matchesDevice(device));
  if (device === undefined || mine.length === 0) {
    // One text for both: a user learns nothing of devices that aren't granted.
    return {
      kind: 'denied',
      code: device === undefined ? 'unknown' : 'not-granted',
      detail:
        device === undefined
          ? `there is no device ${shown(wanted, 64)}`
          : `no grant covers ${who.name} on ${device.name}`,
      tell: `You have no access to ${asked}, or it does not exist. Ask ${contactOf([], contact)}.`,
    };
  }
  const granted = device.credentials
    .toSorted(byAccount)
    .map((credential) => ({
      credential,
      grants: mine.filter((grant) => coversCredential(grant, credential)),
    }))
    .filter(({ grants }) => grants.length > 0);
  const byName = granted.filter(({ credential }) => credential.name === account);
  const named =
    account === undefined
      ? granted
      : byName.length > 0
        ? byName
        : granted.filter(({ credential }) => credential.username === account);
  if (named.length === 0) {
    const accounts = uniqueWords(granted.map(({ credential }) => credential.username));
    return {
      kind: 'denied',
      code: 'not-granted',
      detail: `no grant covers ${who.name} as ${account === undefined ? 'anyone' : shown(account, 64)} on ${device.name}`,
      tell:
        `You have no access to ${asked}, or it does not exist.` +
        `${accounts === '' ? '' : ` There you may be: ${shown(accounts)}.`} Ask ${contactOf(mine, contact)}.`,
    };
  }
  const now = named.map(({ credential, grants }) => ({
    credential,
    grants: grants.map((grant) => grantAt(grant, at)),
  }));
  const open = now.flatMap(({ credential, grants }) => {
    const holdings = grants.flatMap((grant): Holding[] => (grant.kind === 'open' ? [grant] : []));
    return holdings.length === 0 ? [] : [{ credential, holdings }];
  });
  const [first, ...others] = open;
  if (first === undefined) {
    const closed = now.flatMap(({ grants }) =>
      grants.flatMap((grant) => (grant.kind === 'closed' ? [grant] : [])),
    );
    const allowed = uniqueWords(closed.flatMap(({ grant }) => grant.spec.times));
    return {
      kind: 'denied',
      code: 'prohibited-time',
      detail: `outside the times of ${uniqueWords(closed.map(({ grant }) => grant.spec.name))}`,
      tell:
        `You may reach ${asked} at these times only: ${shown(allowed)}.${earliest(closed)} ` +
        `Ask ${contactOf(
          closed.map(({ grant }) => grant),
          contact,
        )}.`,
    };
  }
  if (others.length > 0) {
    const usernames = open.map(({ credential }) => credential.username);
    const distinct = new Set(usernames).size === usernames.length;
    const choices = distinct ? usernames : open.map(({ credential }) => credential.name);
    return {
      kind: 'denied',
      code: 'ambiguous-account',
      detail: `${open.length} credentials fit ${account === undefined ? 'no account' : shown(account, 64)} on ${device.name}`,
      tell: `Say which account of ${shown(wanted, 64)} you mean: ${shown(uniqueWords(choices))}.`,
    };
  }
  return { kind: 'granted', target: merge(device, first.credential, first.holdings) };
};
