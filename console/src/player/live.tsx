// A session as it goes on: its screen at once, then what is shown, as the gateway tells it.
import { Badge, Group, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { lines } from '../api/client.ts';
import { Told } from '../parts/told.tsx';
import { type Screen, TerminalScreen } from './screen.tsx';

type State =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'watching' }
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly error: unknown };

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const Live = ({ session, onOver }: { readonly session: string; readonly onOver: () => void }) => {
  const screen = useRef<Screen>(null);
  const [state, setState] = useState<State>({ kind: 'connecting' });
  const over = useRef(onOver);
  over.current = onOver;
  useEffect(() => {
    const gone = new AbortController();
    // The first channel that has a screen is shown; others are in the recording.
    let shown: number | undefined;
    const take = (line: unknown): void => {
      const { kind, channel, text, columns, rows } = record(line);
      if (typeof channel !== 'number' || typeof kind !== 'string') return;
      if (kind === 'screen' && typeof columns === 'number' && typeof rows === 'number') {
        shown ??= channel;
        if (channel !== shown) return;
        screen.current?.reset(columns, rows);
        if (typeof text === 'string') screen.current?.write(text);
      }
      if (kind === 'output' && typeof text === 'string') {
        shown ??= channel;
        if (channel === shown) screen.current?.write(text);
      }
      if (kind === 'size' && channel === shown && typeof columns === 'number' && typeof rows === 'number')
        screen.current?.resize(columns, rows);
    };
    const watch = async (): Promise<void> => {
      const path = `/api/sessions/${encodeURIComponent(session)}/watch`;
      for await (const line of lines(path, gone.signal)) {
        setState((now) => (now.kind === 'watching' ? now : { kind: 'watching' }));
        take(line);
      }
      setState({ kind: 'over' });
      over.current();
    };
    watch().catch((error: unknown) => {
      if (!gone.signal.aborted) setState({ kind: 'failed', error });
    });
    return () => gone.abort();
  }, [session]);
  return (
    <Stack gap="xs">
      <Group gap="xs" role="status">
        {state.kind === 'watching' ? (
          <Badge color="teal" variant="outline">
            live
          </Badge>
        ) : (
          <Text size="sm" c="dimmed">
            {state.kind === 'connecting'
              ? 'Connecting…'
              : state.kind === 'over'
                ? 'The session is over.'
                : ''}
          </Text>
        )}
        <Text size="sm" c="dimmed">
          That you watch is noted in the trail and in the recording.
        </Text>
      </Group>
      {state.kind === 'failed' ? <Told error={state.error} /> : null}
      <TerminalScreen ref={screen} label="The live terminal" />
    </Stack>
  );
};

export default Live;
