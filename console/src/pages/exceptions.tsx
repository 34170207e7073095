// Requests for exceptions: engineers whom a rule stopped ask, from their terminal, for what they need; somebody else grants
// or declines it once, with a word of why. Granting changes no rule by itself.
import { Anchor, Badge, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters, useOpened } from '../parts/table.tsx';
import { CommandText, Moment, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Request = Shapes['ExceptionRequest'];

const STATES: Readonly<Record<Request['state'], string>> = {
  open: 'orange',
  granted: 'teal',
  declined: 'gray',
};

const State = ({ state }: { readonly state: Request['state'] }) => (
  <Badge variant="outline" color={STATES[state]}>
    {state}
  </Badge>
);

const Detail = ({ id, close }: { readonly id: string; readonly close: () => void }) => {
  const may = useMay();
  const queries = useQueryClient();
  const [comment, setComment] = useState('');
  const one = useQuery({
    queryKey: ['exceptions', 'one', id],
    queryFn: () => takenWithTag(api.GET('/api/exceptions/{id}', { params: { path: { id } } })),
  });
  const decide = useMutation({
    mutationFn: (what: 'grant' | 'decline') => {
      const given = {
        params: { path: { id }, header: { 'If-Match': one.data?.tag ?? '*' } },
        body: { comment },
      };
      return taken(
        what === 'grant'
          ? api.POST('/api/exceptions/{id}/grant', given)
          : api.POST('/api/exceptions/{id}/decline', given),
      );
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['exceptions'] }),
  });
  return (
    <Shown query={one}>
      {({ data: request }) => (
        <Stack gap="sm">
          <Text size="sm">
            <Untrusted text={`${request.user}, as ${request.account} on ${request.device}`} />,{' '}
            <Moment at={request.askedAt} />
          </Text>
          <CommandText text={request.command} />
          <Text size="sm">
            Stopped by <Untrusted text={request.rule} />
            {request.owner === '' ? null : (
              <>
                , whose owner is <Untrusted text={request.owner} />
              </>
            )}
          </Text>
          <Text size="sm">
            Why it is needed: <Untrusted text={request.reason || 'nothing was said'} />
          </Text>
          <Anchor component={Link} to={`/sessions/${request.session}?tab=commands`} fz="sm" onClick={close}>
            The session
          </Anchor>
          <Group gap="sm">
            <State state={request.state} />
            {request.decidedBy === null ? null : (
              <Text size="sm">
                by <Untrusted text={request.decidedBy} />, <Moment at={request.decidedAt} />:{' '}
                <Untrusted text={request.comment} />
              </Text>
            )}
          </Group>
          {request.state === 'open' && may('approvals.decide') ? (
            <>
              <Textarea
                label="Why"
                description="Told to the user, and kept in the trail"
                required
                maxLength={500}
                value={comment}
                onChange={(event) => setComment(event.currentTarget.value)}
              />
              <Text size="sm" c="dimmed">
                Granting changes no rule: narrow the rule’s scope under{' '}
                <Anchor component={Link} to="/policies" underline="always" onClick={close}>
                  Policies
                </Anchor>
                , so that the command runs next time.
              </Text>
              <Group>
                <Button
                  disabled={comment.trim() === ''}
                  loading={decide.isPending}
                  onClick={() => decide.mutate('grant')}
                >
                  Grant
                </Button>
                <Button
                  variant="default"
                  disabled={comment.trim() === ''}
                  loading={decide.isPending}
                  onClick={() => decide.mutate('decline')}
                >
                  Decline
                </Button>
              </Group>
            </>
          ) : null}
          {decide.isError ? <Told error={decide.error} /> : null}
        </Stack>
      )}
    </Shown>
  );
};

const filters = [
  SINCE,
  { key: 'user', label: 'User' },
  {
    key: 'state',
    label: 'State',
    choices: (['open', 'granted', 'declined'] as const).map((value) => ({ value, label: value })),
  },
];

const Exceptions = () => {
  const asked = useFilters(filters);
  const [open, show] = useOpened('request');
  const list = usePages(
    ['exceptions', asked],
    (after) => taken(api.GET('/api/exceptions', { params: { query: { ...asked, ...onePage(after) } } })),
    { every: 10_000 },
  );
  const columns: readonly Column<Request>[] = [
    {
      key: 'askedAt',
      label: 'Asked',
      cell: (row) => (
        <Anchor component="button" type="button" onClick={() => show(row.id)}>
          <Moment at={row.askedAt} />
        </Anchor>
      ),
      value: (row) => row.askedAt,
    },
    { key: 'user', label: 'User', cell: (row) => <Untrusted text={row.user} />, value: (row) => row.user },
    {
      key: 'device',
      label: 'Device',
      cell: (row) => <Untrusted text={`${row.account}@${row.device}`} />,
      value: (row) => row.device,
    },
    {
      key: 'command',
      label: 'Command',
      cell: (row) => <CommandText text={row.command} />,
      value: (row) => row.command,
    },
    { key: 'rule', label: 'Rule', cell: (row) => <Untrusted text={row.rule} />, value: (row) => row.rule },
    {
      key: 'reason',
      label: 'Why',
      cell: (row) => <Untrusted text={row.reason} limit={200} />,
      value: (row) => row.reason,
    },
    { key: 'state', label: 'State', cell: (row) => <State state={row.state} />, value: (row) => row.state },
    {
      key: 'decidedBy',
      label: 'By',
      cell: (row) => <Untrusted text={row.decidedBy ?? ''} />,
      value: (row) => row.decidedBy,
    },
  ];
  return (
    <Page title="Exception requests">
      <Filters filters={filters} />
      <Listed
        name="exceptions"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        nothing={
          <Empty title="Nobody has asked for an exception">
            Engineers whom a rule stopped can ask for one from their terminal. What they ask for is decided
            here.
          </Empty>
        }
      />
      <Modal
        opened={open !== null}
        onClose={() => show(null)}
        title="Request for an exception"
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {open === null ? null : <Detail id={open} close={() => show(null)} />}
      </Modal>
    </Page>
  );
};

export default Exceptions;
