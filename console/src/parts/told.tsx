// What a page says when there is nothing yet, when it waits, and when the API said no.
import { Alert, Center, List, Loader, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { problemOf } from '../api/client.ts';
import { plainText } from './text.tsx';

export const Told = ({ error }: { readonly error: unknown }) => {
  const problem = problemOf(error);
  return (
    <Alert color="red" variant="outline" title={problem.title} role="alert">
      <Text size="sm">{plainText(problem.detail)}</Text>
      {problem.faults === undefined ? null : (
        <List size="sm">
          {problem.faults.map((fault) => (
            <List.Item key={`${fault.where} ${fault.message}`}>
              <code>{plainText(fault.where)}</code>: {plainText(fault.message)}
            </List.Item>
          ))}
        </List>
      )}
      <Text size="xs" c="dimmed">
        {problem.code}
      </Text>
    </Alert>
  );
};

export const Waiting = () => (
  <Center p="xl" role="status" aria-label="Loading">
    <Loader />
  </Center>
);

/** Says what to do next. */
export const Empty = ({ title, children }: { readonly title: string; readonly children?: ReactNode }) => (
  <Center p="xl">
    <Stack gap="xs" align="center" maw={520}>
      <Title order={3}>{title}</Title>
      <Text size="sm" ta="center" c="dimmed" component="div">
        {children}
      </Text>
    </Stack>
  </Center>
);

interface Asked<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
}

export const Shown = <T,>({
  query,
  children,
}: {
  readonly query: Asked<T>;
  readonly children: (data: T) => ReactNode;
}) => {
  if (query.data !== undefined) return children(query.data);
  return query.isPending ? <Waiting /> : <Told error={query.error} />;
};

export const Page = ({
  title,
  children,
  actions,
}: {
  readonly title: ReactNode;
  readonly children: ReactNode;
  readonly actions?: ReactNode;
}) => (
  <Stack gap="md">
    <div style={{ display: 'flex', justifyContent: 'space-between', gap: '1rem', flexWrap: 'wrap' }}>
      <Title order={1}>{title}</Title>
      <div>{actions}</div>
    </div>
    {children}
  </Stack>
);
