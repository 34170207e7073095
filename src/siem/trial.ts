// Sends one event to an output's receiver at once, past its queue, to see whether it would take it. For administrators who
// set an output up; nothing of it is kept.
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewayEvent } from '../behaviour/events.ts';
import type { OutputSettings } from '../config/outputs.ts';
import { newId } from '../store/id.ts';
import { DELIVERY_TIMES, senderOf, textOf } from './delivery.ts';
import type { Producer } from './ocsf.ts';
import { OutputError } from './sender.ts';

export type Trial =
  | { readonly kind: 'taken' }
  /** `code`: an OutputErrorCode, or `refused`. */
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

/** Says so in its text: a receiver must not take it for something that has happened. */
const trialEvent = (settings: OutputSettings, by: string, at: number): GatewayEvent => ({
  id: newId(),
  at,
  kind: 'setting-changed',
  by,
  key: `siem.outputs.${settings.name}`,
  before: '',
  after: 'this is a test of the output',
});

export const tryOutput = async (
  settings: OutputSettings,
  { producer, by, now }: { readonly producer: Producer; readonly by: string; readonly now: number },
  signal: AbortSignal,
): Promise<Trial> => {
  try {
    using sender = senderOf(settings, { producer, times: DELIVERY_TIMES });
    const event = trialEvent(settings, by, now);
    const sent = await sender.send(
      [{ id: event.id, event, text: textOf(settings, event, producer) }],
      signal,
    );
    switch (sent.kind) {
      case 'taken':
        break;
      case 'refused':
        return { kind: 'failed', code: 'refused', detail: sent.reason };
      case 'too-many':
        return { kind: 'failed', code: 'refused', detail: 'the receiver takes not even one event' };
      default:
        return sent satisfies never;
    }
    // Who confirms nothing may still close the connection.
    await pause(sender.settle, undefined, { signal });
    return sender.losses === 0
      ? { kind: 'taken' }
      : { kind: 'failed', code: 'SP_OUTPUT_UNREACHABLE', detail: 'the receiver closed the connection' };
  } catch (error) {
    if (error instanceof OutputError) return { kind: 'failed', code: error.code, detail: error.tell };
    if (signal.aborted)
      return { kind: 'failed', code: 'SP_OUTPUT_TIMEOUT', detail: 'the receiver did not answer in time' };
    throw error;
  }
};
