// Table of requests for exceptions: what a rule stopped, why its user needs it, and what was decided.
import type { SchemaStep } from './step.ts';

export interface ExceptionRequestsTable {
  id: string;
  /** The audited command that was stopped: one request each. */
  command_id: string;
  session_id: string;
  user_id: string;
  user_name: string;
  device_name: string;
  account: string;
  /** Empty when it was typed without echo. */
  command: string;
  /** The rule that stopped it; empty: none did. */
  rule: string;
  /** Whose rule it was then; empty: not told. */
  owner: string;
  reason: string;
  asked_at: number;
  state: 'open' | 'granted' | 'declined';
  decided_by: string | null;
  decided_at: number | null;
  comment: string;
  /** When its user was shown the decision. */
  read_at: number | null;
}

export interface ExceptionTables {
  exception_requests: ExceptionRequestsTable;
}

export const exceptionRequests: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('exception_requests')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('command_id', text, (c) => c.notNull().unique())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('account', text, (c) => c.notNull())
    .addColumn('command', text, (c) => c.notNull())
    .addColumn('rule', text, (c) => c.notNull())
    .addColumn('owner', text, (c) => c.notNull())
    .addColumn('reason', text, (c) => c.notNull())
    .addColumn('asked_at', integer, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('decided_by', text)
    .addColumn('decided_at', integer)
    .addColumn('comment', text, (c) => c.notNull())
    .addColumn('read_at', integer)
    .execute();
  await db.schema
    .createIndex('exception_requests_by_time')
    .on('exception_requests')
    .columns(['asked_at', 'id'])
    .execute();
  await db.schema
    .createIndex('exception_requests_by_user')
    .on('exception_requests')
    .columns(['user_id', 'asked_at', 'id'])
    .execute();
};
