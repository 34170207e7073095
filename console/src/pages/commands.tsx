// Audited commands: one by one, or counted by command, device, credential, user and session.
import { Anchor, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters, Listed, SINCE, useFilters, useOrder } from '../parts/table.tsx';
import { CommandText, Criticality, Moment, Outcome, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown } from '../parts/told.tsx';

type Command = Shapes['AuditedCommand'];
type Count = Shapes['CommandCount'];

const columns: readonly Column<Command>[] = [
  {
    key: 'at',
    label: 'At',
    sort: 'at',
    cell: (row) => (
      <Anchor component={Link} to={`/sessions/${row.session}?at=${row.second}`}>
        <Moment at={row.at} />
      </Anchor>
    ),
    value: (row) => row.at,
  },
  { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
  {
    key: 'device',
    label: 'Device',
    cell: (row) => <Untrusted text={`${row.account}@${row.device}`} />,
    value: (row) => row.device,
  },
  {
    key: 'command',
    label: 'Command',
    cell: (row) => <CommandText text={row.command} hidden={row.hidden} />,
    value: (row) => row.command,
  },
  {
    key: 'outcome',
    label: 'Outcome',
    cell: (row) => <Outcome outcome={row.outcome} />,
    value: (row) => row.outcome,
  },
  {
    key: 'rule',
    label: 'Rule',
    cell: (row) => <Untrusted text={row.rules.map(({ rule }) => rule).join(', ')} />,
    value: (row) => row.rules.map(({ rule }) => rule).join(' '),
  },
  {
    key: 'criticality',
    label: 'Criticality',
    cell: (row) => <Criticality level={row.criticality} />,
    value: (row) => row.criticality,
  },
  { key: 'points', label: 'Points', numeric: true, cell: (row) => row.points, value: (row) => row.points },
  { key: 'how', label: 'Read', cell: (row) => row.how, value: (row) => row.how },
];

const VIEWS = [
  { value: 'log', label: 'Log' },
  { value: 'command', label: 'By command' },
  { value: 'device', label: 'By device' },
  { value: 'credential', label: 'By credential' },
  { value: 'user', label: 'By user' },
  { value: 'session', label: 'Sessions with occurrences' },
] as const;

type By = 'command' | 'device' | 'credential' | 'user' | 'session';

const byOf = (view: string): By | undefined =>
  (['command', 'device', 'credential', 'user', 'session'] as const).find((by) => by === view);

/** The filter of the log that a row of counts stands for. */
const FILTER_OF: Readonly<Record<By, string>> = {
  command: 'word',
  device: 'device',
  credential: 'credential',
  user: 'user',
  session: 'session',
};

const countColumns = (by: By, search: URLSearchParams): readonly Column<Count>[] => {
  const logOf = (of: string): string => {
    const next = new URLSearchParams(search);
    next.delete('view');
    next.delete('sort');
    next.set(FILTER_OF[by], of);
    return `/commands?${next}`;
  };
  const number = (
    key: 'commands' | 'audited' | 'stopped' | 'refused' | 'points' | 'sessions' | 'users',
    label: string,
  ): Column<Count> => ({
    key,
    label,
    numeric: true,
    cell: (row) => row[key],
    value: (row) => row[key],
  });
  return [
    {
      key: 'of',
      label: VIEWS.find(({ value }) => value === by)?.label.replace(/^By /, '') ?? by,
      cell: (row) => (
        <Anchor component={Link} to={by === 'session' ? `/sessions/${row.of}` : logOf(row.of)}>
          {row.of === '' ? '(no text)' : <Untrusted text={row.of} limit={80} />}
        </Anchor>
      ),
      value: (row) => row.of,
    },
    number('commands', 'Commands'),
    number('audited', 'Met a rule'),
    number('stopped', 'Stopped'),
    number('refused', 'Refused'),
    number('points', 'Points'),
    number('sessions', 'Sessions'),
    number('users', 'Users'),
    { key: 'last', label: 'Last', cell: (row) => <Moment at={row.last} />, value: (row) => row.last },
  ];
};

const filters = [
  SINCE,
  { key: 'user', label: 'User' },
  { key: 'device', label: 'Device' },
  { key: 'credential', label: 'Credential' },
  { key: 'word', label: 'Command' },
  {
    key: 'outcome',
    label: 'Outcome',
    choices: ['ran', 'blocked', 'interrupted', 'refused', 'declined', 'asked', 'cancelled', 'alarm'].map(
      (value) => ({ value, label: value }),
    ),
  },
  { key: 'audited', label: 'Rules', choices: [{ value: 'true', label: 'met a rule' }] },
];

/** Sessions have no field to be typed into: rows of other pages lead here with one. */
const all = [...filters, { key: 'session', label: 'Session' }];

const nothing = (
  <Empty title="No commands">
    Every command that somebody submits through the gateway is logged here before it runs, whether or not a
    rule meets it.
  </Empty>
);

const Log = () => {
  const asked = useFilters(all);
  const { order } = useOrder(columns);
  const wanted = order === 'asc' ? ('oldest-first' as const) : ('newest-first' as const);
  const list = usePages(
    ['commands', asked, wanted],
    (after) =>
      taken(api.GET('/api/commands', { params: { query: { ...asked, order: wanted, ...onePage(after) } } })),
    { every: 10_000 },
  );
  return <Listed name="commands" columns={columns} rowKey={({ id }) => id} list={list} nothing={nothing} />;
};

const Counts = ({ by, search }: { readonly by: By; readonly search: URLSearchParams }) => {
  const { audited: _, ...query } = useFilters(all);
  const counts = useQuery({
    queryKey: ['counts', by, query],
    queryFn: () =>
      taken(
        api.GET('/api/command-counts/{by}', { params: { path: { by }, query: { ...query, limit: '500' } } }),
      ),
    refetchInterval: 15_000,
  });
  return (
    <Shown query={counts}>
      {({ items }) =>
        items.length === 0 ? (
          nothing
        ) : (
          <DataTable
            name={`commands-by-${by}`}
            columns={countColumns(by, search)}
            rows={items}
            rowKey={({ of }) => of}
          />
        )
      }
    </Shown>
  );
};

const Commands = () => {
  const [search, setSearch] = useSearchParams();
  const view = search.get('view') ?? 'log';
  const by = byOf(view);
  return (
    <Page title="Audited commands">
      <SegmentedControl
        aria-label="View"
        value={view}
        onChange={(value) =>
          setSearch((now) => {
            const next = new URLSearchParams(now);
            next.delete('sort');
            if (value === 'log') next.delete('view');
            else next.set('view', value);
            return next;
          })
        }
        data={[...VIEWS]}
      />
      <Filters filters={filters} />
      {by === undefined ? <Log /> : <Counts by={by} search={search} />}
    </Page>
  );
};

export default Commands;
