// Signing in: the password, and the one-time code when the gateway asks for it; or a passkey, which needs neither.
import { Button, Center, Divider, Paper, PasswordInput, Stack, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, problemOf, taken } from '../api/client.ts';
import { signInByPasskey } from '../api/passkeys.ts';
import { PasskeyTold } from '../parts/passkey-told.tsx';
import { Told } from '../parts/told.tsx';

export const SignIn = () => {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [wantsCode, setWantsCode] = useState(false);
  const signIn = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/sign-in', { body: { name, password, ...(wantsCode && code !== '' ? { code } : {}) } }),
      ),
    onSuccess: (who) => {
      setPassword('');
      queries.setQueryData(['me'], who);
    },
    onError: (error) => {
      if (problemOf(error).code === 'SP_API_CODE_NEEDED') setWantsCode(true);
    },
  });
  const byPasskey = useMutation({
    mutationFn: signInByPasskey,
    onSuccess: (who) => queries.setQueryData(['me'], who),
  });
  const asked = signIn.isError && problemOf(signIn.error).code === 'SP_API_CODE_NEEDED';
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="xl" w={360} radius="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            byPasskey.reset();
            signIn.mutate();
          }}
        >
          <Stack>
            <Title order={1}>Sallyport</Title>
            <TextInput
              label="Name"
              autoComplete="username"
              autoFocus
              required
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
            />
            {wantsCode ? (
              <TextInput
                label="One-time code"
                autoComplete="one-time-code"
                inputMode="numeric"
                autoFocus
                required
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
            ) : null}
            {signIn.isError && !asked ? <Told error={signIn.error} /> : null}
            <Button type="submit" loading={signIn.isPending}>
              Sign in
            </Button>
            <Divider label="or" />
            {byPasskey.isError ? <PasskeyTold error={byPasskey.error} /> : null}
            <Button
              variant="default"
              loading={byPasskey.isPending}
              onClick={() => {
                signIn.reset();
                byPasskey.mutate();
              }}
            >
              Sign in with a passkey
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
};
