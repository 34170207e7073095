// What auditors are to look at: the entry with its history, comments, and the audited mark; and who looked at credentials.
import { Anchor, Badge, Button, Group, Modal, Stack, TagsInput, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters, useOpened, useOrder } from '../parts/table.tsx';
import { Moment, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Entry = Shapes['AuditEntry'];
type View = Shapes['CredentialView'];

const Detail = ({ id, close }: { readonly id: string; readonly close: () => void }) => {
  const may = useMay();
  const queries = useQueryClient();
  const [comment, setComment] = useState('');
  const detail = useQuery({
    queryKey: ['audit-queue', 'one', id],
    queryFn: () => taken(api.GET('/api/audit-queue/{id}', { params: { path: { id } } })),
  });
  const step = useMutation({
    mutationFn: (what: 'comment' | 'audited' | 'reopened') => {
      const params = { params: { path: { id } } };
      const body = comment === '' ? {} : { comment };
      switch (what) {
        case 'comment':
          return taken(api.POST('/api/audit-queue/{id}/comments', { ...params, body: { comment } }));
        case 'audited':
          return taken(api.POST('/api/audit-queue/{id}/audited', { ...params, body }));
        case 'reopened':
          return taken(api.POST('/api/audit-queue/{id}/reopened', { ...params, body }));
      }
    },
    onSuccess: () => setComment(''),
    onSettled: () => queries.invalidateQueries({ queryKey: ['audit-queue'] }),
  });
  return (
    <Shown query={detail}>
      {({ entry, auditors, history }) => (
        <Stack gap="sm">
          <Text>
            <Untrusted text={`${entry.user}: ${entry.reason} (${entry.score} points)`} />
          </Text>
          {entry.kind === 'session' ? (
            <Anchor component={Link} to={`/sessions/${entry.subject}`} onClick={close}>
              The session
            </Anchor>
          ) : null}
          <Text size="sm" c="dimmed">
            Given to <Untrusted text={auditors.join(', ') || 'nobody'} />
          </Text>
          {history.map((one) => (
            <Text size="sm" key={`${one.at} ${one.step} ${one.comment}`}>
              <Moment at={one.at} /> · <Untrusted text={one.auditor || 'the gateway'} /> · {one.step}
              {one.comment === '' ? null : (
                <>
                  {': '}
                  <Untrusted text={one.comment} />
                </>
              )}
            </Text>
          ))}
          {may('findings.write') ? (
            <>
              <Textarea
                label="Comment"
                maxLength={500}
                value={comment}
                onChange={(event) => setComment(event.currentTarget.value)}
              />
              <Group>
                <Button variant="default" disabled={comment === ''} onClick={() => step.mutate('comment')}>
                  Comment
                </Button>
                {entry.state === 'open' ? (
                  <Button onClick={() => step.mutate('audited')}>Mark as audited</Button>
                ) : (
                  <Button variant="default" onClick={() => step.mutate('reopened')}>
                    Open again
                  </Button>
                )}
              </Group>
            </>
          ) : null}
          {step.isError ? <Told error={step.error} /> : null}
        </Stack>
      )}
    </Shown>
  );
};

/** Who gets what is submitted from now on. */
const DefaultAuditors = () => {
  const may = useMay();
  const queries = useQueryClient();
  const [typed, setTyped] = useState<string[]>();
  const auditors = useQuery({
    queryKey: ['default-auditors'],
    queryFn: () => takenWithTag(api.GET('/api/default-auditors')),
  });
  const save = useMutation({
    mutationFn: (names: string[]) =>
      taken(
        api.PUT('/api/default-auditors', {
          params: { header: { 'If-Match': auditors.data?.tag ?? '*' } },
          body: { names },
        }),
      ),
    onSuccess: () => setTyped(undefined),
    onSettled: () => queries.invalidateQueries({ queryKey: ['default-auditors'] }),
  });
  return (
    <Shown query={auditors}>
      {({ data: { items, effective } }) => (
        <Stack gap="sm">
          <Text size="sm">
            {items.length === 0
              ? 'Nobody is named: everybody with the role auditor gets what is submitted. '
              : 'Those named here get what is submitted. '}
            Now that is <Untrusted text={effective.join(', ') || 'nobody'} limit={500} />.
          </Text>
          {items
            .filter(({ active }) => !active)
            .map(({ name }) => (
              <Text key={name} size="sm">
                <Untrusted text={name} /> is disabled, gone, or no auditor any more, and gets nothing.
              </Text>
            ))}
          {may('directory.write') ? (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                save.mutate(typed ?? items.map(({ name }) => name));
              }}
            >
              <Group align="end">
                <TagsInput
                  label="Default auditors"
                  description="Names of users with the role auditor; Enter after each"
                  miw={320}
                  value={typed ?? items.map(({ name }) => name)}
                  onChange={setTyped}
                />
                <Button type="submit" disabled={typed === undefined} loading={save.isPending}>
                  Save
                </Button>
              </Group>
            </form>
          ) : null}
          {save.isError ? <Told error={save.error} /> : null}
        </Stack>
      )}
    </Shown>
  );
};

const queueFilters = [
  SINCE,
  { key: 'user', label: 'User' },
  {
    key: 'state',
    label: 'State',
    choices: [
      { value: 'open', label: 'open' },
      { value: 'audited', label: 'audited' },
    ],
  },
];

const AuditQueue = () => {
  const asked = useFilters(queueFilters);
  const [open, show] = useOpened('entry');
  const [naming, setNaming] = useState(false);
  const columns: readonly Column<Entry>[] = [
    {
      key: 'submittedAt',
      label: 'Submitted',
      sort: 'submitted',
      cell: (row) => (
        <Anchor component="button" type="button" onClick={() => show(row.id)}>
          <Moment at={row.submittedAt} />
        </Anchor>
      ),
      value: (row) => row.submittedAt,
    },
    { key: 'kind', label: 'What', cell: (row) => row.kind, value: (row) => row.kind },
    { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
    {
      key: 'reason',
      label: 'Why',
      cell: (row) => <Untrusted text={row.reason} limit={200} />,
      value: (row) => row.reason,
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
      key: 'state',
      label: 'State',
      cell: (row) => (
        <Badge variant="outline" color={row.state === 'open' ? 'orange' : 'teal'}>
          {row.state}
        </Badge>
      ),
      value: (row) => row.state,
    },
    {
      key: 'auditedBy',
      label: 'By',
      cell: (row) => <Untrusted text={row.auditedBy ?? ''} />,
      value: (row) => row.auditedBy,
    },
  ];
  const order = useOrder(columns);
  const list = usePages(
    ['audit-queue', asked, order],
    (after) =>
      taken(api.GET('/api/audit-queue', { params: { query: { ...asked, ...order, ...onePage(after) } } })),
    { every: 15_000 },
  );
  return (
    <Page
      title="Audit queue"
      actions={
        <Button variant="default" onClick={() => setNaming(true)}>
          Default auditors
        </Button>
      }
    >
      <Filters filters={queueFilters} />
      <Listed
        name="audit-queue"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        nothing={
          <Empty title="Nothing to audit">
            Suspicious sessions come here when the setting <code>session.submitHighRiskToAudit</code> says so,
            and unusual looks at credentials.
          </Empty>
        }
      />
      <Modal
        opened={open !== null}
        onClose={() => show(null)}
        title="To audit"
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {open === null ? null : <Detail id={open} close={() => show(null)} />}
      </Modal>
      <Modal
        opened={naming}
        onClose={() => setNaming(false)}
        title="Who gets what is submitted"
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {naming ? <DefaultAuditors /> : null}
      </Modal>
    </Page>
  );
};

const viewColumns: readonly Column<View>[] = [
  { key: 'at', label: 'At', cell: (row) => <Moment at={row.at} />, value: (row) => row.at },
  { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
  {
    key: 'credential',
    label: 'Credential',
    cell: (row) => <Untrusted text={`${row.credential} (${row.account}@${row.device})`} />,
    value: (row) => row.credential,
  },
  {
    key: 'source',
    label: 'From',
    cell: (row) => <Untrusted text={row.source} />,
    value: (row) => row.source,
  },
  {
    key: 'reason',
    label: 'Reason',
    cell: (row) => <Untrusted text={row.reason} limit={200} />,
    value: (row) => row.reason,
  },
  {
    key: 'outcome',
    label: 'Outcome',
    cell: (row) => (
      <Badge variant="outline" color={row.outcome === 'shown' ? 'teal' : 'red'} title={row.code}>
        {row.outcome}
      </Badge>
    ),
    value: (row) => row.outcome,
  },
  {
    key: 'score',
    label: 'Points',
    numeric: true,
    cell: (row) => (row.suspicious ? `${row.score}, unusual` : row.score),
    value: (row) => row.score,
  },
];

const viewFilters = [SINCE, { key: 'user', label: 'User' }, { key: 'credential', label: 'Credential' }];

export const CredentialViews = () => {
  const asked = useFilters(viewFilters);
  const list = usePages(['credential-views', asked], (after) =>
    taken(api.GET('/api/credential-views', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  return (
    <Page title="Credential views">
      <Filters filters={viewFilters} />
      <Listed
        name="credential-views"
        columns={viewColumns}
        rowKey={(row) => row.id}
        list={list}
        nothing={
          <Empty title="Nobody has looked at a credential">
            A grant with <em>may look at credentials</em> lets its users; each look has a reason and is
            judged.
          </Empty>
        }
      />
    </Page>
  );
};

export default AuditQueue;
