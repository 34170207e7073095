// How a program on the device ended, between its wire form (RFC 4254 section 6.10) and ours. The message of a signal
// comes from the device and ends up on the user's terminal, so it loses its control characters on the way.
import {
  encodeExitSignal,
  encodeExitStatus,
  parseExitSignal,
  parseExitStatus,
} from '../transport/messages.ts';
import type { ExitOutcome } from './ports.ts';
import { plainText } from './terminal-text.ts';

/** Throws TransportError when malformed. */
export function parseExit(name: 'exit-status' | 'exit-signal', body: Buffer): ExitOutcome {
  if (name === 'exit-status') return { kind: 'status', status: parseExitStatus(body).status };
  const exit = parseExitSignal(body);
  return {
    kind: 'signal',
    signal: exit.signal,
    coreDumped: exit.coreDumped,
    message: plainText(exit.message),
  };
}

/** Undefined when there is nothing to say. */
export function encodeExit(outcome: ExitOutcome): { name: string; body: Buffer } | undefined {
  switch (outcome.kind) {
    case 'status':
      return { name: 'exit-status', body: encodeExitStatus(outcome.status) };
    case 'signal':
      return { name: 'exit-signal', body: encodeExitSignal({ ...outcome, language: '' }) };
    case 'none':
      return undefined;
  }
}
