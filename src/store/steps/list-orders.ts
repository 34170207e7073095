// Indexes for lists in other orders than by time: sessions by risk and by length, commands by points.
import { sql } from 'kysely';
import type { SchemaStep } from './step.ts';

export const listOrders: SchemaStep = async (db) => {
  await db.schema
    .createIndex('session_risks_by_score')
    .on('session_risks')
    .columns(['score', 'session_id'])
    .execute();
  await sql`create index sessions_by_length on sessions ((ended_at - started_at), id) where ended_at is not null`.execute(
    db,
  );
  // The few commands that weigh something among the many that don't.
  await sql`create index commands_by_points on commands (points, id) where points > 0`.execute(db);
};
