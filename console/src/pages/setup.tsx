// The first administrator, by the link that the gateway left. The secret is behind the `#`, so it is in no server's log.
import {
  Anchor,
  Button,
  Center,
  Code,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, taken } from '../api/client.ts';
import { Told } from '../parts/told.tsx';

const Setup = () => {
  const [secret] = useState(() => location.hash.slice(1));
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const setUp = useMutation({
    mutationFn: () => taken(api.POST('/api/setup', { body: { secret, name, password } })),
    onSuccess: () => history.replaceState(null, '', '/setup'),
  });
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="xl" w={440} radius="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setUp.mutate();
          }}
        >
          <Stack>
            <Title order={1}>The first administrator</Title>
            {setUp.data === undefined ? (
              <>
                <TextInput
                  label="Name"
                  required
                  autoFocus
                  value={name}
                  onChange={(event) => setName(event.currentTarget.value)}
                />
                <PasswordInput
                  label="Password"
                  description="At least 12 characters"
                  required
                  minLength={12}
                  value={password}
                  onChange={(event) => setPassword(event.currentTarget.value)}
                  visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
                />
                {setUp.isError ? <Told error={setUp.error} /> : null}
                <Button type="submit" loading={setUp.isPending}>
                  Make the administrator
                </Button>
              </>
            ) : (
              <>
                <Text>
                  Put this into your app for one-time codes now. It is shown this once, and signing in asks
                  for its code.
                </Text>
                <Code block>{setUp.data.totp}</Code>
                <Anchor component={Link} to="/">
                  Sign in
                </Anchor>
              </>
            )}
          </Stack>
        </form>
      </Paper>
    </Center>
  );
};

export default Setup;
