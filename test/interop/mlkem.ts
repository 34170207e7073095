// A check by hand, not part of `npm test` because it needs Go and its module proxy: mlkem768x25519-sha256 with an
// independent implementation, in both roles, with keys renewed every 256 KB. `node test/interop/mlkem.ts`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import * as m from '../../proxy/transport/messages.ts';
import { clientSide, serverSide } from '../transport/loopback.ts';

const folder = path.join(import.meta.dirname, 'mlkem');
const rekey = { bytes: 256 * 1024 };

function peer(...args: readonly string[]) {
  return spawn('go', ['run', '.', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function ourServer(): Promise<string> {
  const listener = net.createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const child = peer('client', String(typeof address === 'object' && address !== null ? address.port : 0));
  const [socket] = (await once(listener, 'connection')) as [net.Socket];
  listener.close();
  const side = serverSide(socket, { rekey });
  side.onMessage = (payload) => {
    side.messages.length = 0;
    if (payload[0] === m.MESSAGE.SERVICE_REQUEST) {
      side.transport.send(m.encodeServiceAccept(m.parseServiceRequest(payload).service));
    } else if (payload[0] === m.MESSAGE.USERAUTH_REQUEST) side.transport.send(m.encodeUserauthSuccess());
    else if (payload[0] === m.MESSAGE.GLOBAL_REQUEST) {
      side.transport.send(m.encodeRequestSuccess(m.parseGlobalRequest(payload).data));
    }
  };
  const [[code], info] = await Promise.all([once(child, 'close'), side.ready]);
  if (code !== 0) throw new Error('the Go client failed');
  return info.algorithms.kex;
}

async function ourClient(): Promise<string> {
  const child = peer('server');
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const side = clientSide(net.connect(Number(port.toString()), '127.0.0.1'), {
    rekey,
    algorithms: { kex: ['mlkem768x25519-sha256'] },
  });
  const info = await side.ready;
  side.transport.send(m.encodeServiceRequest('ssh-userauth'));
  await side.message(m.MESSAGE.SERVICE_ACCEPT);
  side.transport.send(m.encodeUserauthNone('alice', 'ssh-connection'));
  await side.message(m.MESSAGE.USERAUTH_SUCCESS);
  const block = Buffer.alloc(16 * 1024, 5);
  for (let i = 0; i < 128; i += 1) {
    side.transport.send(m.encodeGlobalRequest('question@example.com', true, block));
    const answer = m.parseRequestSuccess(await side.message(m.MESSAGE.REQUEST_SUCCESS));
    if (!answer.equals(block)) throw new Error('the Go server answered something else');
  }
  side.transport.disconnect(m.DISCONNECT_REASON.BY_APPLICATION, 'done');
  await Promise.all([side.closed, once(child, 'close')]);
  return info.algorithms.kex;
}

console.log(`Go client, our server: ${await ourServer()}`);
console.log(`our client, Go server: ${await ourClient()}`);
