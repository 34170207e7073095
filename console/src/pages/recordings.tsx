// Recordings, and a search of commands and screens over all of them. Each search is in the trail.
import { Anchor, Badge, Button, Group, Table, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters } from '../parts/table.tsx';
import { CommandText, Moment, shownBytes, shownSeconds, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown } from '../parts/told.tsx';

type Recording = Shapes['Recording'];

const STATE_COLOURS: Readonly<Record<Recording['state'], string>> = {
  running: 'teal',
  complete: 'gray',
  open: 'orange',
  interrupted: 'orange',
  unreadable: 'red',
};

const columns: readonly Column<Recording>[] = [
  {
    key: 'startedAt',
    label: 'Started',
    cell: (row) => (
      <Anchor component={Link} to={`/sessions/${row.id}`}>
        <Moment at={row.startedAt} />
      </Anchor>
    ),
    value: (row) => row.startedAt,
  },
  { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
  {
    key: 'device',
    label: 'Device',
    cell: (row) => <Untrusted text={`${row.account}@${row.device}`} />,
    value: (row) => row.device,
  },
  {
    key: 'duration',
    label: 'Length',
    numeric: true,
    cell: (row) => (row.duration === null ? '–' : shownSeconds(row.duration)),
    value: (row) => row.duration,
  },
  {
    key: 'bytes',
    label: 'Size',
    numeric: true,
    cell: (row) => <span className="nowrap">{shownBytes(row.bytes)}</span>,
    value: (row) => row.bytes,
  },
  {
    key: 'state',
    label: 'State',
    cell: (row) => (
      <Badge variant="outline" color={STATE_COLOURS[row.state]}>
        {row.state}
      </Badge>
    ),
    value: (row) => row.state,
  },
];

const filters = [SINCE, { key: 'user', label: 'User' }, { key: 'device', label: 'Device' }];

const Hits = ({ q }: { readonly q: string }) => {
  const hits = useQuery({
    queryKey: ['recording-search', q],
    queryFn: () => taken(api.GET('/api/recording-search', { params: { query: { q, limit: '200' } } })),
    staleTime: 60_000,
  });
  return (
    <Shown query={hits}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="Nothing found">Sessions that still go on are searched once they have ended.</Empty>
        ) : (
          <Table aria-label="Found">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Started</Table.Th>
                <Table.Th scope="col">User</Table.Th>
                <Table.Th scope="col">Device</Table.Th>
                <Table.Th scope="col">At</Table.Th>
                <Table.Th scope="col">Text</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((hit) => (
                <Table.Tr key={`${hit.session} ${hit.second} ${hit.kind} ${hit.text}`}>
                  <Table.Td>
                    <Moment at={hit.startedAt} />
                  </Table.Td>
                  <Table.Td>
                    <Untrusted text={hit.user} />
                  </Table.Td>
                  <Table.Td>
                    <Untrusted text={hit.device} />
                  </Table.Td>
                  <Table.Td>
                    <Anchor component={Link} to={`/sessions/${hit.session}?at=${hit.second}`}>
                      {shownSeconds(hit.second)}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <CommandText text={hit.text} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )
      }
    </Shown>
  );
};

const Recordings = () => {
  const [search, setSearch] = useSearchParams();
  const q = search.get('q') ?? '';
  const [typed, setTyped] = useState(q);
  const asked = useFilters(filters);
  const list = usePages(['recordings', asked], (after) =>
    taken(api.GET('/api/recordings', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  return (
    <Page title="Recordings">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setSearch((now) => {
            const next = new URLSearchParams(now);
            if (typed === '') next.delete('q');
            else next.set('q', typed);
            return next;
          });
        }}
      >
        <Group align="end">
          <TextInput
            label="Commands and screens of all recordings"
            w={360}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button type="submit">Search</Button>
        </Group>
      </form>
      {q === '' ? (
        <>
          <Filters filters={filters} />
          <Listed
            name="recordings"
            columns={columns}
            rowKey={({ id }) => id}
            list={list}
            nothing={<Empty title="No recordings">Each session is recorded from its first moment on.</Empty>}
          />
        </>
      ) : (
        <Hits q={q} />
      )}
    </Page>
  );
};

export default Recordings;
