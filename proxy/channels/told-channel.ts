// A `session` channel that will not reach a device: the client may set it up as it likes and, when it asks for a
// shell, command or subsystem, is told why there is none. The exit status is 255, as ssh's own failures have.
import { encodeExitStatus } from '../transport/messages.ts';
import type { ChannelEnd } from './channel-end.ts';
import { REFUSED_STATUS } from './channel-pair.ts';
import { gatewayText } from './terminal-text.ts';

/** Attaches to `end`. */
export function tellOnStart(end: ChannelEnd, tell: string): void {
  let terminal = false;
  end.attach({
    data: () => {},
    request: (name, _body, reply) => {
      switch (name) {
        case 'pty-req':
          terminal = true;
          reply.settle(true);
          return;
        case 'env':
        case 'window-change':
          reply.settle(true);
          return;
        case 'shell':
        case 'exec':
        case 'subsystem':
          reply.settle(true);
          tellAndClose(end, tell, terminal);
          return;
        default:
          reply.settle(false);
      }
    },
    eof: () => {},
    closed: () => {},
    flushed: () => {},
  });
}

/** Says why on an end that was told of a start, and closes it. */
export function tellAndClose(end: ChannelEnd, tell: string, terminal: boolean): void {
  end.sendData(gatewayText(tell, terminal), terminal ? 'stdout' : 'stderr');
  end.sendRequest('exit-status', encodeExitStatus(REFUSED_STATUS));
  end.sendEof();
  end.close();
}
