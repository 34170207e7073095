// A channel of the gateway's own on a device connection: one command, its input and its output. The user has no end of
// it, and it is neither recorded nor gated: nothing of the user's goes through it.
import { encodeExec } from '../transport/messages.ts';
import type { ChannelEnd } from './channel-end.ts';
import type { ChannelTable } from './channel-table.ts';
import type { Aside, AsideHandlers } from './gate-port.ts';

/** What may wait for a device that does not read; beyond it the channel ends. */
const MOST_QUEUED = 64 * 1024;
const EMPTY = Buffer.alloc(0);

type Phase =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly end: ChannelEnd }
  | { readonly kind: 'closed' };

/** Never throws; a channel that the device does not open, or a command that it does not start, is `closed`. */
export function openAside(
  table: Pick<ChannelTable, 'open'>,
  command: Buffer,
  handlers: AsideHandlers,
): Aside {
  let phase: Phase = { kind: 'opening' };
  const close = (): void => {
    const was = phase;
    phase = { kind: 'closed' };
    if (was.kind === 'open') was.end.abort();
    if (was.kind !== 'closed') handlers.closed();
  };
  table.open('session', EMPTY, {
    confirmed: (end) => {
      end.attach({
        data: (data, stream) => {
          end.replenish(0);
          if (phase.kind === 'open' && stream === 'stdout') handlers.data(data);
        },
        request: (_name, _body, reply) => reply.settle(false),
        eof: close,
        closed: close,
        flushed: () => {},
      });
      if (phase.kind === 'closed') {
        end.abort();
        return;
      }
      phase = { kind: 'open', end };
      end.sendRequest('exec', encodeExec(command), (started) => {
        if (!started) close();
      });
    },
    // Said when the caller has what it opened.
    refused: () => queueMicrotask(close),
  });
  return {
    write: (data) => {
      if (phase.kind !== 'open') return;
      phase.end.sendData(data, 'stdout');
      if (phase.end.queuedBytes > MOST_QUEUED) close();
    },
    [Symbol.dispose]: () => {
      const was = phase;
      phase = { kind: 'closed' };
      if (was.kind === 'open') was.end.abort();
    },
  };
}
