// Connections come and go by the thousand in one process, in a process of its own that collects garbage at will: the
// native ciphers must neither end it nor stay. Node's ObjectWrap did the first, keeping the objects the second.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const here = new URL('.', import.meta.url).href;

/** Each connection: two transports on loopback, keys exchanged, data sent, closed. Prints heap and native memory. */
const churn = `
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { loadHostKeys } from '${here}host-keys.ts';
import { acceptTransport, nativeCryptoLoaded, openTransport } from '${here}transport.ts';
import crypto from 'ssh2/lib/protocol/crypto.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-'));
const hostKeys = await loadHostKeys(folder);
rmSync(folder, { recursive: true });
const rest = { message() {}, drain() {} };
const ciphers = ['aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'];
const server = createServer((socket) => acceptTransport(socket, { hostKeys }, { ...rest, ready() {}, closed() {} }));
await once(server.listen(0, '127.0.0.1'), 'listening');
const one = (n) => new Promise((resolve) => {
  const algorithms = { kex: ['curve25519-sha256'], hostKey: ['ssh-ed25519'], cipher: [ciphers[n % 3]] };
  const transport = openTransport(connect(server.address().port, '127.0.0.1'), { algorithms, verifyHostKey: () => true }, {
    ...rest,
    ready() {
      transport.sendChannelData(0, Buffer.alloc(100));
      transport.disconnect(11, 'done');
    },
    closed: resolve,
  });
});
const made = (count) => {
  for (let n = 0; n < count; n += 1) {
    const outbound = {
      seqno: 0,
      onWrite() {},
      cipherInfo: crypto.CIPHER_INFO['aes256-gcm@openssh.com'],
      cipherKey: Buffer.alloc(32),
      cipherIV: Buffer.alloc(12),
    };
    crypto.createCipher({ outbound }).free();
  }
};
const settled = async () => {
  for (let n = 0; n < 5; n += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  return process.memoryUsage();
};
for (let n = 0; n < 60; n += 1) await one(n);
made(2000);
const before = await settled();
for (let n = 0; n < 400; n += 4) await Promise.all([one(n), one(n + 1), one(n + 2), one(n + 3)]);
made(60_000);
const after = await settled();
console.log(JSON.stringify({ native: nativeCryptoLoaded(), grown: after.heapUsed - before.heapUsed }));
process.exit(0);
`;

describe('native ciphers', () => {
  it('are collected when their connections are gone, whatever collects them', async () => {
    const { stdout } = await run(
      process.execPath,
      [
        ...['--disable-warning=ExperimentalWarning', '--expose-gc', '--max-semi-space-size=1'],
        ...['--input-type=module', '--eval', churn],
      ],
      { cwd: import.meta.dirname },
    );
    const { native, grown } = JSON.parse(stdout) as { native: boolean; grown: number };
    expect(native).toBe(true);
    // Kept, each would cost at least its object and its place in a list: 60,800 of them some 5 MB.
    expect(grown).toBeLessThan(2_000_000);
  }, 120_000);
});
