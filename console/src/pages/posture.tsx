// How users stand over a time: everybody together as charts over its days, and everybody side by side; and one user alone,
// with what they used most. The charts' numbers stand in a table below them.
import { Anchor, Card, Group, SimpleGrid, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { Bars, Lines } from '../parts/charts.tsx';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters, Listed, useFilters, useOrder } from '../parts/table.tsx';
import { Moment, shownBytes, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown } from '../parts/told.tsx';

type Posture = Shapes['UserPosture'];
type Point = Shapes['PosturePoint'];
type Use = Shapes['Use'];
type Tally = Pick<
  Posture,
  'sessions' | 'suspiciousSessions' | 'highestRisk' | 'commands' | 'blockedCommands' | 'findings' | 'refusals'
>;

const MEBIBYTE = 1024 * 1024;

const SPAN = {
  key: 'since',
  label: 'Over',
  none: 'the last 30 days',
  choices: [
    { value: '24h', label: 'the last day' },
    { value: '7d', label: 'the last 7 days' },
    { value: '90d', label: 'the last 90 days' },
  ],
};

const hours = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: 'numeric', minute: '2-digit' });
const days = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

const DAY = 86_400_000;

/** Hours for a day, days for the rest; days begin at the viewer's midnight. */
const useSeries = (since: string | undefined, user: string | undefined) => {
  const bucket =
    since !== undefined && Date.now() - Date.parse(since) < 1.5 * DAY ? ('hour' as const) : ('day' as const);
  const offset = String(-new Date().getTimezoneOffset());
  const series = useQuery({
    queryKey: ['posture-series', since, user, bucket, offset],
    queryFn: () =>
      taken(
        api.GET('/api/posture-series', {
          params: {
            query: {
              bucket,
              offset,
              ...(since === undefined ? {} : { since }),
              ...(user === undefined ? {} : { user }),
            },
          },
        }),
      ),
    refetchInterval: 60_000,
  });
  return { series, named: (at: string) => (bucket === 'hour' ? hours : days).format(new Date(at)) };
};

const sum = (
  points: readonly Point[],
  key: 'sessions' | 'suspiciousSessions' | 'commands' | 'blockedCommands' | 'findings' | 'refusals',
): number => points.reduce((total, point) => total + point[key], 0);

const tallyOf = (points: readonly Point[]): Tally => ({
  sessions: sum(points, 'sessions'),
  suspiciousSessions: sum(points, 'suspiciousSessions'),
  highestRisk: points.reduce<number | null>(
    (highest, { highestRisk }) => (highestRisk === null ? highest : Math.max(highest ?? 0, highestRisk)),
    null,
  ),
  commands: sum(points, 'commands'),
  blockedCommands: sum(points, 'blockedCommands'),
  findings: sum(points, 'findings'),
  refusals: sum(points, 'refusals'),
});

const Figures = ({ tally }: { readonly tally: Tally }) => (
  <SimpleGrid cols={{ base: 2, sm: 4, lg: 7 }}>
    {(
      [
        ['Sessions', tally.sessions],
        ['Suspicious', tally.suspiciousSessions],
        ['Highest risk', tally.highestRisk ?? '–'],
        ['Commands', tally.commands],
        ['Stopped', tally.blockedCommands],
        ['Findings', tally.findings],
        ['Turned away', tally.refusals],
      ] as const
    ).map(([label, value]) => (
      <Card key={label} withBorder padding="sm">
        <Text size="sm" c="dimmed">
          {label}
        </Text>
        <Text fz={24} fw={700} className="figure">
          {value}
        </Text>
      </Card>
    ))}
  </SimpleGrid>
);

const Chart = ({ title, children }: { readonly title: string; readonly children: React.ReactNode }) => (
  <Card withBorder>
    <Title order={2} mb="xs">
      {title}
    </Title>
    {children}
  </Card>
);

const pointColumns = (named: (at: string) => string): readonly Column<Point>[] => {
  const number = (
    key:
      | 'sessions'
      | 'suspiciousSessions'
      | 'commands'
      | 'blockedCommands'
      | 'findings'
      | 'refusals'
      | 'credentialViews',
    label: string,
  ): Column<Point> => ({ key, label, numeric: true, cell: (row) => row[key], value: (row) => row[key] });
  return [
    { key: 'at', label: 'When', cell: (row) => named(row.at), value: (row) => row.at },
    number('sessions', 'Sessions'),
    number('suspiciousSessions', 'Suspicious'),
    {
      key: 'highestRisk',
      label: 'Highest risk',
      numeric: true,
      cell: (row) => row.highestRisk ?? '–',
      value: (row) => row.highestRisk,
    },
    number('commands', 'Commands'),
    number('blockedCommands', 'Stopped'),
    number('findings', 'Findings'),
    number('credentialViews', 'Credential views'),
    number('refusals', 'Turned away'),
    {
      key: 'bytes',
      label: 'Moved',
      numeric: true,
      cell: (row) => <span className="nowrap">{shownBytes(row.bytesFromClient + row.bytesFromDevice)}</span>,
      value: (row) => row.bytesFromClient + row.bytesFromDevice,
    },
  ];
};

/** Newest first, without the stretches in which there was nothing. */
const Numbers = ({
  name,
  points,
  named,
}: {
  readonly name: string;
  readonly points: readonly Point[];
  readonly named: (at: string) => string;
}) => {
  const rows = points
    .filter((one) => one.sessions + one.commands + one.findings + one.credentialViews + one.refusals > 0)
    .reverse();
  return rows.length === 0 ? (
    <Empty title="Nothing happened in this time">Take a longer one above.</Empty>
  ) : (
    <DataTable
      name={name}
      columns={pointColumns(named)}
      rows={rows}
      rowKey={(row) => row.at}
      orderKey="numbers"
    />
  );
};

const Charts = ({
  points,
  named,
  rated,
}: {
  readonly points: readonly Point[];
  readonly named: (at: string) => string;
  /** One user's have a rating. */
  readonly rated: boolean;
}) => {
  const bars = (
    of: (point: Point) => Readonly<Record<string, number | null>>,
  ): readonly (Readonly<Record<string, number | null>> | { readonly of: string })[] =>
    points.map((point) => ({ of: named(point.at), ...of(point) }));
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <Chart title="Sessions">
        <Bars
          label="Sessions over time, as usual and suspicious"
          data={bars((point) => ({
            'As usual': point.sessions - point.suspiciousSessions,
            Suspicious: point.suspiciousSessions,
          }))}
          series={[
            { name: 'As usual', color: 'cyan.7' },
            { name: 'Suspicious', color: 'red.7' },
          ]}
        />
      </Chart>
      <Chart title="Commands">
        <Bars
          label="Commands over time, those that ran and those that were stopped"
          data={bars((point) => ({
            Ran: point.commands - point.blockedCommands,
            Stopped: point.blockedCommands,
          }))}
          series={[
            { name: 'Ran', color: 'cyan.7' },
            { name: 'Stopped', color: 'red.7' },
          ]}
        />
      </Chart>
      {rated ? (
        <Chart title="Rating">
          <Lines
            label="The rating over time, of 10"
            data={bars((point) => ({ Rating: point.rating }))}
            top={10}
            series={[{ name: 'Rating', color: 'cyan.7' }]}
          />
        </Chart>
      ) : null}
      <Chart title="Highest risk of a session">
        <Lines
          label="The highest risk of a session over time"
          data={bars((point) => ({ Risk: point.highestRisk }))}
          series={[{ name: 'Risk', color: 'orange.6' }]}
        />
      </Chart>
      <Chart title="What needs a look">
        <Bars
          label="Findings, looks at credentials and refused connections over time"
          data={bars((point) => ({
            Findings: point.findings,
            'Credential views': point.credentialViews,
            'Turned away': point.refusals,
          }))}
          series={[
            { name: 'Findings', color: 'red.7' },
            { name: 'Credential views', color: 'grape.5' },
            { name: 'Turned away', color: 'orange.6' },
          ]}
        />
      </Chart>
      {rated ? null : (
        <Chart title="Moved, in MiB">
          <Bars
            label="Mebibytes moved over time, to devices and from them"
            counts={false}
            data={bars((point) => ({
              'To devices': Math.round((point.bytesFromClient / MEBIBYTE) * 100) / 100,
              'From devices': Math.round((point.bytesFromDevice / MEBIBYTE) * 100) / 100,
            }))}
            series={[
              { name: 'To devices', color: 'grape.5' },
              { name: 'From devices', color: 'cyan.7' },
            ]}
          />
        </Chart>
      )}
    </SimpleGrid>
  );
};

const number = (
  key:
    | 'sessions'
    | 'suspiciousSessions'
    | 'commands'
    | 'blockedCommands'
    | 'findings'
    | 'threats'
    | 'credentialViews',
  label: string,
  sort: string,
): Column<Posture> => ({
  key,
  label,
  numeric: true,
  sort,
  cell: (row) => row[key],
  value: (row) => row[key],
});

const change = (value: number): string => (value > 0 ? `+${value.toFixed(2)}` : value.toFixed(2));

const columns: readonly Column<Posture>[] = [
  {
    key: 'user',
    label: 'User',
    cell: (row) => (
      <Anchor component={Link} to={`/posture/${encodeURIComponent(row.user)}`}>
        <Untrusted text={row.user} />
      </Anchor>
    ),
    value: (row) => row.user,
  },
  {
    key: 'highestRisk',
    label: 'Highest risk',
    numeric: true,
    sort: 'risk',
    cell: (row) => row.highestRisk ?? '–',
    value: (row) => row.highestRisk,
  },
  {
    key: 'rating',
    label: 'Rating',
    numeric: true,
    sort: 'rating',
    cell: (row) => row.rating.toFixed(2),
    value: (row) => row.rating,
  },
  {
    key: 'ratingChange',
    label: 'Its change',
    numeric: true,
    sort: 'change',
    cell: (row) => change(row.ratingChange),
    value: (row) => row.ratingChange,
  },
  number('sessions', 'Sessions', 'sessions'),
  number('suspiciousSessions', 'Suspicious', 'suspicious'),
  number('commands', 'Commands', 'commands'),
  number('blockedCommands', 'Stopped', 'blocked'),
  number('findings', 'Findings', 'findings'),
  number('threats', 'Threats', 'threats'),
  number('credentialViews', 'Credential views', 'views'),
  {
    key: 'lastSession',
    label: 'Last session',
    cell: (row) => <Moment at={row.lastSession} />,
    value: (row) => row.lastSession,
  },
];

const filters = [SPAN, { key: 'q', label: 'User' }];

const Postures = () => {
  const asked = useFilters(filters);
  const order = useOrder(columns);
  const { series, named } = useSeries(asked['since'], undefined);
  const list = usePages(['posture', asked, order], (after) =>
    taken(api.GET('/api/posture', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
  );
  return (
    <Page title="User posture">
      <Filters filters={filters} />
      <Shown query={series}>
        {({ items }) => (
          <>
            <Figures tally={tallyOf(items)} />
            <Charts points={items} named={named} rated={false} />
          </>
        )}
      </Shown>
      <Title order={2}>Users side by side</Title>
      <Listed
        name="posture"
        columns={columns}
        rowKey={(row) => row.user}
        list={list}
        nothing={
          <Empty title="No users">
            Nobody is there, or nobody’s name holds what the filter says. Users are added under{' '}
            <Anchor component={Link} to="/users" underline="always">
              Users
            </Anchor>
            .
          </Empty>
        }
      />
      <Title order={2}>Over time</Title>
      <Shown query={series}>
        {({ items }) => <Numbers name="posture-over-time" points={items} named={named} />}
      </Shown>
    </Page>
  );
};

const Uses = ({ title, uses }: { readonly title: string; readonly uses: readonly Use[] }) => (
  <Card withBorder>
    <Title order={2}>{title}</Title>
    {uses.length === 0 ? (
      <Text size="sm" c="dimmed">
        None in this time.
      </Text>
    ) : (
      <Table aria-label={title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Name</Table.Th>
            <Table.Th scope="col">Sessions</Table.Th>
            <Table.Th scope="col">Last</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {uses.map((use) => (
            <Table.Tr key={use.of}>
              <Table.Td>
                <Untrusted text={use.of} limit={80} />
              </Table.Td>
              <Table.Td>
                {use.sessions}
                {use.suspiciousSessions === 0 ? '' : `, ${use.suspiciousSessions} suspicious`}
              </Table.Td>
              <Table.Td>
                <time className="nowrap" dateTime={use.last} title={use.last}>
                  {days.format(new Date(use.last))}
                </time>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    )}
  </Card>
);

/** Where more is told of one user. */
const Ways = ({ user }: { readonly user: string }) => {
  const name = encodeURIComponent(user);
  return (
    <Group gap="md">
      {(
        [
          [`/ratings/${name}`, 'Rating and its history'],
          [`/sessions?user=${name}`, 'Sessions'],
          [`/behaviour?user=${name}`, 'Behaviour'],
          [`/commands?user=${name}`, 'Commands'],
          [`/findings?user=${name}`, 'Findings'],
        ] as const
      ).map(([to, label]) => (
        <Anchor key={to} component={Link} to={to} underline="always">
          {label}
        </Anchor>
      ))}
    </Group>
  );
};

export const UserPosture = () => {
  const { name = '' } = useParams();
  const asked = useFilters([SPAN]);
  const since = asked['since'];
  const { series, named } = useSeries(since, name);
  const posture = useQuery({
    queryKey: ['posture', 'one', name, since],
    queryFn: () =>
      taken(
        api.GET('/api/users/{name}/posture', {
          params: { path: { name }, query: since === undefined ? {} : { since } },
        }),
      ),
    refetchInterval: 60_000,
  });
  return (
    <Page
      title={
        <>
          Posture of <Untrusted text={name} />
        </>
      }
    >
      <Ways user={name} />
      <Filters filters={[SPAN]} />
      <Shown query={posture}>
        {({ posture: one, devices, credentials, origins }) => (
          <>
            <Figures tally={one} />
            <Text size="sm">
              Rating {one.rating.toFixed(2)} of 10, {change(one.ratingChange)} in this time;{' '}
              {shownBytes(one.bytesFromClient)} sent to devices, {shownBytes(one.bytesFromDevice)} got from
              them.
            </Text>
            <SimpleGrid cols={{ base: 1, lg: 3 }}>
              <Uses title="Devices" uses={devices} />
              <Uses title="Credentials" uses={credentials} />
              <Uses title="Origins" uses={origins} />
            </SimpleGrid>
          </>
        )}
      </Shown>
      <Shown query={series}>
        {({ items }) => (
          <>
            <Charts points={items} named={named} rated />
            <Numbers name={`posture-of-${name}`} points={items} named={named} />
          </>
        )}
      </Shown>
    </Page>
  );
};

export default Postures;
