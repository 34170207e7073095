// What a session moved: files with their sizes and hashes, forwarded connections, and what was done to files without moving
// any content. What moved no bytes is told too: that somebody tried is worth knowing.
import { Anchor, Badge, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { type Column, DataTable } from '../parts/table.tsx';
import { CommandText, Outcome, plainText, shownBytes, shownSeconds, Untrusted } from '../parts/text.tsx';
import { Empty, Shown } from '../parts/told.tsx';

type Transfers = Shapes['Transfers'];
type File = Transfers['files'][number];
type Forward = Transfers['forwards'][number];
type Operation = Transfers['operations'][number];

const SecondCell = ({ second }: { readonly second: number }) => {
  const [, setSearch] = useSearchParams();
  return (
    <Anchor component="button" type="button" onClick={() => setSearch({ at: String(second) })}>
      {shownSeconds(second, true)}
    </Anchor>
  );
};

const second = <T extends { readonly second: number }>(): Column<T> => ({
  key: 'second',
  label: 'At',
  cell: (row) => <SecondCell second={row.second} />,
  value: (row) => row.second,
});

const outcome = <T extends { readonly outcome: string }>(): Column<T> => ({
  key: 'outcome',
  label: 'Outcome',
  cell: (row) => <Outcome outcome={row.outcome} />,
  value: (row) => row.outcome,
});

const bytes = <T,>(key: string, label: string, of: (row: T) => number): Column<T> => ({
  key,
  label,
  numeric: true,
  cell: (row) => <span className="nowrap">{shownBytes(of(row))}</span>,
  value: of,
});

const fileColumns: readonly Column<File>[] = [
  second(),
  {
    key: 'direction',
    label: 'Way',
    cell: (row) => (row.direction === 'up' ? '↑ to the device' : '↓ from the device'),
    value: (row) => row.direction,
  },
  { key: 'path', label: 'File', cell: (row) => <CommandText text={row.path} />, value: (row) => row.path },
  bytes('bytes', 'Size', (row) => row.bytes),
  {
    key: 'sha256',
    label: 'SHA-256',
    cell: (row) =>
      row.sha256 === null ? (
        <Badge variant="outline" color="orange">
          {plainText(row.partial || 'not whole')}
        </Badge>
      ) : (
        <code className="command">{row.sha256}</code>
      ),
    value: (row) => row.sha256 ?? row.partial,
  },
  { key: 'by', label: 'By', cell: (row) => plainText(row.channelKind), value: (row) => row.channelKind },
];

const forwardColumns: readonly Column<Forward>[] = [
  second(),
  { key: 'word', label: 'Kind', cell: (row) => plainText(row.word), value: (row) => row.word },
  {
    key: 'address',
    label: 'Where to',
    cell: (row) => <Untrusted text={row.address} limit={120} />,
    value: (row) => row.address,
  },
  bytes('to', 'To the device', (row) => row.bytesToDevice),
  bytes('from', 'From the device', (row) => row.bytesFromDevice),
  {
    key: 'seconds',
    label: 'Open for',
    numeric: true,
    cell: (row) => (row.seconds === null ? '–' : shownSeconds(row.seconds, true)),
    value: (row) => row.seconds,
  },
  outcome(),
];

const operationColumns: readonly Column<Operation>[] = [
  second(),
  { key: 'text', label: 'What', cell: (row) => <CommandText text={row.text} />, value: (row) => row.text },
  outcome(),
  {
    key: 'detail',
    label: 'More',
    cell: (row) => <Untrusted text={row.detail} limit={200} />,
    value: (row) => row.detail,
  },
  { key: 'by', label: 'By', cell: (row) => plainText(row.channelKind), value: (row) => row.channelKind },
];

const Part = <T extends { readonly command: string }>({
  title,
  name,
  columns,
  rows,
}: {
  readonly title: string;
  readonly name: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
}) =>
  rows.length === 0 ? null : (
    <div>
      <Title order={2}>{title}</Title>
      <DataTable
        name={name}
        columns={columns}
        rows={rows}
        rowKey={(row) => `${row.command} ${rows.indexOf(row)}`}
      />
    </div>
  );

const SessionTransfers = ({ session, live }: { readonly session: string; readonly live: boolean }) => {
  const transfers = useQuery({
    queryKey: ['transfers', session],
    queryFn: () => taken(api.GET('/api/sessions/{id}/transfers', { params: { path: { id: session } } })),
    refetchInterval: live ? 5_000 : false,
  });
  return (
    <Shown query={transfers}>
      {({ files, forwards, operations, cut }) =>
        files.length + forwards.length + operations.length === 0 ? (
          <Empty title="Nothing was moved">
            Files by sftp and scp, and forwarded connections, stand here with their sizes.
          </Empty>
        ) : (
          <Stack>
            {cut ? (
              <Text size="sm" c="dimmed">
                There was more: the oldest are shown. All of it is under Commands.
              </Text>
            ) : null}
            <Part title="Files" name={`files-${session}`} columns={fileColumns} rows={files} />
            <Part title="Forwards" name={`forwards-${session}`} columns={forwardColumns} rows={forwards} />
            <Part
              title="Other operations on files"
              name={`operations-${session}`}
              columns={operationColumns}
              rows={operations}
            />
          </Stack>
        )
      }
    </Shown>
  );
};

export default SessionTransfers;
