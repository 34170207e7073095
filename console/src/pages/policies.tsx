// The rules: files, an editor that tells mistakes as they are typed, a box that shows what a line comes to and which rule
// meets it, a back-test over what was submitted, and the history with its differences.
import {
  Alert,
  Anchor,
  Badge,
  Button,
  Card,
  Code,
  Group,
  NavLink,
  Select,
  SimpleGrid,
  Stack,
  Table,
  Tabs,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { RuleEditor } from '../parts/editor.tsx';
import { CommandText, Criticality, counted, Moment, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type File = Shapes['PolicyFile'];

const FRESH = `name: my-rules
rules:
  - name: no shutdown
    match: ["{shutdown,reboot,halt,poweroff} **"]
    action: block
    criticality: high
    message: Ask carol before you stop a device.
    test:
      match: ["sudo shutdown now"]
      nomatch: ["echo shutdown"]
`;

const actionColour = (action: string): string =>
  ['block', 'interrupt'].includes(action) ? 'red' : ['none', 'log'].includes(action) ? 'teal' : 'orange';

const TryLine = ({
  draft,
}: {
  readonly draft: { readonly file: string; readonly text: string } | undefined;
}) => {
  const [line, setLine] = useState('sudo sh -c "rm -rf /var/lib"');
  const [user, setUser] = useState('');
  const [device, setDevice] = useState('');
  const [settled] = useDebouncedValue({ line, user, device, draft }, 300);
  const tried = useQuery({
    queryKey: ['policy-test', settled],
    queryFn: () =>
      taken(
        api.POST('/api/policies/test', {
          body: {
            line: settled.line,
            ...(settled.user === '' ? {} : { user: settled.user }),
            ...(settled.device === '' ? {} : { device: settled.device }),
            ...(settled.draft === undefined ? {} : { draft: { ...settled.draft } }),
          },
        }),
      ),
    enabled: settled.line.trim() !== '',
    placeholderData: (before) => before,
  });
  return (
    <Stack gap="sm">
      <TextInput
        label="A line, as somebody would type it"
        value={line}
        onChange={(event) => setLine(event.currentTarget.value)}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        spellCheck={false}
      />
      <Group>
        <TextInput
          label="User"
          size="xs"
          placeholder="someone"
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        <TextInput
          label="Device"
          size="xs"
          placeholder="device"
          value={device}
          onChange={(event) => setDevice(event.currentTarget.value)}
        />
      </Group>
      {tried.isError ? <Told error={tried.error} /> : null}
      {tried.data === undefined ? null : (
        <Stack gap="xs" aria-live="polite" className="tried">
          <Group gap="xs">
            <Text fw={600}>Decision</Text>
            <Badge color={actionColour(tried.data.action)} variant="outline">
              {tried.data.action}
            </Badge>
            {tried.data.allowlistMiss ? <Badge color="orange">not on the allow-list</Badge> : null}
            {tried.data.incomplete === 'none' ? null : (
              <Badge color="yellow" variant="outline">
                the shell waits for more: {tried.data.incomplete}
              </Badge>
            )}
          </Group>
          <Table aria-label="What it comes to">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Runs</Table.Th>
                <Table.Th scope="col">Through</Table.Th>
                <Table.Th scope="col">Meets</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {tried.data.commands.map((command, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: matches refer to commands by their place
                <Table.Tr key={index}>
                  <Table.Td>
                    <CommandText text={command.text} />
                  </Table.Td>
                  <Table.Td>
                    <Untrusted text={command.via.join(' ← ')} />
                  </Table.Td>
                  <Table.Td>
                    <Untrusted
                      text={tried.data.matches
                        .filter((match) => match.command === index)
                        .map((match) => match.rule)
                        .join(', ')}
                    />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          {tried.data.opaque.map((one) => (
            <Text key={`${one.where} ${one.text}`} size="sm">
              Unknown: <CommandText text={one.text} /> ({one.why})
            </Text>
          ))}
          {tried.data.matches.map((match) => (
            <Alert
              key={match.rule}
              variant="outline"
              color={actionColour(match.action)}
              title={<Untrusted text={match.rule} />}
            >
              <Group gap="xs">
                <Badge variant="outline" color={actionColour(match.action)}>
                  {match.action}
                </Badge>
                <Criticality level={match.criticality} />
                <Text size="sm">{match.points} points</Text>
                {match.shadow ? <Badge variant="outline">shadow</Badge> : null}
              </Group>
              <Text size="sm">
                <Untrusted text={match.why} />
              </Text>
              {match.message === null ? null : (
                <Text size="sm" fs="italic">
                  <Untrusted text={match.message} />
                </Text>
              )}
            </Alert>
          ))}
        </Stack>
      )}
    </Stack>
  );
};

const DAYS = [
  { value: '1', label: 'the last day' },
  { value: '7', label: 'the last 7 days' },
  { value: '30', label: 'the last 30 days' },
  { value: '365', label: 'the last year' },
];

const BackTest = ({
  draft,
}: {
  readonly draft: { readonly file: string; readonly text: string } | undefined;
}) => {
  const [days, setDays] = useState('30');
  const test = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/policies/backtest', {
          body: {
            since: new Date(Date.now() - Number(days) * 86_400_000).toISOString(),
            ...(draft === undefined ? {} : { draft: { ...draft } }),
          },
        }),
      ),
  });
  return (
    <Stack gap="sm">
      <Text size="sm">Whom these rules would have met, among what was really submitted.</Text>
      <Group align="end">
        <Select
          label="Over"
          size="xs"
          data={DAYS}
          value={days}
          onChange={(value) => setDays(value ?? '30')}
          allowDeselect={false}
        />
        <Button size="xs" loading={test.isPending} onClick={() => test.mutate()}>
          Run
        </Button>
      </Group>
      {test.isError ? <Told error={test.error} /> : null}
      {test.data === undefined ? null : (
        <>
          <Text fw={600}>
            {test.data.hits} of {test.data.commands} commands would have met a rule
          </Text>
          <Table aria-label="By rule">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Rule</Table.Th>
                <Table.Th scope="col">Hits</Table.Th>
                <Table.Th scope="col">Users</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {test.data.byRule.map((one) => (
                <Table.Tr key={one.rule}>
                  <Table.Td>
                    <Untrusted text={one.rule} />
                  </Table.Td>
                  <Table.Td>{one.hits}</Table.Td>
                  <Table.Td>
                    <Untrusted text={one.users.join(', ')} limit={200} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          {test.data.examples.slice(0, 30).map((hit) => (
            <Text key={`${hit.session ?? ''} ${hit.at} ${hit.rule} ${hit.line}`} size="sm">
              <Moment at={hit.at} />{' '}
              <Anchor component={Link} to={`/sessions/${hit.session ?? ''}`}>
                <Untrusted text={`${hit.user} on ${hit.device}`} />
              </Anchor>
              : <CommandText text={hit.line} /> ({hit.action}, <Untrusted text={hit.rule} />)
            </Text>
          ))}
        </>
      )}
    </Stack>
  );
};

const Difference = ({ text }: { readonly text: string }) =>
  text === '' ? (
    <Text size="sm">The same as what is in force.</Text>
  ) : (
    <Code block>
      {text.split('\n').map((line, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of one text
          key={index}
          className={
            line.startsWith('+') ? 'difference-added' : line.startsWith('-') ? 'difference-removed' : ''
          }
        >
          {plainText(line)}
          {'\n'}
        </span>
      ))}
    </Code>
  );

const History = ({ file }: { readonly file: string }) => {
  const may = useMay();
  const queries = useQueryClient();
  const [open, setOpen] = useState<string>();
  const versions = useQuery({
    queryKey: ['policy-versions', file],
    queryFn: () =>
      taken(api.GET('/api/policies/{file}/versions', { params: { path: { file }, query: { limit: '50' } } })),
  });
  const one = useQuery({
    queryKey: ['policy-version', file, open],
    queryFn: () =>
      taken(api.GET('/api/policies/{file}/versions/{id}', { params: { path: { file, id: open ?? '' } } })),
    enabled: open !== undefined,
  });
  const restore = useMutation({
    mutationFn: (id: string) =>
      taken(api.POST('/api/policies/{file}/versions/{id}/restore', { params: { path: { file, id } } })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['policies'] }),
        queries.invalidateQueries({ queryKey: ['policy-versions', file] }),
      ]),
  });
  return (
    <Shown query={versions}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="No history yet">
            Each text that is published here is kept, with who published it and why.
          </Empty>
        ) : (
          <Stack gap="xs">
            {items.map((version) => (
              <Card key={version.id} withBorder padding="xs">
                <Group justify="space-between">
                  <Text size="sm">
                    <Moment at={version.at} /> · <Untrusted text={version.actor} />
                    {version.note === '' ? null : (
                      <>
                        {' · '}
                        <Untrusted text={version.note} />
                      </>
                    )}
                  </Text>
                  <Group gap="xs">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-expanded={open === version.id}
                      onClick={() => setOpen((now) => (now === version.id ? undefined : version.id))}
                    >
                      Difference
                    </Button>
                    {may('policies.write') ? (
                      <Button
                        size="compact-xs"
                        variant="default"
                        loading={restore.isPending}
                        onClick={() => restore.mutate(version.id)}
                      >
                        Roll back to this
                      </Button>
                    ) : null}
                  </Group>
                </Group>
                {open === version.id ? (
                  <Shown query={one}>{({ diff }) => <Difference text={diff} />}</Shown>
                ) : null}
              </Card>
            ))}
            {restore.isError ? <Told error={restore.error} /> : null}
          </Stack>
        )
      }
    </Shown>
  );
};

const Edited = ({ file, isNew }: { readonly file: File; readonly isNew: boolean }) => {
  const may = useMay();
  const queries = useQueryClient();
  const [, setSearch] = useSearchParams();
  const [text, setText] = useState(file.text);
  const [name, setName] = useState(file.file);
  const [note, setNote] = useState('');
  const [settled] = useDebouncedValue(text, 400);
  const changed = text !== file.text || isNew;
  const valid = useQuery({
    queryKey: ['policy-validate', name, settled],
    queryFn: () => taken(api.POST('/api/policies/validate', { body: { file: name, text: settled } })),
    enabled: file.origin === 'folder',
    placeholderData: (before) => before,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const publish = useMutation({
    mutationFn: () =>
      taken(
        api.PUT('/api/policies/{file}', {
          params: { path: { file: name }, ...(isNew ? {} : { header: { 'If-Match': file.etag } }) },
          body: { text, note },
        }),
      ),
    onSuccess: async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['policies'] }),
        queries.invalidateQueries({ queryKey: ['policy-versions', name] }),
      ]);
      setSearch({ file: name });
    },
  });
  const mistakes = (valid.data?.problems ?? []).filter((problem) => problem.file === name);
  const elsewhere = (valid.data?.problems ?? []).filter((problem) => problem.file !== name);
  const draft = file.origin === 'folder' && changed ? { file: name, text: settled } : undefined;
  return (
    <SimpleGrid cols={{ base: 1, xl: 2 }}>
      <Stack gap="sm">
        {isNew ? (
          <TextInput
            label="File name"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        ) : null}
        <RuleEditor
          text={file.text}
          change={setText}
          readOnly={file.origin === 'pack' || !may('policies.write')}
          mistakes={mistakes}
        />
        <Group gap="xs" role="status">
          {file.origin === 'pack' ? (
            <Badge variant="outline">a pack that ships: read only</Badge>
          ) : valid.data === undefined ? null : valid.data.problems.length === 0 ? (
            <Badge color="teal" variant="outline">
              {counted(valid.data.rules, 'rule')}, {counted(valid.data.tests, 'test')} passed
            </Badge>
          ) : (
            <Badge color="red" variant="outline">
              {valid.data.problems.length} mistakes
            </Badge>
          )}
        </Group>
        {[...mistakes, ...elsewhere].slice(0, 10).map((problem) => (
          <Text key={`${problem.file}:${problem.line}:${problem.column} ${problem.message}`} size="sm">
            <code>
              {plainText(problem.file)}:{problem.line}:{problem.column}
            </code>{' '}
            <Untrusted text={problem.message} />
          </Text>
        ))}
        {valid.isError ? <Told error={valid.error} /> : null}
        {file.origin === 'folder' && may('policies.write') ? (
          <Group align="end">
            <TextInput
              label="Why"
              style={{ flex: 1 }}
              value={note}
              onChange={(event) => setNote(event.currentTarget.value)}
            />
            <Button
              disabled={!changed || (valid.data?.problems.length ?? 1) > 0 || settled !== text}
              loading={publish.isPending}
              onClick={() => publish.mutate()}
            >
              Publish
            </Button>
          </Group>
        ) : null}
        {publish.isError ? <Told error={publish.error} /> : null}
      </Stack>
      <Card withBorder>
        <Tabs defaultValue="try" keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="try">Try a line</Tabs.Tab>
            <Tabs.Tab value="backtest">Back-test</Tabs.Tab>
            {file.origin === 'folder' && !isNew ? <Tabs.Tab value="history">History</Tabs.Tab> : null}
          </Tabs.List>
          <Tabs.Panel value="try" pt="md">
            <TryLine draft={draft} />
          </Tabs.Panel>
          <Tabs.Panel value="backtest" pt="md">
            <BackTest draft={draft} />
          </Tabs.Panel>
          <Tabs.Panel value="history" pt="md">
            <History file={file.file} />
          </Tabs.Panel>
        </Tabs>
      </Card>
    </SimpleGrid>
  );
};

const NEW = '+';

const Policies = () => {
  const may = useMay();
  const [search, setSearch] = useSearchParams();
  const policies = useQuery({ queryKey: ['policies'], queryFn: () => taken(api.GET('/api/policies')) });
  return (
    <Page
      title="Policies"
      actions={
        may('policies.write') ? <Button onClick={() => setSearch({ file: NEW })}>New rule file</Button> : null
      }
    >
      <Shown query={policies}>
        {({ items, rules, version, problems }) => {
          const wanted =
            search.get('file') ?? items.find(({ origin }) => origin === 'folder')?.file ?? items[0]?.file;
          const isNew = wanted === NEW || items.length === 0;
          const file: File | undefined = isNew
            ? { file: 'my-rules.yaml', origin: 'folder', text: FRESH, etag: '' }
            : items.find((one) => one.file === wanted);
          return (
            <Stack>
              <Text size="sm" c="dimmed">
                {counted(rules, 'rule')} in force, version <code>{version}</code>
              </Text>
              {problems.length > 0 ? (
                <Alert
                  color="red"
                  variant="outline"
                  title="The files in the folder can’t be used; the last good ones are in force"
                >
                  {problems.slice(0, 5).map((problem) => (
                    <Text key={`${problem.file}:${problem.line} ${problem.message}`} size="sm">
                      <Untrusted
                        text={`${problem.file}:${problem.line}:${problem.column} ${problem.message}`}
                      />
                    </Text>
                  ))}
                </Alert>
              ) : null}
              {items.length === 0 ? (
                <Empty title="No rules yet">
                  Every command is logged without one. Begin with the rule below, try it, and publish it;
                  packs that ship are switched on by <code>policyPacks</code>.
                </Empty>
              ) : (
                <Group gap={4} aria-label="Rule files">
                  {items.map((one) => (
                    <NavLink
                      key={`${one.origin} ${one.file}`}
                      component={Link}
                      to={`/policies?file=${encodeURIComponent(one.file)}`}
                      label={<Untrusted text={one.origin === 'pack' ? `pack ${one.file}` : one.file} />}
                      active={!isNew && one.file === file?.file}
                      w="auto"
                    />
                  ))}
                </Group>
              )}
              {file === undefined ? (
                <Empty title="There is no such file">Choose one of those above.</Empty>
              ) : (
                <>
                  <Title order={2}>
                    <Untrusted text={isNew ? 'New rule file' : file.file} />
                  </Title>
                  <Edited key={`${file.file} ${file.etag}`} file={file} isNew={isNew} />
                </>
              )}
            </Stack>
          );
        }}
      </Shown>
    </Page>
  );
};

export default Policies;
