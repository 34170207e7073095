// What is live, heard from the API as it happens: the sessions that go on, and commands as they are judged. The browser
// connects again by itself.
import { useEffect, useState } from 'react';
import type { Shapes } from '../api/client.ts';

export interface LiveSession {
  readonly id: string;
  readonly user: string;
  readonly device: string;
  readonly account: string;
  readonly sourceAddress: string;
  readonly via: string;
  readonly startedAt: string;
  readonly held: boolean;
}

export interface LiveNews {
  /** Undefined: nothing heard yet. */
  readonly sessions: readonly LiveSession[] | undefined;
  /** Newest first. */
  readonly commands: readonly Shapes['AuditedCommand'][];
}

const MOST_COMMANDS = 50;

export const useLive = (): LiveNews => {
  const [sessions, setSessions] = useState<readonly LiveSession[]>();
  const [commands, setCommands] = useState<readonly Shapes['AuditedCommand'][]>([]);
  useEffect(() => {
    const source = new EventSource('/api/live');
    source.addEventListener('sessions', (event) => setSessions(JSON.parse(String(event.data))));
    source.addEventListener('command', (event) => {
      const command: Shapes['AuditedCommand'] = JSON.parse(String(event.data));
      setCommands((now) => [command, ...now.filter(({ id }) => id !== command.id)].slice(0, MOST_COMMANDS));
    });
    return () => source.close();
  }, []);
  return { sessions, commands };
};
