// Tables of the outputs to other systems: how far each has come, and what waits for it.
import type { SchemaStep } from './step.ts';

/** One output's standing, shared by all gateways: whoever holds it sends, until `held_until`. */
export interface SiemOutputsTable {
  output: string;
  /** Events up to this id have been put in the queue, or were not wanted. */
  watermark: string;
  holder: string;
  held_until: number;
  delivered: number;
  /** Given up because the queue was full. */
  lost: number;
  last_error: string;
  last_error_at: number | null;
  last_delivered_at: number | null;
}

export interface SiemQueueTable {
  output: string;
  /** The event's id. */
  id: string;
  at: number;
  kind: string;
  event_json: string;
  /** `sent` stays for a while, so that reading the last minutes of the event log again puts nothing in twice. */
  state: 'waiting' | 'sent' | 'refused';
  /** Why the receiver refuses it for good. */
  reason: string;
}

export interface OutputTables {
  siem_outputs: SiemOutputsTable;
  siem_queue: SiemQueueTable;
}

export const outputs: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('siem_outputs')
    .addColumn('output', text, (c) => c.primaryKey())
    .addColumn('watermark', text, (c) => c.notNull())
    .addColumn('holder', text, (c) => c.notNull())
    .addColumn('held_until', integer, (c) => c.notNull())
    .addColumn('delivered', integer, (c) => c.notNull())
    .addColumn('lost', integer, (c) => c.notNull())
    .addColumn('last_error', text, (c) => c.notNull())
    .addColumn('last_error_at', integer)
    .addColumn('last_delivered_at', integer)
    .execute();
  await db.schema
    .createTable('siem_queue')
    .addColumn('output', text, (c) => c.notNull())
    .addColumn('id', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('event_json', text, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('reason', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('siem_queue_pk', ['output', 'id'])
    .execute();
  await db.schema
    .createIndex('siem_queue_by_state')
    .on('siem_queue')
    .columns(['output', 'state', 'id'])
    .execute();
};
