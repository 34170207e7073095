// What does not fit a user and what it adds up to: threats with their timeline and what people made of them, findings, and
// the report of the week. Indicators to look into, never proof.
import {
  Anchor,
  Badge,
  Button,
  Card,
  Code,
  Group,
  Modal,
  Select,
  Stack,
  Tabs,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { Connections } from '../parts/connections.tsx';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters, useOpened, useOrder } from '../parts/table.tsx';
import { counted, inWords, Moment, plainLines, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Threat = Shapes['Threat'];
type Finding = Shapes['Finding'];
type Investigation = Shapes['Investigation'];

const STATUSES = ['new', 'under-review', 'escalated', 'pending-hr', 'expected', 'closed'] as const;
const SEVERITIES: Readonly<Record<string, string>> = { critical: 'red', high: 'red', medium: 'orange' };

const Severity = ({ level }: { readonly level: string }) => (
  <Badge variant="outline" color={SEVERITIES[level] ?? 'gray'}>
    {plainText(level)}
  </Badge>
);

const Step = ({ threat }: { readonly threat: Threat }) => {
  const queries = useQueryClient();
  const [status, setStatus] = useState<string | null>(threat.status);
  const [caseId, setCaseId] = useState(threat.caseId ?? '');
  const [assignee, setAssignee] = useState(threat.assignee ?? '');
  const [note, setNote] = useState('');
  const step = useMutation({
    mutationFn: () => {
      const wanted = STATUSES.find((one) => one === status);
      return taken(
        api.POST('/api/threats/{id}/steps', {
          params: { path: { id: threat.id } },
          body: {
            ...(wanted === undefined || wanted === threat.status ? {} : { status: wanted }),
            ...(caseId === '' || caseId === threat.caseId ? {} : { caseId }),
            ...(assignee === '' || assignee === threat.assignee ? {} : { assignee }),
            ...(note === '' ? {} : { note }),
          },
        }),
      );
    },
    onSuccess: () => {
      setNote('');
      return queries.invalidateQueries({ queryKey: ['threats'] });
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        step.mutate();
      }}
    >
      <Stack gap="sm">
        <Group align="end">
          <Select
            label="Status"
            data={[...STATUSES]}
            value={status}
            onChange={setStatus}
            allowDeselect={false}
          />
          <TextInput label="Case" value={caseId} onChange={(event) => setCaseId(event.currentTarget.value)} />
          <TextInput
            label="Looked into by"
            value={assignee}
            onChange={(event) => setAssignee(event.currentTarget.value)}
          />
        </Group>
        <Textarea label="Note" value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        {step.isError ? <Told error={step.error} /> : null}
        <Group>
          <Button type="submit" loading={step.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
};

const Timeline = ({ timeline }: Pick<Investigation, 'timeline'>) => (
  <ol className="events" aria-label="What happened around it">
    {timeline.map((one, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: what happened never moves
      <li key={index}>
        <Text size="sm" fw={one.finding ? 700 : 400} component="div">
          <Moment at={one.at} /> ·{' '}
          <Untrusted
            text={one.text === '' ? inWords(one.kind) : `${inWords(one.kind)}: ${one.text}`}
            limit={300}
          />{' '}
          {one.finding ? (
            <Badge size="xs" variant="outline" color="red">
              part of it
            </Badge>
          ) : null}{' '}
          {one.session === null ? null : (
            <Anchor component={Link} to={`/sessions/${one.session}`}>
              session
            </Anchor>
          )}
        </Text>
      </li>
    ))}
  </ol>
);

const History = ({ history }: Pick<Investigation, 'history'>) =>
  history.length === 0 ? (
    <Empty title="Nobody has looked into it yet">
      A status, a case, somebody to look into it or a note is kept here with who gave it.
    </Empty>
  ) : (
    <ol className="events" aria-label="What was made of it">
      {history.map((step) => (
        <li key={`${step.at} ${step.actor} ${step.note}`}>
          <Text size="sm">
            <Moment at={step.at} /> ·{' '}
            <Untrusted
              text={[
                step.actor,
                step.status === null ? '' : `status ${step.status}`,
                step.caseId === null ? '' : `case ${step.caseId}`,
                step.assignee === null ? '' : `looked into by ${step.assignee}`,
                step.note,
              ]
                .filter((word) => word !== '')
                .join(' · ')}
            />
          </Text>
        </li>
      ))}
    </ol>
  );

const Graph = ({
  id,
  of,
  user,
}: {
  readonly id: string;
  readonly of: 'threat' | 'finding';
  readonly user: string;
}) => {
  const graph = useQuery({
    queryKey: ['graph', of, id],
    queryFn: () =>
      taken(
        of === 'threat'
          ? api.GET('/api/threats/{id}/graph', { params: { path: { id } } })
          : api.GET('/api/findings/{id}/graph', { params: { path: { id } } }),
      ),
  });
  return <Shown query={graph}>{(shown) => <Connections graph={shown} user={user} />}</Shown>;
};

export const ThreatPage = () => {
  const { id = '' } = useParams();
  const may = useMay();
  const [tab, setTab] = useOpened('tab');
  const detail = useQuery({
    queryKey: ['threats', 'one', id],
    queryFn: () => taken(api.GET('/api/threats/{id}', { params: { path: { id } } })),
  });
  return (
    <Shown query={detail}>
      {({ threat, timeline, history }) => (
        <Page title={<Untrusted text={threat.title} />}>
          <Group>
            <Severity level={threat.severity} />
            <Badge variant="outline" color="gray">
              {inWords(threat.status)}
            </Badge>
            <Text size="sm">
              {counted(threat.score, 'point')} · <Moment at={threat.firstAt} /> to{' '}
              <Moment at={threat.lastAt} />
            </Text>
            <Anchor component={Link} to={`/posture/${encodeURIComponent(threat.user)}`} fz="sm">
              Posture of <Untrusted text={threat.user} />
            </Anchor>
          </Group>
          <Text>
            <Untrusted text={threat.text} />
          </Text>
          {may('findings.write') ? (
            <Card withBorder>
              <Step key={`${threat.id} ${history.length}`} threat={threat} />
            </Card>
          ) : null}
          <Tabs value={tab ?? 'timeline'} onChange={setTab} keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="timeline">What happened around it</Tabs.Tab>
              <Tabs.Tab value="graph">Who reached what from where</Tabs.Tab>
              <Tabs.Tab value="history">What was made of it</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="timeline" pt="md">
              <Timeline timeline={timeline} />
            </Tabs.Panel>
            <Tabs.Panel value="graph" pt="md">
              <Graph id={threat.id} of="threat" user={threat.user} />
            </Tabs.Panel>
            <Tabs.Panel value="history" pt="md">
              <History history={history} />
            </Tabs.Panel>
          </Tabs>
        </Page>
      )}
    </Shown>
  );
};

const nothing = (
  <Empty title="Nothing was found">
    What users do is scanned for what does not fit them, and what is found appears here by itself. Sign-ins to
    other systems make it see more (<code>sallyport finding import</code>), and users on a watch list are
    looked at more closely (<code>sallyport watch add</code>).
  </Empty>
);

const filters = [SINCE, { key: 'user', label: 'User' }];

const threatColumns: readonly Column<Threat>[] = [
  {
    key: 'lastAt',
    label: 'Last',
    sort: 'time',
    cell: (row) => (
      <Anchor component={Link} to={`/findings/${row.id}`}>
        <Moment at={row.lastAt} />
      </Anchor>
    ),
    value: (row) => row.lastAt,
  },
  { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
  {
    key: 'title',
    label: 'Threat',
    cell: (row) => <Untrusted text={row.title} />,
    value: (row) => row.title,
  },
  {
    key: 'severity',
    label: 'Severity',
    cell: (row) => <Severity level={row.severity} />,
    value: (row) => row.severity,
  },
  {
    key: 'score',
    label: 'Points',
    numeric: true,
    sort: 'score',
    cell: (row) => row.score,
    value: (row) => row.score,
  },
  { key: 'status', label: 'Status', cell: (row) => inWords(row.status), value: (row) => row.status },
  {
    key: 'case',
    label: 'Case',
    cell: (row) => <Untrusted text={row.caseId ?? ''} />,
    value: (row) => row.caseId,
  },
];

const threatFilters = [
  ...filters,
  {
    key: 'status',
    label: 'Status',
    choices: STATUSES.map((value) => ({ value, label: inWords(value) })),
  },
];

const Threats = () => {
  const asked = useFilters(threatFilters);
  const order = useOrder(threatColumns);
  const list = usePages(['threats', asked, order], (after) =>
    taken(api.GET('/api/threats', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
  );
  return (
    <Stack>
      <Filters filters={threatFilters} />
      <Listed name="threats" columns={threatColumns} rowKey={(row) => row.id} list={list} nothing={nothing} />
    </Stack>
  );
};

const Expected = ({ finding }: { readonly finding: Finding }) => {
  const queries = useQueryClient();
  const expected = useMutation({
    mutationFn: () =>
      taken(api.POST('/api/findings/{id}/expected', { params: { path: { id: finding.id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['findings'] }),
  });
  return (
    <Button
      size="compact-xs"
      variant="default"
      loading={expected.isPending}
      onClick={() => expected.mutate()}
    >
      Was expected
    </Button>
  );
};

const Singles = () => {
  const may = useMay();
  const asked = useFilters(filters);
  const [open, show] = useOpened('finding');
  const columns: readonly Column<Finding>[] = [
    {
      key: 'lastAt',
      label: 'Last',
      sort: 'time',
      cell: (row) => (
        <Anchor component="button" type="button" onClick={() => show(row.id)}>
          <Moment at={row.lastAt} />
        </Anchor>
      ),
      value: (row) => row.lastAt,
    },
    { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
    {
      key: 'title',
      label: 'Finding',
      cell: (row) => <Untrusted text={row.title} />,
      value: (row) => row.title,
    },
    {
      key: 'text',
      label: 'Why',
      cell: (row) => <Untrusted text={row.text} limit={300} />,
      value: (row) => row.text,
    },
    {
      key: 'score',
      label: 'Points',
      numeric: true,
      sort: 'score',
      cell: (row) => row.score,
      value: (row) => row.score,
    },
    {
      key: 'severity',
      label: 'Severity',
      cell: (row) => <Severity level={row.severity} />,
      value: (row) => row.severity,
    },
    { key: 'state', label: 'State', cell: (row) => row.state, value: (row) => row.state },
    {
      key: 'expected',
      label: 'Judge',
      cell: (row) => (row.state === 'open' && may('findings.write') ? <Expected finding={row} /> : null),
      value: () => null,
    },
  ];
  const order = useOrder(columns);
  const list = usePages(['findings', asked, order], (after) =>
    taken(api.GET('/api/findings', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
  );
  return (
    <Stack>
      <Filters filters={filters} />
      <Listed name="findings" columns={columns} rowKey={(row) => row.id} list={list} nothing={nothing} />
      <Modal
        opened={open !== null}
        onClose={() => show(null)}
        title="Who reached what from where, around it"
        size="70rem"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {open === null ? null : (
          <Graph id={open} of="finding" user={list.data?.find(({ id }) => id === open)?.user ?? ''} />
        )}
      </Modal>
    </Stack>
  );
};

const Report = () => {
  const report = useQuery({
    queryKey: ['report'],
    queryFn: () => taken(api.GET('/api/reports/behaviour', { parseAs: 'text' })),
    staleTime: 60_000,
  });
  return (
    <Shown query={report}>
      {(text) => (
        <Stack>
          <Group>
            <Button variant="default" component="a" href="/api/reports/behaviour" download="report.txt">
              Save as text
            </Button>
          </Group>
          <Code block>{plainLines(String(text))}</Code>
        </Stack>
      )}
    </Shown>
  );
};

const Findings = () => {
  const [tab, setTab] = useOpened('tab');
  return (
    <Page title="Findings">
      <Text size="sm" c="dimmed">
        Findings are indicators to look into, never proof of wrongdoing.
      </Text>
      <Tabs value={tab ?? 'threats'} onChange={setTab} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="threats">Threats</Tabs.Tab>
          <Tabs.Tab value="findings">Findings</Tabs.Tab>
          <Tabs.Tab value="report">Report of the week</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="threats" pt="md">
          <Threats />
        </Tabs.Panel>
        <Tabs.Panel value="findings" pt="md">
          <Singles />
        </Tabs.Panel>
        <Tabs.Panel value="report" pt="md">
          <Report />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
};

export default Findings;
