// One session: who and where, the live terminal with hold, release and end, the recording with its proof, and its commands.
import {
  Anchor,
  Badge,
  Button,
  Card,
  Group,
  Menu,
  Modal,
  SimpleGrid,
  Stack,
  Tabs,
  Text,
  TextInput,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { Fact } from '../parts/fact.tsx';
import { usePages } from '../parts/pages.ts';
import { Reasons, Standing } from '../parts/standing.tsx';
import { type Column, DataTable, useOpened } from '../parts/table.tsx';
import {
  CommandText,
  inWords,
  Moment,
  Outcome,
  shownBytes,
  shownSeconds,
  Untrusted,
} from '../parts/text.tsx';
import { Empty, Page, Shown, Told, Waiting } from '../parts/told.tsx';
import { useMay } from '../who.ts';
import { SessionState } from './sessions.tsx';

const Player = lazy(() => import('../player/player.tsx'));
const SessionTransfers = lazy(() => import('./session-transfers.tsx'));
const RiskCurve = lazy(() => import('./session-risk.tsx'));
const Live = lazy(() => import('../player/live.tsx'));

type Session = Shapes['Session'];
type Command = Shapes['AuditedCommand'];

const Facts = ({ session }: { readonly session: Session }) => (
  <Card withBorder>
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }}>
      <Fact label="State">
        <SessionState session={session} />
      </Fact>
      <Fact label="Started">
        <Moment at={session.startedAt} />
      </Fact>
      <Fact label="Ended">
        <Moment at={session.endedAt} />
      </Fact>
      <Fact label="From">{session.source}</Fact>
      <Fact label="Signed in by">{inWords(session.authentication)}</Fact>
      <Fact label="Client">
        <Untrusted text={session.client} />
      </Fact>
      <Fact label="Address">
        <Untrusted text={`${session.host}:${session.port}`} />
      </Fact>
      <Fact label="Credential">
        <Untrusted text={session.credential} />
      </Fact>
      <Fact label="Grant">
        <Untrusted text={session.grant} />
      </Fact>
      <Fact label="Device chosen by">{inWords(session.via)}</Fact>
      <Fact label="Input">{shownBytes(session.bytesFromClient)}</Fact>
      <Fact label="Output">{shownBytes(session.bytesFromDevice)}</Fact>
    </SimpleGrid>
  </Card>
);

const Orders = ({ session }: { readonly session: Session }) => {
  const queries = useQueryClient();
  const [ending, { open, close }] = useDisclosure();
  const [reason, setReason] = useState('');
  const order = useMutation({
    mutationFn: (what: 'hold' | 'release' | 'end') => {
      const given = {
        params: { path: { id: session.id } },
        body: what === 'end' && reason !== '' ? { reason } : {},
      };
      switch (what) {
        case 'hold':
          return taken(api.POST('/api/sessions/{id}/hold', given));
        case 'release':
          return taken(api.POST('/api/sessions/{id}/release', given));
        case 'end':
          return taken(api.POST('/api/sessions/{id}/end', given));
      }
    },
    onSettled: () => {
      close();
      return queries.invalidateQueries({ queryKey: ['session', session.id] });
    },
  });
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {session.held ? (
          <Button onClick={() => order.mutate('release')}>Release</Button>
        ) : (
          <Button variant="default" onClick={() => order.mutate('hold')}>
            Hold
          </Button>
        )}
        <Button color="red" variant="outline" onClick={open}>
          End session
        </Button>
      </Group>
      {order.isError ? <Told error={order.error} /> : null}
      <Modal
        opened={ending}
        onClose={close}
        title="End this session?"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <form
          onSubmit={(event) => {
            event.preventDefault();
            order.mutate('end');
          }}
        >
          <Stack>
            <TextInput
              label="Reason"
              description="Told to the user, and kept in the trail"
              data-autofocus
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            <Button color="red" type="submit" loading={order.isPending}>
              End session
            </Button>
          </Stack>
        </form>
      </Modal>
    </Stack>
  );
};

const Proof = ({ session }: { readonly session: string }) => {
  const proof = useQuery({
    queryKey: ['proof', session],
    queryFn: () => taken(api.POST('/api/recordings/{id}/verify', { params: { path: { id: session } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (proof.isPending) return <Badge variant="outline">being proved…</Badge>;
  if (proof.data === undefined) return <Badge color="gray">not proved</Badge>;
  if (proof.data.proved)
    return (
      <Badge
        color="teal"
        variant="outline"
        title={`${proof.data.chunks} chunks, signed by ${proof.data.signedBy ?? '?'}`}
      >
        proved: whole and unchanged
      </Badge>
    );
  return (
    <Badge color="red" title={proof.data.findings.map(({ kind, text }) => `${kind}: ${text}`).join('\n')}>
      not whole: {proof.data.findings[0]?.kind}
    </Badge>
  );
};

const FORMATS = [
  ['cast', 'asciicast v3'],
  ['cast2', 'asciicast v2'],
  ['text', 'plain text'],
  ['commands', 'commands, as JSON lines'],
  ['sealed', 'the sealed file'],
] as const;

const Export = ({ session }: { readonly session: string }) => (
  <Menu>
    <Menu.Target>
      <Button variant="default" size="xs">
        Export
      </Button>
    </Menu.Target>
    <Menu.Dropdown>
      {FORMATS.map(([format, label]) => (
        <Menu.Item key={format} component="a" href={`/api/recordings/${session}/export?format=${format}`}>
          {label}
        </Menu.Item>
      ))}
    </Menu.Dropdown>
  </Menu>
);

const Commands = ({ session }: { readonly session: Session }) => {
  const [, setSearch] = useSearchParams();
  const may = useMay();
  const columns: readonly Column<Command>[] = [
    {
      key: 'second',
      label: 'At',
      cell: (row) =>
        may('recordings.read') && !session.live ? (
          <Anchor component="button" type="button" onClick={() => setSearch({ at: String(row.second) })}>
            {shownSeconds(row.second)}
          </Anchor>
        ) : (
          shownSeconds(row.second)
        ),
      value: (row) => row.second,
    },
    {
      key: 'command',
      label: 'Command',
      cell: (row) => <CommandText text={row.command} hidden={row.hidden} />,
      value: (row) => row.command,
    },
    {
      key: 'analysed',
      label: 'Comes to',
      cell: (row) =>
        row.analysed.length < 2 && row.analysed[0] === row.command ? null : (
          <CommandText text={row.analysed.join('\n')} />
        ),
      value: (row) => row.analysed.join(' ; '),
    },
    {
      key: 'outcome',
      label: 'Outcome',
      cell: (row) => <Outcome outcome={row.outcome} />,
      value: (row) => row.outcome,
    },
    {
      key: 'why',
      label: 'Why',
      cell: (row) => (
        <Text size="sm">
          <Untrusted text={row.rules.map(({ rule, why }) => `${rule}: ${why}`).join('; ')} limit={300} />
        </Text>
      ),
      value: (row) => row.rules.map(({ rule }) => rule).join(' '),
    },
    { key: 'points', label: 'Points', numeric: true, cell: (row) => row.points, value: (row) => row.points },
    {
      key: 'how',
      label: 'Read',
      cell: (row) => `${row.how}, ${Math.round(row.confidence * 100)} %`,
      value: (row) => row.how,
    },
  ];
  const list = usePages(
    ['session-commands', session.id],
    (after) =>
      taken(
        api.GET('/api/commands', {
          params: {
            query: {
              session: session.id,
              order: 'oldest-first',
              limit: '500',
              ...(after === undefined ? {} : { after }),
            },
          },
        }),
      ),
    session.live ? { every: 3_000 } : {},
  );
  return (
    <Shown query={list}>
      {(rows) =>
        rows.length === 0 ? (
          <Empty title="No commands">Nothing has been submitted in this session.</Empty>
        ) : (
          <DataTable
            name={`commands-${session.id}`}
            columns={columns}
            rows={rows}
            rowKey={({ id }) => id}
            list={list}
          />
        )
      }
    </Shown>
  );
};

const Risk = ({ session }: { readonly session: Session }) => {
  const may = useMay();
  const queries = useQueryClient();
  const risk = useQuery({
    queryKey: ['risk', session.id],
    queryFn: () => taken(api.GET('/api/sessions/{id}/risk', { params: { path: { id: session.id } } })),
    refetchInterval: session.live ? 5_000 : false,
  });
  const expected = useMutation({
    mutationFn: () =>
      taken(api.POST('/api/sessions/{id}/expected', { params: { path: { id: session.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['risk', session.id] }),
  });
  return (
    <Shown query={risk}>
      {(shown) => (
        <Stack gap="sm">
          <Group>
            <Text fw={600}>{shown.score} points</Text>
            <Standing risk={shown} />
            {shown.action === '' ? null : <Badge variant="outline">{shown.action}</Badge>}
          </Group>
          <Reasons risk={shown} />
          <Suspense fallback={<Waiting />}>
            <RiskCurve session={session.id} live={session.live} />
          </Suspense>
          {shown.suspiciousAt !== null && shown.standing === 'suspicious' && may('ratings.write') ? (
            <Group>
              <Button variant="default" loading={expected.isPending} onClick={() => expected.mutate()}>
                This was expected
              </Button>
            </Group>
          ) : null}
          {expected.isError ? <Told error={expected.error} /> : null}
        </Stack>
      )}
    </Shown>
  );
};

const Screens = ({ session, from }: { readonly session: Session; readonly from: number }) => {
  const may = useMay();
  const queries = useQueryClient();
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['session', session.id] });
  if (session.live && may('sessions.watch'))
    return (
      <Suspense fallback={<Waiting />}>
        <Live session={session.id} onOver={refresh} />
      </Suspense>
    );
  if (!may('recordings.read'))
    return <Empty title="The recording is for auditors">Its commands are below.</Empty>;
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Proof session={session.id} />
        <Export session={session.id} />
      </Group>
      <Suspense fallback={<Waiting />}>
        <Player session={session.id} from={from} />
      </Suspense>
    </Stack>
  );
};

const SessionPage = () => {
  const { id = '' } = useParams();
  const may = useMay();
  const [search] = useSearchParams();
  const [tab, setTab] = useOpened('tab');
  const at = Number(search.get('at') ?? '0');
  const session = useQuery({
    queryKey: ['session', id],
    queryFn: () => taken(api.GET('/api/sessions/{id}', { params: { path: { id } } })),
    refetchInterval: (query) => (query.state.data?.live === true ? 3_000 : false),
  });
  return (
    <Shown query={session}>
      {(shown) => (
        <Page
          title={<Untrusted text={`${shown.user} as ${shown.account} on ${shown.device}`} />}
          actions={shown.live && may('sessions.order') ? <Orders session={shown} /> : null}
        >
          <Facts session={shown} />
          <Tabs value={tab ?? 'screen'} onChange={setTab} keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="screen">{shown.live ? 'Live' : 'Recording'}</Tabs.Tab>
              {may('commands.read') ? <Tabs.Tab value="commands">Commands</Tabs.Tab> : null}
              {may('commands.read') ? <Tabs.Tab value="transfers">Transfers</Tabs.Tab> : null}
              {may('ratings.read') ? <Tabs.Tab value="risk">Risk</Tabs.Tab> : null}
            </Tabs.List>
            <Tabs.Panel value="screen" pt="md">
              <Screens session={shown} from={Number.isFinite(at) && at > 0 ? at : 0} />
            </Tabs.Panel>
            {may('commands.read') ? (
              <Tabs.Panel value="commands" pt="md">
                <Commands session={shown} />
              </Tabs.Panel>
            ) : null}
            {may('commands.read') ? (
              <Tabs.Panel value="transfers" pt="md">
                <Suspense fallback={<Waiting />}>
                  <SessionTransfers session={shown.id} live={shown.live} />
                </Suspense>
              </Tabs.Panel>
            ) : null}
            {may('ratings.read') ? (
              <Tabs.Panel value="risk" pt="md">
                <Risk session={shown} />
              </Tabs.Panel>
            ) : null}
          </Tabs>
        </Page>
      )}
    </Shown>
  );
};

export default SessionPage;
