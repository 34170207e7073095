// Users, devices, credentials and grants: one page for each kind, with the same list and the same form for what is new and
// what is changed. A change that somebody else has made meanwhile is told, never overwritten.
import {
  Alert,
  Badge,
  Button,
  Group,
  Modal,
  Select,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useSearchParams } from 'react-router';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
import { type Field, Form, list, number, secret, text, textOrNull, type Values } from '../parts/form.tsx';
import { usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters } from '../parts/table.tsx';
import { inWords, Moment, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told, Waiting } from '../parts/told.tsx';
import { useMay } from '../who.ts';

const ROLES = ['engineer', 'administrator', 'auditor'] as const;
const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const;
const CHANNELS = ['shell', 'exec', 'sftp', 'scp', 'forward', 'agent', 'x11'] as const;
const RECORDINGS = ['strict', 'best-effort'] as const;
const NON_INTERACTIVE = ['pause', 'end'] as const;
const YES = 'may look at credentials';

const chosen = <T extends string>(all: readonly T[], words: readonly string[]): T[] =>
  all.filter((one) => words.includes(one));

interface Named {
  readonly name: string;
  readonly updatedAt: string;
}

interface Kind<T extends Named> {
  readonly title: string;
  readonly one: string;
  readonly columns: readonly Column<T>[];
  readonly fields: readonly Field[];
  readonly nothing: ReactNode;
  readonly initial: (thing: T | undefined) => Values;
  readonly read: (
    q: string | undefined,
    after: string | undefined,
  ) => Promise<{ items: T[]; next: string | null }>;
  readonly find: (name: string) => Promise<{ readonly data: T; readonly tag: string }>;
  readonly put: (name: string, values: Values, tag: string | undefined) => Promise<unknown>;
  readonly remove: (name: string, tag: string) => Promise<unknown>;
  readonly more?: (thing: T, done: () => void) => ReactNode;
}

const words = (items: readonly string[]) => <Untrusted text={items.join(', ')} limit={120} />;

const header = (tag: string | undefined) => (tag === undefined ? {} : { header: { 'If-Match': tag } });

const paged = (q: string | undefined, after: string | undefined) => ({
  params: {
    query: { limit: '100', ...(q === undefined ? {} : { q }), ...(after === undefined ? {} : { after }) },
  },
});

const updated = <T extends Named>(): Column<T> => ({
  key: 'updatedAt',
  label: 'Changed',
  cell: (row) => <Moment at={row.updatedAt} />,
  value: (row) => row.updatedAt,
});

const name = <T extends Named>(): Column<T> => ({
  key: 'name',
  label: 'Name',
  cell: (row) => <Untrusted text={row.name} />,
  value: (row) => row.name,
});

const Access = ({ user, done }: { readonly user: Shapes['User']; readonly done: () => void }) => {
  const change = useMutation({
    mutationFn: () => {
      const params = { params: { path: { name: user.name } } };
      return taken(
        user.disabledReason === null
          ? api.POST('/api/users/{name}/disable', {
              ...params,
              body: { reason: 'by an administrator, in the console' },
            })
          : api.POST('/api/users/{name}/enable', params),
      );
    },
    onSuccess: done,
  });
  return (
    <>
      <Button variant="outline" color="red" loading={change.isPending} onClick={() => change.mutate()}>
        {user.disabledReason === null ? 'Disable, and end what is open' : 'Enable again'}
      </Button>
      {change.isError ? <Told error={change.error} /> : null}
    </>
  );
};

const users: Kind<Shapes['User']> = {
  title: 'Users',
  one: 'user',
  nothing: 'A user signs in by ssh, and with a password here. Add one, or use sallyport apply.',
  columns: [
    name(),
    {
      key: 'roles',
      label: 'Roles',
      cell: (row) => row.roles.join(', '),
      value: (row) => row.roles.join(' '),
    },
    {
      key: 'groups',
      label: 'Groups',
      cell: (row) => words(row.groups),
      value: (row) => row.groups.join(' '),
    },
    {
      key: 'department',
      label: 'Department',
      cell: (row) => <Untrusted text={row.department ?? ''} />,
      value: (row) => row.department,
    },
    { key: 'priority', label: 'Priority', cell: (row) => row.priority, value: (row) => row.priority },
    {
      key: 'factors',
      label: 'Signs in with',
      cell: (row) =>
        [
          row.keys.length > 0 ? `${row.keys.length} keys` : '',
          row.password ? 'password' : '',
          row.totp ? 'code' : '',
        ]
          .filter((word) => word !== '')
          .join(', '),
      value: (row) => row.keys.length,
    },
    {
      key: 'state',
      label: 'State',
      cell: (row) =>
        row.disabledReason === null ? (
          <Badge color="teal" variant="outline">
            active
          </Badge>
        ) : (
          <Badge color="red" variant="outline" title={row.disabledReason}>
            disabled
          </Badge>
        ),
      value: (row) => row.disabledReason ?? 'active',
    },
    updated(),
  ],
  fields: [
    { key: 'roles', label: 'Roles', kind: 'choices', choices: ROLES },
    { key: 'groups', label: 'Groups', kind: 'list', help: 'One a line' },
    { key: 'department', label: 'Department', kind: 'text' },
    { key: 'priority', label: 'Priority', kind: 'select', choices: PRIORITIES, required: true },
    { key: 'keys', label: 'Public keys', kind: 'list', help: 'Lines of authorized_keys' },
    { key: 'password', label: 'New password', kind: 'secret', help: 'Left empty, it stays as it is' },
    {
      key: 'totp',
      label: 'New secret for one-time codes',
      kind: 'secret',
      help: 'Base32; left empty, it stays',
    },
  ],
  initial: (user) => ({
    roles: user?.roles ?? ['engineer'],
    groups: user?.groups ?? [],
    department: user?.department ?? '',
    priority: user?.priority ?? 'medium',
    keys: user?.keys ?? [],
  }),
  read: (q, after) => taken(api.GET('/api/users', paged(q, after))),
  find: (of) => takenWithTag(api.GET('/api/users/{name}', { params: { path: { name: of } } })),
  put: (of, values, tag) => {
    const [password, totp] = [secret(values, 'password'), secret(values, 'totp')];
    return taken(
      api.PUT('/api/users/{name}', {
        params: { path: { name: of }, ...header(tag) },
        body: {
          roles: chosen(ROLES, list(values, 'roles')),
          groups: list(values, 'groups'),
          department: textOrNull(values, 'department'),
          priority: PRIORITIES.find((one) => one === text(values, 'priority')) ?? 'medium',
          keys: list(values, 'keys'),
          ...(password === undefined ? {} : { password }),
          ...(totp === undefined ? {} : { totp }),
        },
      }),
    );
  },
  remove: (of, tag) =>
    taken(api.DELETE('/api/users/{name}', { params: { path: { name: of }, header: { 'If-Match': tag } } })),
  more: (user, done) => <Access user={user} done={done} />,
};

const ForgetKeys = ({ device, done }: { readonly device: Shapes['Device']; readonly done: () => void }) => {
  const forget = useMutation({
    mutationFn: () =>
      taken(api.POST('/api/devices/{name}/forget-host-keys', { params: { path: { name: device.name } } })),
    onSuccess: done,
  });
  if (device.hostKeys.length === 0) return null;
  return (
    <Stack gap={4}>
      <Text size="sm" fw={600}>
        Host keys
      </Text>
      {device.hostKeys.map(({ key, origin }) => (
        <Text key={key} size="xs" className="command">
          <Untrusted text={`${key} (${origin})`} />
        </Text>
      ))}
      <Group>
        <Button size="xs" variant="outline" color="red" onClick={() => forget.mutate()}>
          Forget them, and pin the next one seen
        </Button>
      </Group>
    </Stack>
  );
};

const UNSAID = 'not said here';
const ON_OFF = [UNSAID, 'on', 'off'] as const;

/** How lines of a terminal may be read besides by the screen; a credential's own word counts before its device's. */
const readingFields: readonly Field[] = [
  {
    key: 'shellIntegration',
    label: 'Shell integration',
    kind: 'select',
    choices: ON_OFF,
    required: true,
    help: 'bash, zsh and fish report the exact text of their lines; off where nobody says otherwise',
  },
  {
    key: 'sideChannel',
    label: 'Side channel',
    kind: 'select',
    choices: ON_OFF,
    required: true,
    help: 'A second channel tells which program is in the foreground; off where nobody says otherwise',
  },
];

type Reading = Pick<Shapes['Device'], 'shellIntegration' | 'sideChannel'>;

const said = (flag: boolean | null | undefined): string =>
  flag === true ? 'on' : flag === false ? 'off' : UNSAID;
const readingValues = (of: Reading | undefined) => ({
  shellIntegration: said(of?.shellIntegration),
  sideChannel: said(of?.sideChannel),
});
const flag = (values: Values, key: string): boolean | null => {
  const value = text(values, key);
  return value === 'on' ? true : value === 'off' ? false : null;
};
const readingOf = (values: Values): Reading => ({
  shellIntegration: flag(values, 'shellIntegration'),
  sideChannel: flag(values, 'sideChannel'),
});

const devices: Kind<Shapes['Device']> = {
  title: 'Devices',
  one: 'device',
  nothing: 'A device is a host that the gateway opens with a credential. Add one, then a credential for it.',
  columns: [
    name(),
    {
      key: 'host',
      label: 'Address',
      cell: (row) => <Untrusted text={`${row.host}:${row.port}`} />,
      value: (row) => `${row.host}:${row.port}`,
    },
    { key: 'tags', label: 'Tags', cell: (row) => words(row.tags), value: (row) => row.tags.join(' ') },
    { key: 'os', label: 'System', cell: (row) => <Untrusted text={row.os ?? ''} />, value: (row) => row.os },
    {
      key: 'hostKeys',
      label: 'Host key',
      cell: (row) => row.hostKeys[0]?.origin ?? 'not seen yet',
      value: (row) => row.hostKeys[0]?.origin ?? null,
    },
    updated(),
  ],
  fields: [
    { key: 'host', label: 'Host name or address', kind: 'text', required: true },
    { key: 'port', label: 'Port', kind: 'number' },
    { key: 'tags', label: 'Tags', kind: 'list', help: 'One a line' },
    { key: 'os', label: 'System', kind: 'text' },
    {
      key: 'hostKeys',
      label: 'New host keys',
      kind: 'list',
      help: 'As in ssh_host_*_key.pub; left empty, what is pinned stays, or the first one seen is pinned',
    },
    ...readingFields,
  ],
  initial: (device) => ({
    host: device?.host ?? '',
    port: device?.port ?? 22,
    tags: device?.tags ?? [],
    os: device?.os ?? '',
    ...readingValues(device),
  }),
  read: (q, after) => taken(api.GET('/api/devices', paged(q, after))),
  find: (of) => takenWithTag(api.GET('/api/devices/{name}', { params: { path: { name: of } } })),
  put: (of, values, tag) => {
    const hostKeys = list(values, 'hostKeys');
    return taken(
      api.PUT('/api/devices/{name}', {
        params: { path: { name: of }, ...header(tag) },
        body: {
          host: text(values, 'host'),
          port: number(values, 'port', 22),
          tags: list(values, 'tags'),
          os: textOrNull(values, 'os'),
          ...(hostKeys.length === 0 ? {} : { hostKeys }),
          ...readingOf(values),
        },
      }),
    );
  },
  remove: (of, tag) =>
    taken(api.DELETE('/api/devices/{name}', { params: { path: { name: of }, header: { 'If-Match': tag } } })),
  more: (device, done) => <ForgetKeys device={device} done={done} />,
};

const METHODS = [
  { value: 'chpasswd', label: 'chpasswd, by an account that may' },
  { value: 'sudo-chpasswd', label: 'sudo chpasswd, by an account that may' },
  { value: 'passwd', label: 'passwd, by the account itself' },
] as const;

const OUTCOMES: Readonly<Record<string, { readonly color: string; readonly text: string }>> = {
  done: { color: 'teal', text: 'Done: the new secret opens the account, and only the gateway knows it.' },
  failed: { color: 'red', text: 'Failed: the old secret stays.' },
  unverified: {
    color: 'orange',
    text: 'Nobody knows yet which secret holds: the gateway tries both, and settles it.',
  },
  running: { color: 'yellow', text: 'It goes on. What comes of it stands below.' },
};

/** A new secret on the device itself, and how earlier ones went. */
const Rotation = ({ credential }: { readonly credential: Shapes['Credential'] }) => {
  const queries = useQueryClient();
  const [method, setMethod] = useState<string | null>(null);
  const [by, setBy] = useState('');
  const rotations = useQuery({
    queryKey: ['rotations', credential.name],
    queryFn: () =>
      taken(api.GET('/api/rotations', { params: { query: { credential: credential.name, limit: '10' } } })),
    refetchInterval: 5_000,
  });
  const rotate = useMutation({
    mutationFn: () => {
      const chosenMethod = METHODS.find(({ value }) => value === method)?.value;
      return taken(
        api.POST('/api/credentials/{name}/rotation', {
          params: { path: { name: credential.name } },
          body: {
            ...(chosenMethod === undefined ? {} : { method: chosenMethod }),
            ...(by.trim() === '' ? {} : { by: by.trim() }),
          },
        }),
      );
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['rotations'] }),
  });
  const outcome = rotate.data === undefined ? undefined : OUTCOMES[rotate.data.outcome];
  return (
    <Stack gap="sm">
      <Title order={3}>Rotation</Title>
      <Text size="sm">
        Gives the account a new secret on its device, proves that it opens it, and keeps it sealed.
      </Text>
      <Group align="end">
        <Select
          label="How"
          placeholder="as fits"
          clearable
          clearButtonProps={{ 'aria-label': 'as fits' }}
          data={[...METHODS]}
          value={method}
          onChange={setMethod}
        />
        <TextInput
          label="By another credential"
          placeholder="its own"
          value={by}
          onChange={(event) => setBy(event.currentTarget.value)}
        />
        <Button variant="default" loading={rotate.isPending} onClick={() => rotate.mutate()}>
          Rotate now
        </Button>
      </Group>
      {outcome === undefined ? null : (
        <Alert variant="outline" color={outcome.color} role="status">
          {outcome.text}
          {rotate.data?.detail === '' ? null : (
            <>
              {' ('}
              <Untrusted text={rotate.data?.detail ?? ''} limit={300} />)
            </>
          )}
        </Alert>
      )}
      {rotate.isError ? <Told error={rotate.error} /> : null}
      <Shown query={rotations}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              It has not been rotated yet.
            </Text>
          ) : (
            <Table aria-label="Rotations">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">Started</Table.Th>
                  <Table.Th scope="col">By</Table.Th>
                  <Table.Th scope="col">How</Table.Th>
                  <Table.Th scope="col">State</Table.Th>
                  <Table.Th scope="col">More</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((one) => (
                  <Table.Tr key={one.id}>
                    <Table.Td>
                      <Moment at={one.startedAt} />
                    </Table.Td>
                    <Table.Td>
                      <Untrusted text={one.actor} />
                    </Table.Td>
                    <Table.Td>{inWords(one.method)}</Table.Td>
                    <Table.Td>
                      <Badge variant="outline" color={OUTCOMES[one.state]?.color ?? 'gray'}>
                        {one.state}
                      </Badge>
                    </Table.Td>
                    <Table.Td>
                      <Untrusted text={one.detail} limit={200} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )
        }
      </Shown>
    </Stack>
  );
};

const credentials: Kind<Shapes['Credential']> = {
  title: 'Credentials',
  one: 'credential',
  nothing:
    'A credential opens an account on a device. It is sealed as it is saved, and nobody is shown it here.',
  columns: [
    name(),
    {
      key: 'device',
      label: 'Device',
      cell: (row) => <Untrusted text={row.device} />,
      value: (row) => row.device,
    },
    {
      key: 'username',
      label: 'Account',
      cell: (row) => <Untrusted text={row.username} />,
      value: (row) => row.username,
    },
    {
      key: 'kind',
      label: 'Kind',
      cell: (row) => (row.kind === 'privateKey' ? 'private key' : 'password'),
      value: (row) => row.kind,
    },
    updated(),
  ],
  fields: [
    { key: 'device', label: 'Device', kind: 'text', required: true },
    { key: 'username', label: 'Account', kind: 'text', required: true },
    { key: 'password', label: 'New password', kind: 'secret', help: 'Left empty, the secret stays as it is' },
    { key: 'privateKey', label: 'New private key', kind: 'secret-text', help: 'In OpenSSH or PEM form' },
    ...readingFields,
  ],
  initial: (credential) => ({
    device: credential?.device ?? '',
    username: credential?.username ?? '',
    ...readingValues(credential),
  }),
  read: (q, after) => taken(api.GET('/api/credentials', paged(q, after))),
  find: (of) => takenWithTag(api.GET('/api/credentials/{name}', { params: { path: { name: of } } })),
  put: (of, values, tag) => {
    const [password, privateKey] = [secret(values, 'password'), secret(values, 'privateKey')];
    return taken(
      api.PUT('/api/credentials/{name}', {
        params: { path: { name: of }, ...header(tag) },
        body: {
          device: text(values, 'device'),
          username: text(values, 'username'),
          ...(password === undefined ? {} : { password }),
          ...(privateKey === undefined ? {} : { privateKey }),
          ...readingOf(values),
        },
      }),
    );
  },
  remove: (of, tag) =>
    taken(
      api.DELETE('/api/credentials/{name}', { params: { path: { name: of }, header: { 'If-Match': tag } } }),
    ),
  more: (credential) => <Rotation credential={credential} />,
};

const grants: Kind<Shapes['Grant']> = {
  title: 'Grants',
  one: 'grant',
  nothing:
    'A grant says who may reach which devices, as whom, when, and in which ways. Without one nobody reaches anything.',
  columns: [
    name(),
    {
      key: 'who',
      label: 'Who',
      cell: (row) => words([...row.users, ...row.groups.map((group) => `group ${group}`)]),
      value: (row) => [...row.users, ...row.groups].join(' '),
    },
    {
      key: 'what',
      label: 'Devices',
      cell: (row) => words([...row.devices, ...row.tags.map((tag) => `tag ${tag}`)]),
      value: (row) => [...row.devices, ...row.tags].join(' '),
    },
    {
      key: 'credentials',
      label: 'As',
      cell: (row) => (row.credentials === null ? 'any account' : words(row.credentials)),
      value: (row) => row.credentials?.join(' ') ?? '',
    },
    {
      key: 'channels',
      label: 'Ways',
      cell: (row) => row.channels.join(', '),
      value: (row) => row.channels.join(' '),
    },
    {
      key: 'times',
      label: 'When',
      cell: (row) => (row.times.length === 0 ? 'always' : words(row.times)),
      value: (row) => row.times.join(' '),
    },
    { key: 'recording', label: 'Recording', cell: (row) => row.recording, value: (row) => row.recording },
    updated(),
  ],
  fields: [
    { key: 'users', label: 'Users', kind: 'list', help: 'One a line' },
    { key: 'groups', label: 'Groups', kind: 'list' },
    { key: 'devices', label: 'Devices', kind: 'list', help: 'Names, or globs such as web-*' },
    { key: 'tags', label: 'Tags', kind: 'list' },
    { key: 'credentials', label: 'Credentials', kind: 'list', help: 'Empty: every account of the devices' },
    { key: 'channels', label: 'Ways', kind: 'choices', choices: CHANNELS },
    {
      key: 'times',
      label: 'When',
      kind: 'list',
      help: 'Such as mon-fri 08:00-18:00 Europe/Paris; empty: always',
    },
    { key: 'recording', label: 'Recording', kind: 'select', choices: RECORDINGS, required: true },
    { key: 'contact', label: 'Whom to ask', kind: 'text' },
    { key: 'more', label: 'Users also', kind: 'choices', choices: [YES] },
    {
      key: 'nonInteractive',
      label: 'Transfers while their user is asked who they are',
      kind: 'select',
      choices: NON_INTERACTIVE,
      required: true,
    },
  ],
  initial: (grant) => ({
    users: grant?.users ?? [],
    groups: grant?.groups ?? [],
    devices: grant?.devices ?? [],
    tags: grant?.tags ?? [],
    credentials: grant?.credentials ?? [],
    channels: grant?.channels ?? ['shell', 'exec', 'sftp', 'scp'],
    times: grant?.times ?? [],
    recording: grant?.recording ?? 'strict',
    contact: grant?.contact ?? '',
    more: grant?.viewCredentials === true ? [YES] : [],
    nonInteractive: grant?.nonInteractive ?? 'pause',
    // Shown nowhere yet and kept as they are.
    subsystems: grant?.subsystems ?? [],
  }),
  read: (q, after) => taken(api.GET('/api/grants', paged(q, after))),
  find: (of) => takenWithTag(api.GET('/api/grants/{name}', { params: { path: { name: of } } })),
  put: (of, values, tag) => {
    const named = list(values, 'credentials');
    return taken(
      api.PUT('/api/grants/{name}', {
        params: { path: { name: of }, ...header(tag) },
        body: {
          users: list(values, 'users'),
          groups: list(values, 'groups'),
          devices: list(values, 'devices'),
          tags: list(values, 'tags'),
          credentials: named.length === 0 ? null : named,
          channels: chosen(CHANNELS, list(values, 'channels')),
          subsystems: list(values, 'subsystems'),
          times: list(values, 'times'),
          recording: RECORDINGS.find((one) => one === text(values, 'recording')) ?? 'strict',
          contact: textOrNull(values, 'contact'),
          viewCredentials: list(values, 'more').includes(YES),
          nonInteractive: NON_INTERACTIVE.find((one) => one === text(values, 'nonInteractive')) ?? 'pause',
        },
      }),
    );
  },
  remove: (of, tag) =>
    taken(api.DELETE('/api/grants/{name}', { params: { path: { name: of }, header: { 'If-Match': tag } } })),
};

const NEW = '+';

const Editor = <T extends Named>({
  kind,
  of,
  done,
}: {
  readonly kind: Kind<T>;
  readonly of: string;
  readonly done: () => void;
}) => {
  const isNew = of === NEW;
  const current = useQuery({
    queryKey: [kind.title, 'one', of],
    queryFn: () => kind.find(of),
    enabled: !isNew,
    // What is being edited must not change under the form.
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
  const save = useMutation({
    mutationFn: (values: Values) =>
      kind.put(isNew ? text(values, 'name') : of, values, isNew ? undefined : current.data?.tag),
    onSuccess: done,
  });
  const remove = useMutation({
    mutationFn: () => kind.remove(of, current.data?.tag ?? '*'),
    onSuccess: done,
  });
  if (!isNew && current.data === undefined)
    return current.isPending ? <Waiting /> : <Told error={current.error} />;
  const fields: readonly Field[] = isNew
    ? [{ key: 'name', label: 'Name', kind: 'text', required: true }, ...kind.fields]
    : kind.fields;
  return (
    <Stack>
      <Form
        fields={fields}
        initial={kind.initial(current.data?.data)}
        submit={(values) => save.mutate(values)}
        busy={save.isPending}
        error={save.error}
      />
      {current.data === undefined ? null : (
        <>
          {kind.more?.(current.data.data, done)}
          <Button variant="outline" color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
            Remove this {kind.one}
          </Button>
          {remove.isError ? <Told error={remove.error} /> : null}
        </>
      )}
    </Stack>
  );
};

const Listed = <T extends Named>({ kind }: { readonly kind: Kind<T> }) => {
  const may = useMay();
  const queries = useQueryClient();
  const [search] = useSearchParams();
  const [edited, setEdited] = useState<string>();
  const q = search.get('q') ?? undefined;
  const things = usePages([kind.title, q], (after) => kind.read(q, after));
  const writes = may('directory.write');
  const columns: readonly Column<T>[] = writes
    ? [
        ...kind.columns,
        {
          key: 'edit',
          label: 'Edit',
          cell: (row) => (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Edit ${row.name}`}
              onClick={() => setEdited(row.name)}
            >
              Edit
            </Button>
          ),
          value: () => null,
        },
      ]
    : kind.columns;
  const done = (): void => {
    setEdited(undefined);
    void queries.invalidateQueries({ queryKey: [kind.title] });
  };
  return (
    <Page
      title={kind.title}
      actions={writes ? <Button onClick={() => setEdited(NEW)}>New {kind.one}</Button> : null}
    >
      <Filters filters={[{ key: 'q', label: 'Name' }]} />
      <Shown query={things}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={q === undefined ? `No ${kind.title.toLowerCase()} yet` : 'No name holds this'}>
              {kind.nothing}
            </Empty>
          ) : (
            <DataTable
              name={kind.title.toLowerCase()}
              columns={columns}
              rows={rows}
              rowKey={(row) => row.name}
              list={things}
            />
          )
        }
      </Shown>
      <Modal
        opened={edited !== undefined}
        onClose={() => setEdited(undefined)}
        title={edited === NEW ? `New ${kind.one}` : <Untrusted text={edited ?? ''} />}
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {edited === undefined ? null : <Editor key={edited} kind={kind} of={edited} done={done} />}
      </Modal>
    </Page>
  );
};

const Directory = ({ kind }: { readonly kind: 'users' | 'devices' | 'credentials' | 'grants' }) => {
  switch (kind) {
    case 'users':
      return <Listed key={kind} kind={users} />;
    case 'devices':
      return <Listed key={kind} kind={devices} />;
    case 'credentials':
      return <Listed key={kind} kind={credentials} />;
    case 'grants':
      return <Listed key={kind} kind={grants} />;
  }
};

export default Directory;
