// A minimal ssh-agent on a socket of its own, so that the real ssh client can use keys that no file can hold: FIDO2
// security keys in software. It answers the two requests that a client needs (draft-ietf-sshm-ssh-agent).
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { MessageReader, MessageWriter } from '../../proxy/transport/messages.ts';

export interface AgentKey {
  readonly blob: Buffer;
  sign(data: Buffer): Buffer;
}

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

export async function startAgent(path: string, keys: readonly AgentKey[]): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE(0)) {
        const length = pending.readUInt32BE(0);
        const reply = answer(pending.subarray(4, 4 + length), keys);
        pending = pending.subarray(4 + length);
        socket.write(new MessageWriter().string(reply).build());
      }
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}

function answer(request: Buffer, keys: readonly AgentKey[]): Buffer {
  const reader = new MessageReader(request);
  switch (reader.byte()) {
    case REQUEST_IDENTITIES: {
      const writer = new MessageWriter().byte(IDENTITIES_ANSWER).uint32(keys.length);
      for (const key of keys) writer.string(key.blob).string('in software');
      return writer.build();
    }
    case SIGN_REQUEST: {
      const blob = reader.string();
      const data = reader.string();
      const key = keys.find((candidate) => candidate.blob.equals(blob));
      if (key === undefined) return Buffer.from([FAILURE]);
      return new MessageWriter().byte(SIGN_RESPONSE).string(key.sign(data)).build();
    }
    default:
      return Buffer.from([FAILURE]);
  }
}
