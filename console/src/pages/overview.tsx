// What needs somebody's eyes now: sessions that go on with how unusual each is, those that are held, commands that wait
// for a second person, what was blocked today, who submits most, and whose rating is worst.
import { Anchor, Badge, Button, Card, Group, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Link } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { type LiveSession, useLive } from '../parts/live.ts';
import { onePage } from '../parts/pages.ts';
import { reasonsOf, Standing } from '../parts/standing.tsx';
import { CommandText, Moment, Outcome, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told, Waiting } from '../parts/told.tsx';
import { useMay } from '../who.ts';

const CountChart = lazy(() => import('../parts/count-chart.tsx'));

const midnight = (): string => {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
};

const Figure = ({ label, value }: { readonly label: string; readonly value: number | undefined }) => (
  <Card withBorder padding="md">
    <Text size="sm" c="dimmed">
      {label}
    </Text>
    <Text fz={28} fw={700} className="figure">
      {value ?? '–'}
    </Text>
  </Card>
);

type Risk = Shapes['SessionRisk'];

/** The risk of each session that goes on; empty for those who may not see ratings. */
const useLiveRisks = (sessions: readonly LiveSession[] | undefined): ReadonlyMap<string, Risk> => {
  const may = useMay();
  const risks = useQuery({
    queryKey: ['live-risks'],
    queryFn: () => taken(api.GET('/api/risks', { params: { query: onePage(undefined, 500) } })),
    enabled: may('ratings.read') && sessions !== undefined && sessions.length > 0,
    refetchInterval: 5_000,
  });
  return new Map((risks.data?.items ?? []).map((risk) => [risk.session, risk]));
};

/** Held ones first, then the most unusual. */
const byUrgency =
  (risks: ReadonlyMap<string, Risk>) =>
  (a: LiveSession, b: LiveSession): number =>
    Number(b.held) - Number(a.held) || (risks.get(b.id)?.score ?? 0) - (risks.get(a.id)?.score ?? 0);

const RiskOf = ({ risk }: { readonly risk: Risk | undefined }) =>
  risk === undefined ? (
    <span>–</span>
  ) : (
    <span title={reasonsOf(risk).join('\n')}>
      {risk.score} {risk.suspiciousAt === null ? null : <Standing risk={risk} />}
    </span>
  );

const LiveTable = ({
  sessions,
  risks,
}: {
  readonly sessions: readonly LiveSession[];
  readonly risks: ReadonlyMap<string, Risk>;
}) =>
  sessions.length === 0 ? (
    <Empty title="Nobody is connected">Sessions appear here the moment they start.</Empty>
  ) : (
    <Table.ScrollContainer minWidth={480}>
      <Table aria-label="Live sessions">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">User</Table.Th>
            <Table.Th scope="col">Device</Table.Th>
            <Table.Th scope="col">From</Table.Th>
            <Table.Th scope="col">Since</Table.Th>
            <Table.Th scope="col">Risk</Table.Th>
            <Table.Th scope="col">State</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[...sessions].sort(byUrgency(risks)).map((session) => (
            <Table.Tr key={session.id}>
              <Table.Td>
                <Anchor component={Link} to={`/sessions/${session.id}`}>
                  <Untrusted text={session.user} />
                </Anchor>
              </Table.Td>
              <Table.Td>
                <Untrusted text={`${session.account}@${session.device}`} />
              </Table.Td>
              <Table.Td>{session.sourceAddress}</Table.Td>
              <Table.Td>
                <Moment at={session.startedAt} />
              </Table.Td>
              <Table.Td>
                <RiskOf risk={risks.get(session.id)} />
              </Table.Td>
              <Table.Td>
                {session.held ? (
                  <Badge color="orange" variant="outline">
                    held
                  </Badge>
                ) : (
                  <Badge color="teal" variant="outline">
                    live
                  </Badge>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );

const Approvals = () => {
  const may = useMay();
  const queries = useQueryClient();
  const waiting = useQuery({
    queryKey: ['approvals'],
    queryFn: () => taken(api.GET('/api/approvals')),
    refetchInterval: 3_000,
  });
  const decide = useMutation({
    mutationFn: ({ id, approve }: { readonly id: string; readonly approve: boolean }) => {
      const params = { params: { path: { id } } };
      return taken(
        approve
          ? api.POST('/api/approvals/{id}/approve', params)
          : api.POST('/api/approvals/{id}/deny', params),
      );
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['approvals'] }),
  });
  const items = waiting.data?.items ?? [];
  if (items.length === 0 && !decide.isError) return null;
  return (
    <Card withBorder>
      <Title order={2}>Waiting for a second person</Title>
      {decide.isError ? <Told error={decide.error} /> : null}
      <Stack gap="xs" mt="sm">
        {items.map((one) => (
          <Group key={one.id} justify="space-between">
            <div>
              <CommandText text={one.command} />
              <Text size="sm" c="dimmed">
                <Untrusted text={`${one.user} on ${one.device}, rule ${one.rule}`} />
              </Text>
            </div>
            {may('approvals.decide') ? (
              <Group gap="xs">
                <Button size="xs" onClick={() => decide.mutate({ id: one.id, approve: true })}>
                  Approve
                </Button>
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => decide.mutate({ id: one.id, approve: false })}
                >
                  Deny
                </Button>
              </Group>
            ) : null}
          </Group>
        ))}
      </Stack>
    </Card>
  );
};

/** Whom to look at first. */
const LowestRatings = () => {
  const ratings = useQuery({
    queryKey: ['ratings', 'lowest'],
    queryFn: () => taken(api.GET('/api/ratings', { params: { query: { limit: '5' } } })),
    refetchInterval: 30_000,
  });
  return (
    <Card withBorder>
      <Title order={2}>Users at risk</Title>
      <Shown query={ratings}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No users yet">
              Add them under{' '}
              <Anchor component={Link} to="/users" underline="always">
                Users
              </Anchor>
              .
            </Empty>
          ) : (
            <Table aria-label="Users at risk">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">User</Table.Th>
                  <Table.Th scope="col">Rating of 10</Table.Th>
                  <Table.Th scope="col">Suspicious sessions</Table.Th>
                  <Table.Th scope="col">Blocked commands</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((one) => (
                  <Table.Tr key={one.user}>
                    <Table.Td>
                      <Anchor component={Link} to={`/posture/${encodeURIComponent(one.user)}`}>
                        <Untrusted text={one.user} />
                      </Anchor>
                    </Table.Td>
                    <Table.Td>{one.rating.toFixed(2)}</Table.Td>
                    <Table.Td>{one.highRiskSessions}</Table.Td>
                    <Table.Td>{one.blockedCommands}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )
        }
      </Shown>
    </Card>
  );
};

/** Of the users of today, those that the chart has room for. */
const MOST_SHOWN = 8;

export const Overview = () => {
  const may = useMay();
  const { sessions, commands } = useLive();
  const risks = useLiveRisks(sessions);
  const since = midnight();
  const blocked = useQuery({
    queryKey: ['blocked', since],
    queryFn: () =>
      taken(api.GET('/api/commands', { params: { query: { since, outcome: 'blocked', limit: '10' } } })),
    refetchInterval: 15_000,
  });
  const users = useQuery({
    queryKey: ['counts', 'user', since],
    queryFn: () =>
      taken(
        api.GET('/api/command-counts/{by}', {
          params: { path: { by: 'user' }, query: { since, limit: '500' } },
        }),
      ),
    refetchInterval: 15_000,
  });
  const sum = (key: 'commands' | 'stopped'): number | undefined =>
    users.data?.items.reduce((total, one) => total + one[key], 0);
  return (
    <Page title="Overview">
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Figure label="Live sessions" value={sessions?.length} />
        <Figure label="Held" value={sessions?.filter(({ held }) => held).length} />
        <Figure label="Commands today" value={sum('commands')} />
        <Figure label="Blocked today" value={sum('stopped')} />
      </SimpleGrid>
      <Approvals />
      <Card withBorder>
        <Title order={2}>Live sessions</Title>
        {sessions === undefined ? <Waiting /> : <LiveTable sessions={sessions} risks={risks} />}
      </Card>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Card withBorder>
          <Title order={2}>Blocked today</Title>
          <Shown query={blocked}>
            {({ items }) =>
              items.length === 0 ? (
                <Empty title="Nothing was blocked today">
                  Rules are under{' '}
                  <Anchor component={Link} to="/policies" underline="always">
                    Policies
                  </Anchor>
                  .
                </Empty>
              ) : (
                <Stack gap="xs" mt="sm">
                  {items.map((command) => (
                    <div key={command.id}>
                      <Anchor component={Link} to={`/sessions/${command.session}?at=${command.second}`}>
                        <CommandText text={command.command} hidden={command.hidden} />
                      </Anchor>
                      <Text size="sm" c="dimmed">
                        <Untrusted
                          text={`${command.user} on ${command.device}, ${command.rules[0]?.rule ?? ''}`}
                        />
                        , <Moment at={command.at} />
                      </Text>
                    </div>
                  ))}
                </Stack>
              )
            }
          </Shown>
        </Card>
        <Card withBorder>
          <Title order={2}>Users by commands today</Title>
          <Shown query={users}>
            {({ items }) =>
              items.length === 0 ? (
                <Empty title="No commands today">What users submit is counted here.</Empty>
              ) : (
                <Suspense fallback={<Waiting />}>
                  <CountChart counts={items.slice(0, MOST_SHOWN)} />
                </Suspense>
              )
            }
          </Shown>
        </Card>
      </SimpleGrid>
      {may('ratings.read') ? <LowestRatings /> : null}
      {commands.length === 0 ? null : (
        <Card withBorder>
          <Title order={2}>Just now</Title>
          <Stack gap={4} mt="sm" aria-live="polite">
            {commands.slice(0, 12).map((command) => (
              <Group key={command.id} gap="sm" wrap="nowrap">
                <Outcome outcome={command.outcome} />
                <Text size="sm">
                  <Untrusted text={`${command.user}@${command.device}`} />
                </Text>
                <CommandText text={command.command} hidden={command.hidden} />
              </Group>
            ))}
          </Stack>
        </Card>
      )}
    </Page>
  );
};
