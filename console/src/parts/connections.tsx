// Who reached what from where with what, as a graph in four columns, from origins over the user and credentials to devices;
// and the same as a table. Each box is a button: it shows what leads to it and away from it, and leaves only that in the
// table.
import { Anchor, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Shapes } from '../api/client.ts';
import { type Column, DataTable } from './table.tsx';
import { counted, Moment, plainText, Untrusted } from './text.tsx';

type Graph = Shapes['ConnectionGraph'];
type Node = Graph['nodes'][number];
type Edge = Graph['edges'][number];

const COLUMNS = ['origin', 'user', 'credential', 'device'] as const;
const TITLES = { origin: 'Origins', user: 'User', credential: 'Credentials', device: 'Devices' } as const;

/** Boxes in a column; the others are in the table only. */
const MOST_IN_COLUMN = 14;
const ROW = 46;
const BOX = 36;

interface Placed extends Node {
  readonly column: number;
  readonly row: number;
}

/** What needs a look first: suspicious, then new, then used most. */
const byUrgency = (a: Node, b: Node): number =>
  b.suspiciousSessions - a.suspiciousSessions ||
  Number(b.fresh) - Number(a.fresh) ||
  b.sessions - a.sessions ||
  a.name.localeCompare(b.name);

const placed = (nodes: readonly Node[]): readonly Placed[] =>
  COLUMNS.flatMap((kind, column) =>
    nodes
      .filter((node) => node.kind === kind)
      .sort(byUrgency)
      .slice(0, MOST_IN_COLUMN)
      .map((node, row) => ({ ...node, column, row })),
  );

const KINDS: Readonly<Record<Edge['kind'], string>> = {
  session: 'session',
  refused: 'turned away',
  view: 'look at the credential',
};

const isBad = (edge: Edge): boolean => edge.suspicious > 0 || edge.kind === 'refused';

/** Within a drawing that is 1000 wide. */
const [LEFT, WIDTH, STEP] = [15, 220, 250];
const middle = ({ row }: Placed): number => row * ROW + BOX / 2;

const Line = ({
  edge,
  from,
  to,
  faint,
}: {
  readonly edge: Edge;
  readonly from: Placed;
  readonly to: Placed;
  readonly faint: boolean;
}) => {
  const [x1, x2] = [from.column * STEP + LEFT + WIDTH, to.column * STEP + LEFT];
  const [y1, y2] = [middle(from), middle(to)];
  const bend = (x1 + x2) / 2;
  return (
    <path
      d={`M ${x1} ${y1} C ${bend} ${y1}, ${bend} ${y2}, ${x2} ${y2}`}
      fill="none"
      stroke={isBad(edge) ? 'var(--mantine-color-red-6)' : 'var(--mantine-color-cyan-7)'}
      strokeWidth={Math.min(8, 1.5 + Math.log2(edge.count))}
      strokeDasharray={edge.kind === 'session' ? undefined : '5 4'}
      vectorEffect="non-scaling-stroke"
      opacity={faint ? 0.15 : 0.8}
    />
  );
};

/** Where sessions with it are listed; origins can't be asked for. */
const sessionsWith = (user: string, node: Node): string | undefined =>
  node.kind === 'device' || node.kind === 'credential'
    ? `/sessions?${new URLSearchParams({ user, [node.kind]: node.name })}`
    : undefined;

const edgeColumns: readonly Column<Edge>[] = [
  { key: 'from', label: 'From', cell: (row) => <End id={row.from} />, value: (row) => row.from },
  { key: 'to', label: 'To', cell: (row) => <End id={row.to} />, value: (row) => row.to },
  { key: 'kind', label: 'How', cell: (row) => KINDS[row.kind], value: (row) => KINDS[row.kind] },
  { key: 'count', label: 'Times', numeric: true, cell: (row) => row.count, value: (row) => row.count },
  {
    key: 'suspicious',
    label: 'Suspicious',
    numeric: true,
    cell: (row) => row.suspicious,
    value: (row) => row.suspicious,
  },
  { key: 'first', label: 'First', cell: (row) => <Moment at={row.first} />, value: (row) => row.first },
  { key: 'last', label: 'Last', cell: (row) => <Moment at={row.last} />, value: (row) => row.last },
];

/** `kind:name` */
const End = ({ id }: { readonly id: string }) => {
  const colon = id.indexOf(':');
  return <Untrusted text={`${id.slice(0, colon)} ${id.slice(colon + 1)}`} limit={100} />;
};

const Box = ({
  node,
  chosen,
  choose,
}: {
  readonly node: Placed;
  readonly chosen: boolean;
  readonly choose: () => void;
}) => (
  <button
    type="button"
    className="graph-box"
    data-suspicious={node.suspiciousSessions > 0}
    aria-pressed={chosen}
    style={{
      left: `${(node.column * STEP + LEFT) / 10}%`,
      width: `${WIDTH / 10}%`,
      top: node.row * ROW,
      height: BOX,
    }}
    title={`${plainText(node.name, 200)}: ${counted(node.sessions, 'session')}, ${node.suspiciousSessions} suspicious${node.fresh ? ', new for this user' : ''}`}
    onClick={choose}
  >
    <span className="graph-name">
      <bdi>{plainText(node.name, 60)}</bdi>
    </span>
    {node.fresh ? <span className="graph-new">new</span> : null}
    <span className="graph-count">{node.sessions}</span>
  </button>
);

export const Connections = ({ graph, user }: { readonly graph: Graph; readonly user: string }) => {
  const [chosen, setChosen] = useState<string>();
  const boxes = placed(graph.nodes);
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const height = Math.max(1, ...boxes.map(({ row }) => row + 1)) * ROW;
  const touches = (edge: Edge): boolean => chosen === undefined || edge.from === chosen || edge.to === chosen;
  const node = graph.nodes.find(({ id }) => id === chosen);
  const sessions = node === undefined ? undefined : sessionsWith(user, node);
  const hidden = graph.nodes.length - boxes.length;
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        From <Moment at={graph.since} /> to <Moment at={graph.until} />. Red: suspicious or turned away;
        broken lines: no session came of it; numbers: sessions.
        {graph.cut ? ' There was more: the newest is shown.' : ''}
        {hidden > 0 ? ` ${hidden} more stand in the table only.` : ''}
      </Text>
      <div className="graph-columns">
        {COLUMNS.map((kind) => (
          <Text key={kind} size="xs" fw={600} c="dimmed" px="sm">
            {TITLES[kind]}
          </Text>
        ))}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form */}
      <div className="graph" role="group" aria-label="Connections" style={{ height }}>
        <svg viewBox={`0 0 1000 ${height}`} preserveAspectRatio="none" aria-hidden="true">
          {graph.edges.map((edge) => {
            const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
            return from === undefined || to === undefined ? null : (
              <Line
                key={`${edge.kind} ${edge.from} ${edge.to}`}
                edge={edge}
                from={from}
                to={to}
                faint={!touches(edge)}
              />
            );
          })}
        </svg>
        {boxes.map((box) => (
          <Box
            key={box.id}
            node={box}
            chosen={box.id === chosen}
            choose={() => setChosen((now) => (now === box.id ? undefined : box.id))}
          />
        ))}
      </div>
      {node === undefined ? null : (
        <Group gap="sm" role="status">
          <Text size="sm">
            <Untrusted text={`${node.kind} ${node.name}`} />: {counted(node.sessions, 'session')},{' '}
            {node.suspiciousSessions} suspicious
            {node.fresh ? '; this user had not used it in the 90 days before' : ''}
          </Text>
          {sessions === undefined ? null : (
            <Anchor component={Link} to={sessions} fz="sm" underline="always">
              Its sessions
            </Anchor>
          )}
        </Group>
      )}
      <DataTable
        name="connections"
        columns={edgeColumns}
        rows={graph.edges.filter(touches)}
        rowKey={(edge) => `${edge.kind} ${edge.from} ${edge.to}`}
      />
    </Stack>
  );
};
