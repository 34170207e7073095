// What a step of the schema's history is, for steps that stand in files of their own.
import type { Kysely, RawBuilder } from 'kysely';

/** Column types that mean the same on both stores. */
export interface StepTypes {
  readonly text: RawBuilder<unknown>;
  /** 64 bits; values stay within Number.MAX_SAFE_INTEGER. */
  readonly integer: 'bigint' | 'integer';
}

export type SchemaStep = (db: Kysely<unknown>, types: StepTypes) => Promise<void>;
