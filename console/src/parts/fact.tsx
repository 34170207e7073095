// One thing that is known, with its name above it.
import { Text } from '@mantine/core';
import type { ReactNode } from 'react';

export const Fact = ({ label, children }: { readonly label: string; readonly children: ReactNode }) => (
  <div>
    <Text size="xs" c="dimmed">
      {label}
    </Text>
    <Text size="sm" component="div">
      {children}
    </Text>
  </div>
);
