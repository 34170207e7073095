// What a page says when a passkey could not be made or used; what the API refused is told as everywhere.
import { Alert, Anchor, Text } from '@mantine/core';
import { PasskeyFault } from '../api/passkeys.ts';
import { Told } from './told.tsx';

export const PasskeyTold = ({
  error,
  colour = 'red',
}: {
  readonly error: unknown;
  /** Not red: nothing has failed, it only can't be done here. */
  readonly colour?: 'red' | 'gray';
}) => {
  if (!(error instanceof PasskeyFault)) return <Told error={error} />;
  const instead = error.obstacle?.kind === 'address' ? error.obstacle.instead : undefined;
  return (
    <Alert color={colour} variant="outline" title={error.title} role={colour === 'red' ? 'alert' : 'note'}>
      <Text size="sm">{error.message}</Text>
      {instead === undefined ? null : (
        <Text size="sm">
          Open <Anchor href={instead}>{instead}</Anchor>, and sign in there.
        </Text>
      )}
    </Alert>
  );
};
