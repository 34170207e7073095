// Everybody's rating, the most suspicious first; and one user's: the curve, the ledger, the proof that it follows, and
// asking the user to prove who they are.
import { Anchor, Badge, Button, Card, Group, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { Lines } from '../parts/charts.tsx';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters, Listed, useFilters, useOrder } from '../parts/table.tsx';
import { Moment, shownMoment, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Rating = Shapes['Rating'];
type Entry = Shapes['RatingChange'];

const number = (
  key: 'highRiskSessions' | 'blockedCommands' | 'sessionAttempts' | 'viewAttempts',
  label: string,
): Column<Rating> => ({
  key,
  label,
  numeric: true,
  ...(key === 'highRiskSessions' || key === 'blockedCommands' ? { sort: key } : {}),
  cell: (row) => row[key],
  value: (row) => row[key],
});

const columns: readonly Column<Rating>[] = [
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
    key: 'rating',
    label: 'Rating',
    numeric: true,
    sort: 'rating',
    cell: (row) => row.rating.toFixed(2),
    value: (row) => row.rating,
  },
  {
    key: 'reference',
    label: 'At the last proof',
    numeric: true,
    cell: (row) => row.reference.toFixed(2),
    value: (row) => row.reference,
  },
  number('highRiskSessions', 'Suspicious sessions'),
  number('blockedCommands', 'Blocked commands'),
  number('sessionAttempts', 'Prohibited times'),
  number('viewAttempts', 'Prohibited views'),
  {
    key: 'lastAccess',
    label: 'Last access',
    sort: 'lastAccess',
    cell: (row) => <Moment at={row.lastAccess} />,
    value: (row) => row.lastAccess,
  },
  {
    key: 'state',
    label: 'State',
    cell: (row) =>
      row.disabled ? (
        <Badge color="red" variant="outline">
          disabled
        </Badge>
      ) : null,
    value: (row) => (row.disabled ? 'disabled' : ''),
  },
];

const ledgerColumns: readonly Column<Entry>[] = [
  { key: 'at', label: 'At', cell: (row) => <Moment at={row.at} />, value: (row) => row.at },
  { key: 'cause', label: 'Cause', cell: (row) => <Untrusted text={row.cause} />, value: (row) => row.cause },
  {
    key: 'before',
    label: 'Before',
    numeric: true,
    cell: (row) => row.before.toFixed(2),
    value: (row) => row.before,
  },
  {
    key: 'after',
    label: 'After',
    numeric: true,
    cell: (row) => row.after.toFixed(2),
    value: (row) => row.after,
  },
  {
    key: 'session',
    label: 'Evidence',
    cell: (row) =>
      row.session === null ? null : (
        <Anchor
          component={Link}
          to={`/sessions/${row.session}${row.second === null ? '' : `?at=${row.second}`}`}
        >
          session
        </Anchor>
      ),
    value: (row) => row.session,
  },
  {
    key: 'actor',
    label: 'Said by',
    cell: (row) => <Untrusted text={row.actor} />,
    value: (row) => row.actor,
  },
];

const Require = ({ user }: { readonly user: string }) => {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const require = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/users/{name}/reauthentication', {
          params: { path: { name: user } },
          body: { reason },
        }),
      ),
    onSuccess: () => {
      setReason('');
      return queries.invalidateQueries({ queryKey: ['reauthentications'] });
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        require.mutate();
      }}
    >
      <Group align="end">
        <TextInput label="Reason" value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <Button type="submit" loading={require.isPending}>
          Ask for proof of identity
        </Button>
        {require.isSuccess ? <Text role="status">Asked.</Text> : null}
      </Group>
      {require.isError ? <Told error={require.error} /> : null}
    </form>
  );
};

export const UserRating = () => {
  const { name = '' } = useParams();
  const may = useMay();
  const ledger = useQuery({
    queryKey: ['ledger', name],
    queryFn: () =>
      taken(api.GET('/api/ratings/{name}/ledger', { params: { path: { name }, query: { limit: '500' } } })),
  });
  const proof = useMutation({
    mutationFn: () => taken(api.POST('/api/ratings/{name}/recompute', { params: { path: { name } } })),
  });
  return (
    <Page
      title={
        <>
          Rating of <Untrusted text={name} />
        </>
      }
      actions={
        <Group>
          <Button variant="default" loading={proof.isPending} onClick={() => proof.mutate()}>
            Recompute
          </Button>
          {proof.data === undefined ? null : (
            <Badge variant="outline" color={proof.data.agrees ? 'teal' : 'red'} role="status">
              {proof.data.agrees ? 'follows from its history' : 'does not follow from its history'}
            </Badge>
          )}
        </Group>
      }
    >
      {proof.isError ? <Told error={proof.error} /> : null}
      {may('ratings.write') ? <Require user={name} /> : null}
      <Shown query={ledger}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing has moved this rating yet">
              Suspicious sessions, blocked commands and proofs of identity do.
            </Empty>
          ) : (
            <>
              <Card withBorder>
                <Lines
                  label="The rating over time"
                  data={[...items]
                    .reverse()
                    .map((entry) => ({ of: shownMoment(entry.at), Rating: entry.after }))}
                  top={10}
                  series={[{ name: 'Rating', color: 'cyan.7' }]}
                />
              </Card>
              <DataTable
                name={`rating-of-${name}`}
                columns={ledgerColumns}
                rows={items}
                rowKey={(row) => String(row.position)}
              />
            </>
          )
        }
      </Shown>
    </Page>
  );
};

const filters = [{ key: 'q', label: 'User' }];

const Ratings = () => {
  const asked = useFilters(filters);
  const order = useOrder(columns);
  const list = usePages(
    ['ratings', asked, order],
    (after) =>
      taken(api.GET('/api/ratings', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
    { every: 30_000 },
  );
  return (
    <Page title="Users rating">
      <Filters filters={filters} />
      <Listed
        name="ratings"
        columns={columns}
        rowKey={(row) => row.user}
        list={list}
        nothing={
          <Empty title="No users">
            Everybody has a rating from their first day on. Add users under{' '}
            <Anchor component={Link} to="/users" underline="always">
              Users
            </Anchor>
            .
          </Empty>
        }
      />
    </Page>
  );
};

export default Ratings;
