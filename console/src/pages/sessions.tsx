// All sessions, newest first, with filters in the address.
import { Anchor, Badge } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters, SINCE, sinceOf } from '../parts/table.tsx';
import { Moment, shownBytes, shownSeconds, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown } from '../parts/told.tsx';

type Session = Shapes['Session'];

const seconds = (session: Session): number =>
  ((session.endedAt === null ? Date.now() : Date.parse(session.endedAt)) - Date.parse(session.startedAt)) /
  1000;

export const SessionState = ({ session }: { readonly session: Session }) => {
  if (session.held)
    return (
      <Badge color="orange" variant="outline">
        held
      </Badge>
    );
  if (session.live)
    return (
      <Badge color="teal" variant="outline">
        live
      </Badge>
    );
  return <Untrusted text={session.endReason ?? 'ended'} />;
};

const columns: readonly Column<Session>[] = [
  {
    key: 'startedAt',
    label: 'Started',
    cell: (session) => (
      <Anchor component={Link} to={`/sessions/${session.id}`}>
        <Moment at={session.startedAt} />
      </Anchor>
    ),
    value: (session) => session.startedAt,
  },
  {
    key: 'user',
    label: 'User',
    cell: ({ user }) => <Untrusted text={user} />,
    value: ({ user }) => user,
  },
  {
    key: 'device',
    label: 'Device',
    cell: ({ device }) => <Untrusted text={device} />,
    value: ({ device }) => device,
  },
  {
    key: 'account',
    label: 'Account',
    cell: ({ account }) => <Untrusted text={account} />,
    value: ({ account }) => account,
  },
  { key: 'source', label: 'From', cell: ({ source }) => source, value: ({ source }) => source },
  {
    key: 'duration',
    label: 'Length',
    numeric: true,
    cell: (session) => shownSeconds(seconds(session)),
    value: (session) => Math.round(seconds(session)),
  },
  {
    key: 'bytes',
    label: 'Output',
    numeric: true,
    cell: ({ bytesFromDevice }) => <span className="nowrap">{shownBytes(bytesFromDevice)}</span>,
    value: ({ bytesFromDevice }) => bytesFromDevice,
  },
  {
    key: 'state',
    label: 'State',
    cell: (session) => <SessionState session={session} />,
    value: (session) => (session.live ? (session.held ? 'held' : 'live') : (session.endReason ?? 'ended')),
  },
];

const filters = [
  SINCE,
  { key: 'user', label: 'User' },
  { key: 'device', label: 'Device' },
  { key: 'credential', label: 'Credential' },
  { key: 'live', label: 'State', choices: [{ value: 'true', label: 'live' }] },
];

const Sessions = () => {
  const [search] = useSearchParams();
  const since = sinceOf(search.get('since'));
  const pick = (key: string): string | undefined => search.get(key) ?? undefined;
  const [user, device, credential] = [pick('user'), pick('device'), pick('credential')];
  const live = search.get('live') === 'true';
  const list = usePages(
    ['sessions', since, user, device, credential, live],
    (after) =>
      taken(
        api.GET('/api/sessions', {
          params: {
            query: {
              limit: '100',
              ...(after === undefined ? {} : { after }),
              ...(since === undefined ? {} : { since }),
              ...(user === undefined ? {} : { user }),
              ...(device === undefined ? {} : { device }),
              ...(credential === undefined ? {} : { credential }),
              ...(live ? { live: 'true' as const } : {}),
            },
          },
        }),
      ),
    { every: 10_000 },
  );
  return (
    <Page title="Sessions">
      <Filters filters={filters} />
      <Shown query={list}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No sessions">
              Nobody has connected{search.size > 0 ? ' in what the filters leave' : ' yet'}. Users, devices
              and{' '}
              <Anchor component={Link} to="/grants" underline="always">
                grants
              </Anchor>{' '}
              say who may.
            </Empty>
          ) : (
            <DataTable
              name="sessions"
              columns={columns}
              rows={rows}
              rowKey={({ id }) => id}
              more={list.more}
            />
          )
        }
      </Shown>
    </Page>
  );
};

export default Sessions;
