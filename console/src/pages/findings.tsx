// What does not fit a user and what it adds up to: threats with their timeline and what people made of them, findings, and
// the report of the week. Indicators to look into, never proof.
import {
  Anchor,
  Badge,
  Button,
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
import { Link } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters, useOpened } from '../parts/table.tsx';
import { Moment, plainText, Untrusted } from '../parts/text.tsx';
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

const Timeline = ({ timeline, history }: Pick<Investigation, 'timeline' | 'history'>) => (
  <>
    <Text fw={600}>What happened around it</Text>
    <ol className="marks" style={{ paddingLeft: 0, margin: 0 }}>
      {timeline.map((one) => (
        <li key={`${one.at} ${one.kind} ${one.text}`} style={{ listStyle: 'none' }}>
          <Text size="sm" fw={one.finding ? 700 : 400}>
            <Moment at={one.at} /> · <Untrusted text={`${one.kind}: ${one.text}`} limit={300} />{' '}
            {one.session === null ? null : (
              <Anchor component={Link} to={`/sessions/${one.session}`}>
                session
              </Anchor>
            )}
          </Text>
        </li>
      ))}
    </ol>
    <Text fw={600}>What was made of it</Text>
    {history.length === 0 ? <Text size="sm">Nothing yet.</Text> : null}
    {history.map((step) => (
      <Text size="sm" key={`${step.at} ${step.actor} ${step.note}`}>
        <Moment at={step.at} /> ·{' '}
        <Untrusted
          text={[step.actor, step.status, step.caseId, step.assignee, step.note]
            .filter((word) => word !== null && word !== '')
            .join(' · ')}
        />
      </Text>
    ))}
  </>
);

const Detail = ({ id }: { readonly id: string }) => {
  const may = useMay();
  const detail = useQuery({
    queryKey: ['threats', 'one', id],
    queryFn: () => taken(api.GET('/api/threats/{id}', { params: { path: { id } } })),
  });
  return (
    <Shown query={detail}>
      {({ threat, timeline, history }) => (
        <Stack gap="sm">
          <Group>
            <Severity level={threat.severity} />
            <Text>
              <Untrusted text={`${threat.user}: ${threat.text}`} />
            </Text>
          </Group>
          {may('findings.write') ? <Step key={threat.id} threat={threat} /> : null}
          <Timeline timeline={timeline} history={history} />
        </Stack>
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

const Threats = () => {
  const asked = useFilters(filters);
  const [open, show] = useOpened('threat');
  const list = usePages(['threats', asked], (after) =>
    taken(api.GET('/api/threats', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  const columns: readonly Column<Threat>[] = [
    {
      key: 'lastAt',
      label: 'Last',
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
    { key: 'score', label: 'Points', numeric: true, cell: (row) => row.score, value: (row) => row.score },
    { key: 'status', label: 'Status', cell: (row) => row.status, value: (row) => row.status },
    {
      key: 'case',
      label: 'Case',
      cell: (row) => <Untrusted text={row.caseId ?? ''} />,
      value: (row) => row.caseId,
    },
  ];
  return (
    <>
      <Listed name="threats" columns={columns} rowKey={(row) => row.id} list={list} nothing={nothing} />
      <Modal
        opened={open !== null}
        onClose={() => show(null)}
        title="Threat"
        size="xl"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {open === null ? null : <Detail id={open} />}
      </Modal>
    </>
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
  const list = usePages(['findings', asked], (after) =>
    taken(api.GET('/api/findings', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  const columns: readonly Column<Finding>[] = [
    { key: 'lastAt', label: 'Last', cell: (row) => <Moment at={row.lastAt} />, value: (row) => row.lastAt },
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
  return <Listed name="findings" columns={columns} rowKey={(row) => row.id} list={list} nothing={nothing} />;
};

const Findings = () => (
  <Page
    title="Findings"
    actions={
      <Button variant="default" component="a" href="/api/reports/behaviour" target="_blank" rel="noreferrer">
        Report of the week
      </Button>
    }
  >
    <Text size="sm" c="dimmed">
      Findings are indicators to look into, never proof of wrongdoing.
    </Text>
    <Filters filters={filters} />
    <Tabs defaultValue="threats" keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="threats">Threats</Tabs.Tab>
        <Tabs.Tab value="findings">Findings</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="threats" pt="md">
        <Threats />
      </Tabs.Panel>
      <Tabs.Panel value="findings" pt="md">
        <Singles />
      </Tabs.Panel>
    </Tabs>
  </Page>
);

export default Findings;
