// All sessions, newest first, with filters in the address.
import { Anchor, Badge } from '@mantine/core';
import { Link } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters, useOrder } from '../parts/table.tsx';
import { inWords, Moment, shownBytes, shownSeconds, Untrusted } from '../parts/text.tsx';
import { Empty, Page } from '../parts/told.tsx';

type Session = Shapes['Session'];

const seconds = (session: Session): number =>
  ((session.endedAt === null ? Date.now() : Date.parse(session.endedAt)) - Date.parse(session.startedAt)) /
  1000;

const ENDS: Readonly<Record<string, string>> = {
  'client-closed': 'left by the user',
  'device-closed': 'ended by the device',
};

const shownEnd = (reason: string | null): string =>
  reason === null ? 'ended' : (ENDS[reason] ?? inWords(reason));

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
  return shownEnd(session.endReason);
};

const columns: readonly Column<Session>[] = [
  {
    key: 'startedAt',
    label: 'Started',
    sort: 'started',
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
    sort: 'duration',
    numeric: true,
    cell: (session) => shownSeconds(seconds(session)),
    value: (session) => Math.round(seconds(session)),
  },
  {
    key: 'risk',
    label: 'Risk',
    numeric: true,
    sort: 'risk',
    cell: (session) =>
      session.suspicious ? (
        <Badge color="red" variant="outline" title="suspicious">
          {session.risk}
        </Badge>
      ) : (
        (session.risk ?? '–')
      ),
    value: ({ risk }) => risk,
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
    value: (session) => (session.live ? (session.held ? 'held' : 'live') : shownEnd(session.endReason)),
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
  const asked = useFilters(filters);
  const order = useOrder(columns);
  const list = usePages(
    ['sessions', asked, order],
    (after) =>
      taken(api.GET('/api/sessions', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
    { every: 10_000 },
  );
  return (
    <Page title="Sessions">
      <Filters filters={filters} />
      <Listed
        name="sessions"
        columns={columns}
        rowKey={({ id }) => id}
        list={list}
        nothing={
          <Empty title="No sessions">
            Nobody has connected{Object.keys(asked).length > 0 ? ' in what the filters leave' : ' yet'}.
            Users, devices and{' '}
            <Anchor component={Link} to="/grants" underline="always">
              grants
            </Anchor>{' '}
            say who may.
          </Empty>
        }
      />
    </Page>
  );
};

export default Sessions;
