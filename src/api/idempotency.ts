// Idempotency keys: a write that is sent twice with the same key is done once, and answered twice. Keys belong to who sent
// them and are forgotten after a day. Answers with secrets are not kept: a repetition is told that it was done.
import { createHash } from 'node:crypto';
import type { Store } from '../store/store.ts';
import { ApiProblem } from './problem.ts';

const KEEP = 24 * 3_600_000;
const SWEEP_EVERY = 600_000;
/** A request that its process took with it must not block its key for a day. */
const LONGEST_RUN = 120_000;

export interface Kept {
  readonly status: number;
  readonly body: string;
}

export const requestHash = (method: string, url: string, body: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify([method, url, body ?? null]))
    .digest('base64url');

export class Idempotency {
  readonly #store: Store;
  readonly #now: () => number;
  #sweptAt = 0;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Undefined: go ahead, then `finish` or `abandon`. Otherwise the answer given before. Throws ApiProblem. */
  async begin(principal: string, key: string, hash: string): Promise<Kept | undefined> {
    const at = this.#now();
    await this.#sweep(at);
    const made = await this.#store.db
      .insertInto('api_requests')
      .values({ principal, key, request_hash: hash, status: 0, body: '', at })
      .onConflict((conflict) =>
        conflict
          .columns(['principal', 'key'])
          .doUpdateSet({ at })
          .where('api_requests.status', '=', 0)
          .where('api_requests.request_hash', '=', hash)
          .where('api_requests.at', '<', at - LONGEST_RUN),
      )
      .executeTakeFirst();
    if ((made.numInsertedOrUpdatedRows ?? 0n) > 0n) return undefined;
    const row = await this.#store.db
      .selectFrom('api_requests')
      .selectAll()
      .where('principal', '=', principal)
      .where('key', '=', key)
      .executeTakeFirst();
    if (row === undefined || row.status === 0)
      throw new ApiProblem('SP_API_KEY_BUSY', 'ask again in a moment', [], 1);
    if (row.request_hash !== hash)
      throw new ApiProblem('SP_API_KEY_REUSED', 'use a new key for each request');
    return { status: row.status, body: row.body };
  }

  async finish(principal: string, key: string, kept: Kept): Promise<void> {
    await this.#store.db
      .updateTable('api_requests')
      .set({ status: kept.status, body: kept.body })
      .where('principal', '=', principal)
      .where('key', '=', key)
      .execute();
  }

  /** Nothing was done: the key may be used again. */
  async abandon(principal: string, key: string): Promise<void> {
    await this.#store.db
      .deleteFrom('api_requests')
      .where('principal', '=', principal)
      .where('key', '=', key)
      .where('status', '=', 0)
      .execute();
  }

  async #sweep(at: number): Promise<void> {
    if (at - this.#sweptAt < SWEEP_EVERY) return;
    this.#sweptAt = at;
    await this.#store.db
      .deleteFrom('api_requests')
      .where('at', '<', at - KEEP)
      .execute();
  }
}
