// What becomes of transfers and commands without a terminal while their user is asked who they are: a column of grants.
import type { SchemaStep } from './step.ts';

export const nonInteractive: SchemaStep = async (db, { text }) => {
  await db.schema
    .alterTable('grants')
    .addColumn('non_interactive', text, (c) => c.notNull().defaultTo('pause'))
    .execute();
};
