// Sessions by how unusual they are, with every reason in words; and who had to prove once more who they are.
import { Anchor, Badge, Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { Reasons, reasonsOf, Standing } from '../parts/standing.tsx';
import { type Column, Filters, Listed, SINCE, useFilters } from '../parts/table.tsx';
import { Moment, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Risk = Shapes['SessionRisk'];
type Reauthentication = Shapes['Reauthentication'];

const riskColumns: readonly Column<Risk>[] = [
  {
    key: 'startedAt',
    label: 'Started',
    cell: (row) => (
      <Anchor component={Link} to={`/sessions/${row.session}`}>
        <Moment at={row.startedAt} />
      </Anchor>
    ),
    value: (row) => row.startedAt,
  },
  { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
  {
    key: 'device',
    label: 'Device',
    cell: (row) => <Untrusted text={row.device} />,
    value: (row) => row.device,
  },
  { key: 'score', label: 'Points', numeric: true, cell: (row) => row.score, value: (row) => row.score },
  {
    key: 'standing',
    label: 'Standing',
    cell: (row) => <Standing risk={row} />,
    value: (row) => row.standing,
  },
  { key: 'action', label: 'What was done', cell: (row) => row.action, value: (row) => row.action },
  {
    key: 'findings',
    label: 'Why',
    cell: (row) => <Reasons risk={row} />,
    value: (row) => reasonsOf(row).join('; '),
  },
];

const riskFilters = [
  SINCE,
  { key: 'user', label: 'User' },
  { key: 'suspicious', label: 'Standing', choices: [{ value: 'true', label: 'suspicious' }] },
];

const Behaviour = () => {
  const asked = useFilters(riskFilters);
  const list = usePages(['risks', asked], (after) =>
    taken(api.GET('/api/risks', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  return (
    <Page title="Behaviour analysis">
      <Filters filters={riskFilters} />
      <Listed
        name="behaviour"
        columns={riskColumns}
        rowKey={(row) => row.session}
        list={list}
        nothing={
          <Empty title="Nothing here">
            Each session is measured against what its user usually does. How much counts is under{' '}
            <Anchor component={Link} to="/settings" underline="always">
              Settings
            </Anchor>
            .
          </Empty>
        }
      />
    </Page>
  );
};

const Waive = ({ row }: { readonly row: Reauthentication }) => {
  const queries = useQueryClient();
  const waive = useMutation({
    mutationFn: () =>
      taken(api.DELETE('/api/users/{name}/reauthentication', { params: { path: { name: row.user } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['reauthentications'] }),
  });
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Waive for ${row.user}`}
        loading={waive.isPending}
        onClick={() => waive.mutate()}
      >
        Waive
      </Button>
      {waive.isError ? <Told error={waive.error} /> : null}
    </>
  );
};

const OUTCOMES: Readonly<Record<string, string>> = { passed: 'teal', waiting: 'yellow', waived: 'gray' };

const reauthenticationFilters = [
  SINCE,
  { key: 'user', label: 'User' },
  {
    key: 'outcome',
    label: 'Outcome',
    choices: ['waiting', 'passed', 'failed', 'timed-out', 'waived'].map((value) => ({
      value,
      label: value,
    })),
  },
];

export const Reauthentications = () => {
  const may = useMay();
  const asked = useFilters(reauthenticationFilters);
  const list = usePages(
    ['reauthentications', asked],
    (after) =>
      taken(api.GET('/api/reauthentications', { params: { query: { ...asked, ...onePage(after) } } })),
    { every: 5_000 },
  );
  const columns: readonly Column<Reauthentication>[] = [
    {
      key: 'askedAt',
      label: 'Asked',
      cell: (row) => <Moment at={row.askedAt} />,
      value: (row) => row.askedAt,
    },
    {
      key: 'user',
      label: 'User',
      cell: (row) => (
        <Anchor component={Link} to={`/ratings/${encodeURIComponent(row.user)}`}>
          <Untrusted text={row.user} />
        </Anchor>
      ),
      value: (row) => row.user,
    },
    {
      key: 'because',
      label: 'Because',
      cell: (row) => <Untrusted text={row.because} />,
      value: (row) => row.because,
    },
    {
      key: 'askedBy',
      label: 'By',
      cell: (row) => <Untrusted text={row.askedBy} />,
      value: (row) => row.askedBy,
    },
    {
      key: 'outcome',
      label: 'Outcome',
      cell: (row) => (
        <Badge variant="outline" color={OUTCOMES[row.outcome] ?? 'red'}>
          {plainText(row.outcome)}
        </Badge>
      ),
      value: (row) => row.outcome,
    },
    {
      key: 'decidedAt',
      label: 'Answered',
      cell: (row) => <Moment at={row.decidedAt} />,
      value: (row) => row.decidedAt,
    },
    {
      key: 'method',
      label: 'With',
      cell: (row) => (
        <Untrusted
          text={[row.method ?? '', row.decidedIn ?? ''].filter((one) => one !== '').join(', ')}
          limit={60}
        />
      ),
      value: (row) => row.method,
    },
    ...(may('ratings.write')
      ? [
          {
            key: 'waive',
            label: 'Waive',
            cell: (row: Reauthentication) => (row.outcome === 'waiting' ? <Waive row={row} /> : null),
            value: () => null,
          },
        ]
      : []),
  ];
  return (
    <Page title="Re-authentications">
      <Filters filters={reauthenticationFilters} />
      <Listed
        name="reauthentications"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        nothing={
          <Empty title="Nobody was asked">
            Users are asked when their rating falls; when, is under{' '}
            <Anchor component={Link} to="/settings" underline="always">
              Settings
            </Anchor>
            . You can ask from a user’s rating.
          </Empty>
        }
      />
    </Page>
  );
};

export default Behaviour;
