// Who one is, one's own sessions, one's passkeys, and the tokens that one's programs use.
import {
  Alert,
  Anchor,
  Badge,
  Button,
  Card,
  Checkbox,
  Code,
  Group,
  NumberInput,
  PasswordInput,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useContext, useState } from 'react';
import { Link } from 'react-router';
import { api, taken } from '../api/client.ts';
import { Moment, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown, Told } from '../parts/told.tsx';
import { type Permission, WhoContext } from '../who.ts';
import { Passkeys } from './passkeys.tsx';

const DAY = 86_400_000;

const Tokens = () => {
  const who = useContext(WhoContext);
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [days, setDays] = useState<number | string>(90);
  const [addresses, setAddresses] = useState('');
  const [permissions, setPermissions] = useState<string[]>([]);
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: () => taken(api.GET('/api/tokens')) });
  const changed = () => queries.invalidateQueries({ queryKey: ['tokens'] });
  const make = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/tokens', {
          body: {
            name,
            permissions: who.permissions.filter((permission: Permission) => permissions.includes(permission)),
            addresses: addresses.split(/[\s,]+/).filter((word) => word !== ''),
            expiresAt: new Date(Date.now() + Number(days) * DAY).toISOString(),
          },
        }),
      ),
    onSuccess: () => {
      setName('');
      return changed();
    },
  });
  const revoke = useMutation({
    mutationFn: (id: string) => taken(api.DELETE('/api/tokens/{id}', { params: { path: { id } } })),
    onSuccess: changed,
  });
  return (
    <Card withBorder>
      <Title order={2}>Tokens for programs</Title>
      <Shown query={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No tokens">Make one below for a program that uses the API in your name.</Empty>
          ) : (
            <Table aria-label="Tokens">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">Name</Table.Th>
                  <Table.Th scope="col">Permissions</Table.Th>
                  <Table.Th scope="col">Until</Table.Th>
                  <Table.Th scope="col">Last used</Table.Th>
                  <Table.Th scope="col">Revoke</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((token) => (
                  <Table.Tr key={token.id}>
                    <Table.Td>
                      <Untrusted text={token.name} />
                    </Table.Td>
                    <Table.Td>{token.permissions.join(', ')}</Table.Td>
                    <Table.Td>
                      <Moment at={token.expiresAt} />
                    </Table.Td>
                    <Table.Td>
                      <Moment at={token.seenAt} />
                    </Table.Td>
                    <Table.Td>
                      <Button
                        size="compact-xs"
                        color="red"
                        variant="outline"
                        aria-label={`Revoke ${token.name}`}
                        onClick={() => revoke.mutate(token.id)}
                      >
                        Revoke
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )
        }
      </Shown>
      {make.data === undefined ? null : (
        <Alert color="teal" variant="outline" title="Copy it now: it is shown this once" mt="md">
          <Code block>{make.data.secret}</Code>
        </Alert>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Stack mt="md" gap="sm">
          <Group align="end">
            <TextInput
              label="Name"
              required
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <NumberInput label="Days" w={100} min={1} max={400} value={days} onChange={setDays} />
            <TextInput
              label="Addresses"
              description="Networks it may come from; empty: any"
              value={addresses}
              onChange={(event) => setAddresses(event.currentTarget.value)}
            />
          </Group>
          <Checkbox.Group label="May" value={permissions} onChange={setPermissions}>
            <Group mt="xs" gap="sm">
              {who.permissions.map((permission) => (
                <Checkbox key={permission} value={permission} label={permission} />
              ))}
            </Group>
          </Checkbox.Group>
          {make.isError ? <Told error={make.error} /> : null}
          <Group>
            <Button type="submit" loading={make.isPending} disabled={permissions.length === 0}>
              Make a token
            </Button>
          </Group>
        </Stack>
      </form>
    </Card>
  );
};

const MySessions = () => {
  const who = useContext(WhoContext);
  const mine = useQuery({
    queryKey: ['my-sessions'],
    queryFn: () => taken(api.GET('/api/me/sessions', { params: { query: { limit: '20' } } })),
  });
  return (
    <Card withBorder>
      <Title order={2}>Your sessions</Title>
      <Shown query={mine}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No sessions yet">Connect with ssh; what you do is recorded.</Empty>
          ) : (
            <Table aria-label="Your sessions">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">Started</Table.Th>
                  <Table.Th scope="col">Device</Table.Th>
                  <Table.Th scope="col">From</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((session) => (
                  <Table.Tr key={session.id}>
                    <Table.Td>
                      {who.permissions.includes('sessions.read') ? (
                        <Anchor component={Link} to={`/sessions/${session.id}`}>
                          <Moment at={session.startedAt} />
                        </Anchor>
                      ) : (
                        <Moment at={session.startedAt} />
                      )}
                    </Table.Td>
                    <Table.Td>
                      <Untrusted text={`${session.account}@${session.device}`} />
                    </Table.Td>
                    <Table.Td>{session.source}</Table.Td>
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

/** What one is asked oneself: proving it here lets one's own held sessions go on. */
const Proof = () => {
  const queries = useQueryClient();
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const asked = useQuery({
    queryKey: ['my-reauthentication'],
    queryFn: () => taken(api.GET('/api/me/reauthentication')),
    refetchInterval: 5_000,
  });
  const prove = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/me/reauthentication', {
          body: { ...(password === '' ? {} : { password }), ...(code === '' ? {} : { code }) },
        }),
      ),
    onSettled: () => {
      setPassword('');
      setCode('');
      return queries.invalidateQueries({ queryKey: ['my-reauthentication'] });
    },
  });
  const { waiting = [], questions = [] } = asked.data ?? {};
  if (waiting.length === 0)
    return prove.isSuccess ? (
      <Alert color="teal" variant="outline" role="status" title="Thank you: that was proved">
        Sessions of yours that were held go on.
      </Alert>
    ) : null;
  return (
    <Alert color="orange" variant="outline" title="Prove that it is you">
      {waiting.map((one) => (
        <Text size="sm" key={one.id}>
          <Moment at={one.askedAt} />: <Untrusted text={one.because} limit={300} />
        </Text>
      ))}
      {questions.length === 0 ? (
        <Text size="sm" mt="sm">
          It can’t be proved here: you have neither a password nor one-time codes. Prove it in the session
          itself, or ask an administrator.
        </Text>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            prove.mutate();
          }}
        >
          <Stack mt="sm" gap="sm" maw={360}>
            {questions.includes('password') ? (
              <PasswordInput
                label="Your password"
                required
                autoComplete="current-password"
                value={password}
                onChange={(event) => setPassword(event.currentTarget.value)}
                visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
              />
            ) : null}
            {questions.includes('totp') ? (
              <TextInput
                label="Your one-time code"
                required
                inputMode="numeric"
                autoComplete="one-time-code"
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
            ) : null}
            <Group>
              <Button type="submit" loading={prove.isPending}>
                It is me
              </Button>
            </Group>
          </Stack>
        </form>
      )}
      {prove.isError ? <Told error={prove.error} /> : null}
    </Alert>
  );
};

const Account = () => {
  const who = useContext(WhoContext);
  return (
    <Page title="Your account">
      <Group gap="xs">
        <Text>
          <Untrusted text={who.name} />
        </Text>
        {who.roles.map((role) => (
          <Badge key={role} variant="outline">
            {role}
          </Badge>
        ))}
      </Group>
      <Proof />
      <MySessions />
      <Passkeys />
      <Tokens />
    </Page>
  );
};

export default Account;
