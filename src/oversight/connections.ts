// Who reached what from where with what: users, origins, credentials and devices as the nodes of a graph, and how often each
// was used together as its edges. Around one threat or finding, out of the register of sessions and the event log.
import { shown } from '../directory/shown-text.ts';
import type { Store } from '../store/store.ts';

export const NODE_KINDS = ['user', 'origin', 'credential', 'device'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

export const EDGE_KINDS = ['session', 'refused', 'view'] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

export interface GraphNode {
  /** `kind:name` */
  readonly id: string;
  readonly kind: NodeKind;
  readonly name: string;
  /** Sessions in which it took part. */
  readonly sessions: number;
  readonly suspiciousSessions: number;
  /** It had not been used by this user in the time before. */
  readonly fresh: boolean;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  readonly count: number;
  /** Of the sessions. */
  readonly suspicious: number;
  readonly first: number;
  readonly last: number;
}

export interface ConnectionGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** There was more than a graph can show: the newest are in it. */
  readonly cut: boolean;
}

export interface GraphOf {
  readonly user: { readonly id: string; readonly name: string };
  readonly since: number;
  readonly until: number;
  /** How far back it is looked whether something is new. Milliseconds. */
  readonly before: number;
}

const MOST_SESSIONS = 5_000;
const MOST_OTHERS = 1_000;
const LONGEST_NAME = 256;

interface Building {
  readonly kind: NodeKind;
  readonly name: string;
  sessions: number;
  suspicious: number;
}

interface Meeting {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  count: number;
  suspicious: number;
  first: number;
  last: number;
}

class GraphBuilder {
  readonly #nodes = new Map<string, Building>();
  readonly #edges = new Map<string, Meeting>();

  node(kind: NodeKind, name: string): Building & { readonly id: string } {
    const text = shown(name, LONGEST_NAME);
    const id = `${kind}:${text}`;
    const found = this.#nodes.get(id) ?? { kind, name: text, sessions: 0, suspicious: 0 };
    this.#nodes.set(id, found);
    return Object.assign(found, { id });
  }

  edge(kind: EdgeKind, from: string, to: string, at: number, suspicious = false): void {
    const key = JSON.stringify([kind, from, to]);
    const found = this.#edges.get(key) ?? { from, to, kind, count: 0, suspicious: 0, first: at, last: at };
    found.count += 1;
    if (suspicious) found.suspicious += 1;
    found.first = Math.min(found.first, at);
    found.last = Math.max(found.last, at);
    this.#edges.set(key, found);
  }

  built(known: ReadonlySet<string>, cut: boolean): ConnectionGraph {
    return {
      nodes: [...this.#nodes].map(([id, node]) => ({
        id,
        kind: node.kind,
        name: node.name,
        sessions: node.sessions,
        suspiciousSessions: node.suspicious,
        fresh: node.kind !== 'user' && !known.has(id),
      })),
      edges: [...this.#edges.values()],
      cut,
    };
  }
}

/** What the user had used before, as ids of nodes. */
const knownBefore = async (store: Store, of: GraphOf): Promise<ReadonlySet<string>> => {
  const usedBefore = async (
    kind: NodeKind,
    column: 'source_address' | 'credential_name' | 'device_name',
  ): Promise<readonly string[]> => {
    const rows = await store.db
      .selectFrom('sessions')
      .select(column)
      .distinct()
      .where('user_name', '=', of.user.name)
      .where('started_at', '>=', of.since - of.before)
      .where('started_at', '<', of.since)
      .limit(MOST_SESSIONS)
      .execute();
    return rows.map((row) => `${kind}:${shown(row[column], LONGEST_NAME)}`);
  };
  const lists = await Promise.all([
    usedBefore('origin', 'source_address'),
    usedBefore('credential', 'credential_name'),
    usedBefore('device', 'device_name'),
  ]);
  return new Set(lists.flat());
};

export const connectionsOf = async (store: Store, of: GraphOf): Promise<ConnectionGraph> => {
  const { user, since, until } = of;
  const [sessions, refusals, views, known] = await Promise.all([
    store.db
      .selectFrom('sessions')
      .leftJoin('session_risks', 'session_risks.session_id', 'sessions.id')
      .select([
        'sessions.source_address',
        'sessions.credential_name',
        'sessions.device_name',
        'sessions.started_at',
        'session_risks.suspicious_at',
      ])
      .where('sessions.user_name', '=', user.name)
      .where('sessions.started_at', '>=', since)
      .where('sessions.started_at', '<=', until)
      .orderBy('sessions.started_at', 'desc')
      .limit(MOST_SESSIONS + 1)
      .execute(),
    store.db
      .selectFrom('refusals')
      .select(['source_address', 'at'])
      .where('user_name', '=', user.name)
      .where('at', '>=', since)
      .where('at', '<=', until)
      .orderBy('at', 'desc')
      .limit(MOST_OTHERS + 1)
      .execute(),
    store.db
      .selectFrom('credential_views')
      .select(['source_address', 'credential_name', 'device_name', 'outcome', 'suspicious', 'at'])
      .where('user_id', '=', user.id)
      .where('at', '>=', since)
      .where('at', '<=', until)
      .orderBy('at', 'desc')
      .limit(MOST_OTHERS + 1)
      .execute(),
    knownBefore(store, of),
  ]);
  const builder = new GraphBuilder();
  const person = builder.node('user', user.name);
  for (const row of sessions.slice(0, MOST_SESSIONS)) {
    const suspicious = row.suspicious_at !== null;
    const way = [
      person,
      builder.node('origin', row.source_address),
      builder.node('credential', row.credential_name),
      builder.node('device', row.device_name),
    ];
    for (const node of way) {
      node.sessions += 1;
      if (suspicious) node.suspicious += 1;
    }
    const [, origin, credential, device] = way;
    if (origin === undefined || credential === undefined || device === undefined) continue;
    builder.edge('session', origin.id, person.id, row.started_at, suspicious);
    builder.edge('session', person.id, credential.id, row.started_at, suspicious);
    builder.edge('session', credential.id, device.id, row.started_at, suspicious);
  }
  for (const row of refusals.slice(0, MOST_OTHERS))
    builder.edge('refused', builder.node('origin', row.source_address).id, person.id, row.at);
  for (const row of views.slice(0, MOST_OTHERS)) {
    const credential = builder.node('credential', row.credential_name);
    const kind = row.outcome === 'shown' ? 'view' : 'refused';
    builder.edge(kind, person.id, credential.id, row.at, row.suspicious === 1);
  }
  const cut = sessions.length > MOST_SESSIONS || refusals.length > MOST_OTHERS || views.length > MOST_OTHERS;
  return builder.built(known, cut);
};
