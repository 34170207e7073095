// Outputs to other systems: what each sends where, how its queue stands, a test event, and what its receiver refused for
// good. Where they lead is written in sallyport.yaml; nothing secret of it is shown.
import { Badge, Button, Card, Group, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Shapes, taken } from '../api/client.ts';
import { Fact } from '../parts/fact.tsx';
import { counted, inWords, Moment, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Output = Shapes['Output'];

const stateOf = (output: Output): { readonly color: string; readonly text: string } => {
  if (!output.configured) return { color: 'gray', text: 'configured no more' };
  if (output.lastError !== null) return { color: 'red', text: 'does not get through' };
  if (output.refused > 0) return { color: 'orange', text: 'some were refused' };
  return output.waiting > 0
    ? { color: 'yellow', text: 'sends what waits' }
    : { color: 'teal', text: 'everything is sent' };
};

const Refused = ({ name }: { readonly name: string }) => {
  const refused = useQuery({
    queryKey: ['outputs', name, 'refused'],
    queryFn: () =>
      taken(api.GET('/api/outputs/{name}/refused', { params: { path: { name }, query: { limit: '50' } } })),
  });
  return (
    <Shown query={refused}>
      {({ items }) => (
        <Table aria-label={`Refused by ${name}`}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">At</Table.Th>
              <Table.Th scope="col">Event</Table.Th>
              <Table.Th scope="col">Why</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((one) => (
              <Table.Tr key={one.id}>
                <Table.Td>
                  <Moment at={one.at} />
                </Table.Td>
                <Table.Td>{inWords(one.kind)}</Table.Td>
                <Table.Td>
                  <Untrusted text={one.reason} limit={300} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Shown>
  );
};

const Orders = ({ output }: { readonly output: Output }) => {
  const queries = useQueryClient();
  const params = { params: { path: { name: output.name } } };
  const refresh = () => queries.invalidateQueries({ queryKey: ['outputs'] });
  const test = useMutation({ mutationFn: () => taken(api.POST('/api/outputs/{name}/test', params)) });
  const retry = useMutation({
    mutationFn: () => taken(api.POST('/api/outputs/{name}/retry', params)),
    onSettled: refresh,
  });
  const forget = useMutation({
    mutationFn: () => taken(api.DELETE('/api/outputs/{name}', params)),
    onSettled: refresh,
  });
  const failed = [test, retry, forget].find(({ isError }) => isError);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {output.configured ? (
          <Button
            size="xs"
            aria-label={`Send a test event to ${output.name}`}
            loading={test.isPending}
            onClick={() => test.mutate()}
          >
            Send a test event
          </Button>
        ) : (
          <Button
            size="xs"
            color="red"
            variant="outline"
            loading={forget.isPending}
            onClick={() => forget.mutate()}
          >
            Forget it with what waits
          </Button>
        )}
        {output.refused > 0 ? (
          <Button size="xs" variant="default" loading={retry.isPending} onClick={() => retry.mutate()}>
            Try the refused ones again
          </Button>
        ) : null}
      </Group>
      {test.data === undefined ? null : (
        <Text size="sm" role="status" className={test.data.taken ? 'difference-added' : 'difference-removed'}>
          {test.data.taken
            ? `The receiver took it, within ${Math.round(test.data.milliseconds)} ms.`
            : `It was not taken: ${plainText(test.data.detail)} (${plainText(test.data.code ?? '')})`}
        </Text>
      )}
      {failed === undefined ? null : <Told error={failed.error} />}
    </Stack>
  );
};

const One = ({ output }: { readonly output: Output }) => {
  const may = useMay();
  const [opened, setOpened] = useState(false);
  const state = stateOf(output);
  const limit = output.queueLimit === null ? '' : ` of ${output.queueLimit}`;
  return (
    <Card withBorder>
      <Group justify="space-between" align="start">
        <Group gap="sm">
          <Title order={2}>
            <Untrusted text={output.name} />
          </Title>
          <Badge variant="outline" color={state.color}>
            {state.text}
          </Badge>
        </Group>
        {may('exports.write') ? <Orders output={output} /> : null}
      </Group>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} mt="sm">
        <Fact label="Kind">
          {[output.kind, output.format, output.transport]
            .filter((word) => word !== null)
            .map((word) => plainText(word))
            .join(', ')}
        </Fact>
        <Fact label="To">
          <Untrusted text={output.destination ?? '–'} />
        </Fact>
        <Fact label="Waiting">
          {output.waiting}
          {limit}
        </Fact>
        <Fact label="The oldest is from">
          <Moment at={output.oldestWaiting} />
        </Fact>
        <Fact label="Delivered">{output.delivered}</Fact>
        <Fact label="Last delivered">
          <Moment at={output.lastDelivered} />
        </Fact>
        <Fact label="Refused for good">{output.refused}</Fact>
        <Fact label="Lost, the queue was full">{output.lost}</Fact>
        <Fact label="When it is full">{output.overflow === null ? '–' : inWords(output.overflow)}</Fact>
        <Fact label="From this severity on">{output.minimumSeverity ?? '–'}</Fact>
        <Fact label="Commands">{output.commands ?? '–'}</Fact>
        <Fact label="Events">
          {output.events === null ? (
            'every kind'
          ) : (
            <span title={output.events.join(', ')}>{counted(output.events.length, 'kind')}</span>
          )}
        </Fact>
      </SimpleGrid>
      {output.lastError === null ? null : (
        <Text size="sm" mt="sm">
          Last failure, <Moment at={output.lastErrorAt} />: <Untrusted text={output.lastError} limit={300} />
        </Text>
      )}
      {output.refused === 0 ? null : (
        <Stack gap="xs" mt="sm" align="start">
          <Button
            size="compact-xs"
            variant="default"
            aria-expanded={opened}
            onClick={() => setOpened((now) => !now)}
          >
            What was refused
          </Button>
          {opened ? <Refused name={output.name} /> : null}
        </Stack>
      )}
    </Card>
  );
};

const Outputs = () => {
  const outputs = useQuery({
    queryKey: ['outputs'],
    queryFn: () => taken(api.GET('/api/outputs')),
    refetchInterval: 5_000,
  });
  return (
    <Page title="SIEM outputs">
      <Shown query={outputs}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing is sent to other systems">
              Write outputs under <code>siem.outputs</code> in sallyport.yaml: syslog, webhooks or mail, in
              OCSF, ECS or CEF. They appear here when the gateway has read them.
            </Empty>
          ) : (
            <Stack>
              {items.map((output) => (
                <One key={output.name} output={output} />
              ))}
            </Stack>
          )
        }
      </Shown>
    </Page>
  );
};

export default Outputs;
