// Hears PostgreSQL's notifications on a connection of its own, and comes back when it is lost, telling every listener
// that there was a gap. All topics share one channel, so that no topic's name ever becomes SQL.
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { StoreError } from '../errors.ts';
import type { Message, MessageCarrier } from '../messages.ts';
import { Listeners } from '../messages.ts';

const CHANNEL = 'sallyport';
/** PostgreSQL takes less than 8,000 bytes. */
const LONGEST = 7_900;
const FIRST_RETRY = 100;
const LAST_RETRY = 5_000;
const HEARTBEAT = 15_000;

type State = 'idle' | 'connecting' | 'listening' | 'closed';

/** Runs one statement; the store's pool does it. */
export type Execute = (sql: string, parameters: readonly unknown[]) => Promise<void>;

const readEnvelope = (text: string | undefined): { topic: string; payload: string } | undefined => {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value !== 'object' || value === null || !('t' in value) || !('p' in value)) return undefined;
    return typeof value.t === 'string' && typeof value.p === 'string'
      ? { topic: value.t, payload: value.p }
      : undefined;
  } catch {
    // Someone else's notification on our channel.
    return undefined;
  }
};

export class PostgresMessages implements MessageCarrier {
  readonly #settings: pg.ClientConfig;
  readonly #execute: Execute;
  readonly #listeners = new Listeners();
  readonly #stop = new AbortController();
  #state: State = 'idle';
  #client: pg.Client | undefined;
  #ready: (() => void)[] = [];

  constructor(settings: pg.ClientConfig, execute: Execute) {
    this.#settings = { ...settings, statement_timeout: 0 };
    this.#execute = execute;
  }

  async notify(topic: string, payload: string): Promise<void> {
    const envelope = JSON.stringify({ t: topic, p: payload });
    if (Buffer.byteLength(envelope) > LONGEST) {
      throw new StoreError(
        'SP_STORE_FAILED',
        `a message of more than ${LONGEST} bytes: send a key and store the rest`,
      );
    }
    await this.#execute('select pg_notify($1, $2)', [CHANNEL, envelope]);
  }

  listen(topic: string, onMessage: (message: Message) => void): () => void {
    const stop = this.#listeners.add(topic, onMessage);
    if (this.#state === 'idle') {
      this.#state = 'connecting';
      void this.#keepListening();
    }
    return stop;
  }

  /** Resolves when notifications are being heard. */
  listening(): Promise<void> {
    if (this.#state === 'listening') return Promise.resolve();
    return new Promise((resolve) => this.#ready.push(resolve));
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#stop.abort();
    this.#listeners.clear();
    for (const ready of this.#ready.splice(0)) ready();
    await this.#client?.end().catch(() => undefined);
  }

  async #keepListening(): Promise<void> {
    let wait = FIRST_RETRY;
    let heardBefore = false;
    while (!this.#isClosed()) {
      try {
        const { lost } = await this.#connect();
        wait = FIRST_RETRY;
        if (heardBefore) this.#listeners.tellAll({ kind: 'gap' });
        heardBefore = true;
        for (const ready of this.#ready.splice(0)) ready();
        await lost;
      } catch {
        // The database is down. Everything else that uses the store says so; here only the next attempt matters.
      }
      if (this.#isClosed()) return;
      this.#state = 'connecting';
      const jittered = wait * (0.5 + Math.random() / 2);
      await pause(jittered, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LAST_RETRY);
    }
  }

  async #connect(): Promise<{ readonly lost: Promise<void> }> {
    const client = new pg.Client(this.#settings);
    const lost = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
    });
    client.on('notification', (notification) => {
      const envelope = readEnvelope(notification.payload);
      if (envelope !== undefined) {
        this.#listeners.tell(envelope.topic, { kind: 'message', payload: envelope.payload });
      }
    });
    this.#client = client;
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#isClosed()) {
      await client.end().catch(() => undefined);
      return { lost };
    }
    this.#state = 'listening';
    // A peer that vanished without a word is found by asking; the query's own time limit bounds the answer.
    const heartbeat = setInterval(() => {
      client.query('select 1').catch(() => client.end().catch(() => undefined));
    }, HEARTBEAT);
    heartbeat.unref();
    return { lost: lost.finally(() => clearInterval(heartbeat)) };
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
