// A light client for many connections, in a process of its own so that its memory and time are not the gateway's.
// Arguments: `hold COUNT` or `sign-in SECONDS`, host, port, login, key file. Prints one JSON line when the sessions
// stand (and then waits for its stdin to end), or when the time is up.
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Client } from 'ssh2';

const [mode, amount = '0', host = '', port = '', username = '', keyFile = ''] = process.argv.slice(2);
const privateKey = readFileSync(keyFile);

const signIn = (): Promise<Client> =>
  new Promise((resolve, reject) => {
    const client = new Client();
    client.once('ready', () => resolve(client));
    client.once('error', reject);
    client.connect({ host, port: Number(port), username, privateKey, readyTimeout: 60_000 });
  });

const openShell = (client: Client): Promise<void> =>
  new Promise((resolve, reject) => {
    client.shell({ term: 'xterm', cols: 80, rows: 24 }, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      channel.once('data', () => resolve());
      channel.on('data', () => undefined);
      channel.stderr.resume();
    });
  });

if (mode === 'hold') {
  let opened = 0;
  const failures: string[] = [];
  const clients: Client[] = [];
  let left = Number(amount);
  const work = async () => {
    while (left > 0) {
      left -= 1;
      try {
        const client = await signIn();
        client.on('error', () => undefined);
        clients.push(client);
        await openShell(client);
        opened += 1;
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  console.log(JSON.stringify({ opened, failed: failures.length, firstFailure: failures[0] }));
  await text(process.stdin);
  for (const client of clients) client.destroy();
  process.exit(0);
} else {
  const until = performance.now() + Number(amount) * 1000;
  let done = 0;
  let failed = 0;
  const from = performance.now();
  const work = async () => {
    while (performance.now() < until) {
      try {
        const client = await signIn();
        client.on('error', () => undefined);
        client.destroy();
        done += 1;
      } catch {
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  console.log(JSON.stringify({ perSecond: (done * 1000) / (performance.now() - from), failed }));
}
