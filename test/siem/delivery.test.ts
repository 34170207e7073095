// Outputs against real receivers that are down, come back, break off in the middle and refuse: nothing is lost, on both
// databases. Times are short; what an hour would change is only how long the queue is.
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../src/behaviour/events.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { OutputSettings } from '../../src/config/outputs.ts';
import { createEventLog } from '../../src/events/event-log.ts';
import { DELIVERY_TIMES, type Outputs, startOutputs } from '../../src/siem/delivery.ts';
import { listOutputs, listRefused } from '../../src/siem/queue.ts';
import { newId } from '../../src/store/id.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { eventually } from '../gateway/gateway-events.ts';
import { freePort } from '../harness/scratch.ts';
import { onBothStores } from '../store/both-stores.ts';
import {
  Collector,
  MailServer,
  makeCertificate,
  Receiver,
  SecureMailServer,
  type TlsFiles,
} from './collectors.ts';

let folder = '';
let files: TlsFiles;
let otherFiles: TlsFiles;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-siem-'));
  files = makeCertificate(folder, 'right');
  otherFiles = makeCertificate(folder, 'other');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const owned: AsyncDisposable[] = [];
const own = <T extends AsyncDisposable>(thing: T): T => {
  owned.push(thing);
  return thing;
};
afterEach(async () => {
  for (const thing of owned.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

const times = { ...DELIVERY_TIMES, look: 50, firstPause: 20, longestPause: 200, measure: 50, settle: 50 };

/** Through the loader, as an administrator writes it. */
const outputOf = (text: string): OutputSettings => {
  const file = join(folder, `${newId()}.yaml`);
  writeFileSync(file, `siem:\n  outputs:\n${text.trim().replaceAll(/^/gm, '    ')}\n`);
  const [output] = loadConfig({ file, env: {} }).siem.outputs;
  if (output === undefined) throw new Error('no output');
  return output;
};

const rating = (name: string): NewEvent => ({
  kind: 'rating-changed',
  user: { id: `id-of-${name}`, name },
  cause: 'suspicious-session',
  evidence: undefined,
  before: 5,
  after: 4,
});

interface Running {
  readonly store: Store;
  readonly outputs: Outputs;
  readonly log: string[];
  tell(count: number): Promise<string[]>;
}

const run = (store: Store, output: OutputSettings, more: Partial<typeof times> = {}): Running => {
  const log: string[] = [];
  const eventLog = createEventLog(store);
  const note = (event: string, fields: object = {}): void =>
    void log.push(JSON.stringify({ event, ...fields }));
  const outputs = own(
    startOutputs([output], {
      store,
      producer: { gateway: 'gw1', version: '0.1.0' },
      log: { info: note, warn: note, error: note },
      append: (events) => eventLog.append(events),
      now: Date.now,
      times: { ...times, ...more },
    }),
  );
  return {
    store,
    outputs,
    log,
    tell: async (count) => {
      const ids: string[] = [];
      while (ids.length < count) {
        const events = Array.from({ length: Math.min(100, count - ids.length) }, () => rating('alice'));
        ids.push(...(await eventLog.append(events)).map(({ id }) => id));
      }
      outputs.wake();
      return ids;
    },
  };
};

const idIn = (message: string): string => /id="([0-9a-f-]{36})"/.exec(message)?.[1] ?? '';
const idsIn = (collector: Collector): string[] => collector.messages.map(idIn);
const missing = (wanted: readonly string[], got: readonly string[]): readonly string[] => {
  const have = new Set(got);
  return wanted.filter((id) => !have.has(id));
};

const ready = (running: Running): Promise<unknown> =>
  eventually('the output is held', async () => (await listOutputs(running.store)).length === 1);
const drained = (running: Running): Promise<unknown> =>
  eventually('the queue is empty', async () => (await listOutputs(running.store))[0]?.waiting === 0);

onBothStores('an output', (bench) => {
  it('loses nothing to a collector that is down, breaks off in the middle and comes back', async () => {
    const port = await freePort();
    const running = run(
      await bench.fresh(),
      outputOf(`- {name: soc, kind: syslog, transport: tcp, address: "127.0.0.1:${port}"}`),
      { settle: 500 },
    );
    await ready(running);
    const wanted = await running.tell(700);
    await eventually('a failure is noted', () => running.log.some((line) => line.includes('output.failed')));
    const collector = own(await Collector.open(port));
    // The kernel has acknowledged what the collector then never reads.
    collector.patience = 333;
    collector.agony = 150;
    await collector.until(() => missing(wanted, idsIn(collector)).length === 0);
    await drained(running);
    // Each in order, apart from what came twice.
    const first = [...new Set(idsIn(collector))];
    expect(first).toEqual([...first].sort());
    expect((await listOutputs(running.store))[0]).toMatchObject({ delivered: 700, lost: 0, refused: 0 });
    await collector[Symbol.asyncDispose]();
    const later = await running.tell(50);
    const again = own(await Collector.open(port));
    await again.until(() => missing(later, idsIn(again)).length === 0);
  });

  it('goes on where it stopped when the gateway is started again', async () => {
    const port = await freePort();
    const output = outputOf(`- {name: soc, kind: syslog, transport: tcp, address: "127.0.0.1:${port}"}`);
    const store = await bench.fresh();
    const before = run(store, output);
    await ready(before);
    const wanted = await before.tell(120);
    await before.outputs[Symbol.asyncDispose]();
    const collector = own(await Collector.open(port));
    const after = run(store, output);
    wanted.push(...(await after.tell(5)));
    await collector.until(() => missing(wanted, idsIn(collector)).length === 0);
    expect(new Set(idsIn(collector)).size).toBe(125);
  });

  it('sends an event that became visible after newer ones', async () => {
    const port = await freePort();
    const collector = own(await Collector.open(port));
    const running = run(
      await bench.fresh(),
      outputOf(`- {name: soc, kind: syslog, transport: tcp, address: "127.0.0.1:${port}"}`),
    );
    await ready(running);
    const early = newId();
    const [late = ''] = await running.tell(1);
    await collector.until(() => idsIn(collector).includes(late));
    await running.store.append('events', [
      {
        id: early,
        at: Date.now(),
        kind: 'rating-changed',
        user_id: null,
        user_name: null,
        session_id: null,
        event_json: JSON.stringify({ ...rating('bob'), id: early, at: Date.now() }),
      },
    ]);
    running.outputs.wake();
    await collector.until(() => idsIn(collector).includes(early));
    await drained(running);
    expect(idsIn(collector).filter((id) => id === late)).toHaveLength(1);
  });

  it('gives up the oldest when its queue is full, and tells so', async () => {
    const port = await freePort();
    const running = run(
      await bench.fresh(),
      outputOf(
        `- {name: soc, kind: syslog, transport: tcp, address: "127.0.0.1:${port}", queue: {events: 100}}`,
      ),
    );
    await ready(running);
    const wanted = await running.tell(250);
    await eventually('the overflow is logged', () =>
      running.log.some((line) => line.includes('output.overflowed')),
    );
    const collector = own(await Collector.open(port));
    await collector.until(() => collector.messages.some((message) => message.includes('output-overflowed')));
    await drained(running);
    const got = idsIn(collector);
    const lost = missing(wanted, got);
    // The oldest are gone, the newest are there, and the count is what was told.
    expect(lost).toEqual(wanted.slice(0, lost.length));
    expect(lost.length).toBeGreaterThanOrEqual(150);
    expect((await listOutputs(running.store))[0]?.lost).toBe(lost.length);
  });

  it('lets one process send at a time, and another when that one is gone', async () => {
    const port = await freePort();
    const collector = own(await Collector.open(port));
    const output = outputOf(`- {name: soc, kind: syslog, transport: tcp, address: "127.0.0.1:${port}"}`);
    const store = await bench.fresh();
    const one = run(store, output);
    await ready(one);
    const two = run(store, output);
    const wanted = await one.tell(200);
    two.outputs.wake();
    await collector.until(() => missing(wanted, idsIn(collector)).length === 0);
    await drained(one);
    expect(collector.messages).toHaveLength(200);
    await one.outputs[Symbol.asyncDispose]();
    const later = await two.tell(20);
    await collector.until(() => missing(later, idsIn(collector)).length === 0);
  });
});

describe('a receiver', () => {
  const bench = {
    fresh: async (): Promise<Store> => {
      const store = await openStore(`sqlite:${join(folder, `${newId()}.db`)}`);
      own({ [Symbol.asyncDispose]: () => store.close() });
      return store;
    },
  };

  it('gets syslog over TLS, and nothing when it is somebody else', async () => {
    const port = await freePort();
    const line = (ca: string): string =>
      `- {name: soc, kind: syslog, format: ocsf, address: "127.0.0.1:${port}", tls: {ca: "${ca}"}}`;
    const collector = own(
      await Collector.open(port, { key: readFileSync(files.key), cert: readFileSync(files.certificate) }),
    );
    const store = await bench.fresh();
    const wrong = run(store, outputOf(line(otherFiles.ca)));
    await ready(wrong);
    const wanted = await wrong.tell(3);
    await eventually('the failure names TLS', () =>
      wrong.log.some((entry) => entry.includes('SP_OUTPUT_TLS')),
    );
    expect(collector.messages).toEqual([]);
    await wrong.outputs[Symbol.asyncDispose]();
    run(store, outputOf(line(files.ca)));
    await collector.until(() => missing(wanted, idsIn(collector)).length === 0);
    const told: unknown = JSON.parse(collector.messages[0]?.replace(/^[^{]*/, '') ?? '');
    expect(told).toMatchObject({ class_uid: 2004, metadata: { version: '1.8.0', uid: wanted[0] } });
  });

  it('gets signed batches by HTTPS, again when it breaks off, in parts when it takes fewer', async () => {
    const receiver = own(
      await Receiver.open(0, { key: readFileSync(files.key), cert: readFileSync(files.certificate) }),
    );
    const secretFile = join(folder, 'secret');
    writeFileSync(secretFile, 'a shared secret\n');
    const accepted: string[] = [];
    const idsOf = (body: Buffer): string[] =>
      (JSON.parse(body.toString()) as { metadata: { uid: string } }[]).map(({ metadata }) => metadata.uid);
    let turn = 0;
    const poison = { id: '' };
    receiver.react = ({ body }, response) => {
      turn += 1;
      const ids = idsOf(body);
      if (turn === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      // It has read everything and goes away without a word.
      else if (turn === 2) response.destroy();
      else if (ids.length > 20) response.writeHead(413).end('too much');
      else if (ids.includes(poison.id)) response.writeHead(422).end('no thanks');
      else {
        accepted.push(...ids);
        response.writeHead(200).end('{}');
      }
    };
    const running = run(
      await bench.fresh(),
      outputOf(
        `- {name: hook, kind: webhook, url: "https://127.0.0.1:${receiver.port}/in", ca: "${files.ca}", secretFile: "${secretFile}"}`,
      ),
    );
    await ready(running);
    const wanted = await running.tell(60);
    poison.id = wanted[30] ?? '';
    const fine = wanted.filter((id) => id !== poison.id);
    await eventually('everything was taken', () => missing(fine, accepted).length === 0);
    await drained(running);
    expect(await listRefused(running.store, 'hook', 10)).toMatchObject([
      { id: poison.id, reason: 'HTTP 422: no thanks' },
    ]);
    for (const { body, headers } of receiver.posted) {
      const [, seconds, given] =
        /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['sallyport-signature'])) ?? [];
      const right = createHmac('sha256', 'a shared secret').update(`${seconds}.`).update(body).digest('hex');
      expect(given).toBe(right);
      expect(headers['content-type']).toBe('application/json');
      expect(body.toString()).not.toContain('a shared secret');
    }
  });

  it('gets a mail over STARTTLS from who signs in, and none when it is somebody else or takes none so', async () => {
    const account = { user: 'gateway', password: 'a long enough word' };
    const passwordFile = join(folder, 'mail.password');
    writeFileSync(passwordFile, `${account.password}\n`);
    const line = (port: number, ca: string): string =>
      `- {name: mail, kind: mail, minimumSeverity: informational, server: "127.0.0.1:${port}", user: gateway, passwordFile: "${passwordFile}", ca: "${ca}", from: gw@example.net, to: [soc@example.net]}`;
    const server = own(await SecureMailServer.open(files, account));
    const plain = own(await MailServer.open(0));
    const store = await bench.fresh();
    const failing = async (port: number, ca: string, named: RegExp): Promise<void> => {
      const wrong = run(store, outputOf(line(port, ca)));
      await ready(wrong);
      await wrong.tell(1);
      await eventually('the failure', () => wrong.log.some((entry) => named.test(entry)));
      expect(wrong.log.join('')).not.toContain(account.password);
      await wrong.outputs[Symbol.asyncDispose]();
    };
    await failing(server.port, otherFiles.ca, /SP_OUTPUT_(?:TLS|REJECTED)/);
    // It offers no STARTTLS: neither the mail nor the password goes there in clear.
    await failing(plain.port, files.ca, /SP_OUTPUT_(?:TLS|REJECTED)/);
    expect([...server.mails, ...plain.mails]).toEqual([]);
    run(store, outputOf(line(server.port, files.ca)));
    const mail = await eventually('a mail', () => server.mails[0]);
    expect(mail).toContain('rating-changed');
    expect(server.ways[0]).toMatchObject({ tls: expect.stringMatching(/^TLSv1\.[23]$/), user: account.user });
  });

  it('gets a mail about what is severe, and none about the rest', async () => {
    const server = own(await MailServer.open(0));
    const store = await bench.fresh();
    const running = run(
      store,
      outputOf(
        `- {name: mail, kind: mail, server: "127.0.0.1:${server.port}", security: none, from: gw@example.net, to: [soc@example.net]}`,
      ),
    );
    await ready(running);
    await running.tell(3);
    await createEventLog(store).append([
      {
        kind: 'credential-changed',
        user: { id: 'user-1', name: 'alice' },
        target: {
          device: { id: 'device-1', name: 'web1' },
          credential: { id: 'credential-1', name: 'web1-root\r\nBcc: mallory@example.net', username: 'root' },
        },
        how: 'manual',
        unusual: true,
        detail: '',
      },
    ]);
    running.outputs.wake();
    const mail = await eventually('a mail', () => server.mails[0]);
    expect(mail).toMatch(/^To: soc@example\.net$/m);
    expect(mail).not.toMatch(/^Bcc:/m);
    expect(mail).toContain('credential-changed');
    await drained(running);
    expect(server.mails).toHaveLength(1);
    expect(mail).not.toContain('rating');
  });
});
