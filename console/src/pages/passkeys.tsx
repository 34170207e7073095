// One's own passkeys, as a part of the account: what there is, making another by proving once more who one is, removing one.
import {
  Button,
  Card,
  Group,
  PasswordInput,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
  VisuallyHidden,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Shapes, taken } from '../api/client.ts';
import { faultOf, makePasskey, passkeyObstacle } from '../api/passkeys.ts';
import { PasskeyTold } from '../parts/passkey-told.tsx';
import { Moment, Untrusted } from '../parts/text.tsx';
import { Empty, Shown, Told } from '../parts/told.tsx';

const MyPasskeys = ({
  items,
  remove,
}: {
  readonly items: readonly Shapes['Passkey'][];
  readonly remove: (id: string) => void;
}) => (
  <Table aria-label="Passkeys">
    <Table.Thead>
      <Table.Tr>
        <Table.Th scope="col">Name</Table.Th>
        <Table.Th scope="col">Good for</Table.Th>
        <Table.Th scope="col">Made</Table.Th>
        <Table.Th scope="col">Last used</Table.Th>
        <Table.Th scope="col">Remove</Table.Th>
      </Table.Tr>
    </Table.Thead>
    <Table.Tbody>
      {items.map((passkey) => (
        <Table.Tr key={passkey.id}>
          <Table.Td>
            <Untrusted text={passkey.name} />
          </Table.Td>
          <Table.Td>
            <Untrusted text={passkey.host} />
          </Table.Td>
          <Table.Td>
            <Moment at={passkey.createdAt} />
          </Table.Td>
          <Table.Td>
            <Moment at={passkey.seenAt} />
          </Table.Td>
          <Table.Td>
            <Button
              size="compact-xs"
              color="red"
              variant="outline"
              aria-label={`Remove ${passkey.name}`}
              onClick={() => remove(passkey.id)}
            >
              Remove
            </Button>
          </Table.Td>
        </Table.Tr>
      ))}
    </Table.Tbody>
  </Table>
);

const NewPasskey = ({ made }: { readonly made: () => Promise<void> }) => {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const forgetProof = (): void => {
    setPassword('');
    setCode('');
  };
  const make = useMutation({
    mutationFn: () =>
      makePasskey(name, { ...(password === '' ? {} : { password }), ...(code === '' ? {} : { code }) }),
    onSuccess: () => {
      forgetProof();
      setName('');
      return made();
    },
    onError: forgetProof,
  });
  const obstacle = passkeyObstacle();
  if (obstacle !== undefined)
    return (
      <Stack mt="md">
        <PasskeyTold error={faultOf(obstacle)} colour="gray" />
      </Stack>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate();
      }}
    >
      <Stack mt="md" gap="sm">
        <Group align="end">
          <TextInput
            label="Name of the passkey"
            description="Letters, digits, . _ + -"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            description="Once more, to be sure"
            w={200}
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
          />
          <TextInput
            label="One-time code"
            description="If you have codes"
            inputMode="numeric"
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
        </Group>
        {make.isError ? <PasskeyTold error={make.error} /> : null}
        <Group>
          <Button type="submit" loading={make.isPending}>
            Add a passkey
          </Button>
        </Group>
        <VisuallyHidden role="status">
          {make.isSuccess ? `The passkey ${make.data.name} is made.` : ''}
        </VisuallyHidden>
      </Stack>
    </form>
  );
};

export const Passkeys = () => {
  const queries = useQueryClient();
  const passkeys = useQuery({ queryKey: ['passkeys'], queryFn: () => taken(api.GET('/api/passkeys')) });
  const changed = () => queries.invalidateQueries({ queryKey: ['passkeys'] });
  const remove = useMutation({
    mutationFn: (id: string) => taken(api.DELETE('/api/passkeys/{id}', { params: { path: { id } } })),
    onSettled: changed,
  });
  return (
    <Card withBorder>
      <Title order={2}>Passkeys</Title>
      <Text size="sm" c="dimmed">
        Sign in to this console without a password or a code: your device, phone or security key verifies you
        instead.
      </Text>
      <Shown query={passkeys}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No passkeys">A passkey is good for the host name at which you make it.</Empty>
          ) : (
            <MyPasskeys items={items} remove={(id) => remove.mutate(id)} />
          )
        }
      </Shown>
      {remove.isError ? <Told error={remove.error} /> : null}
      <NewPasskey made={changed} />
    </Card>
  );
};
