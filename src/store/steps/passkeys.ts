// Tables of passkeys for signing in to the console: public keys only, and the challenges that are out.
import type { SchemaStep } from './step.ts';

export interface PasskeysTable {
  /** The credential's id as the authenticator gave it, base64url. */
  id: string;
  user_id: string;
  /** What its owner calls it. */
  name: string;
  /** The host that it was made for, and is good for. */
  rp_id: string;
  /** COSE, base64url. */
  public_key: string;
  counter: number;
  transports_json: string;
  created_at: number;
  seen_at: number | null;
}

/** Each is good once, for one purpose, for a short time. */
export interface PasskeyChallengesTable {
  challenge: string;
  purpose: 'register' | 'sign-in';
  /** Whose; null: nobody has said yet. */
  user_id: string | null;
  expires_at: number;
}

export interface PasskeyTables {
  passkeys: PasskeysTable;
  passkey_challenges: PasskeyChallengesTable;
}

export const passkeys: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('passkeys')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('rp_id', text, (c) => c.notNull())
    .addColumn('public_key', text, (c) => c.notNull())
    .addColumn('counter', integer, (c) => c.notNull())
    .addColumn('transports_json', text, (c) => c.notNull())
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('seen_at', integer)
    .addUniqueConstraint('passkeys_by_name', ['user_id', 'name'])
    .execute();
  await db.schema
    .createTable('passkey_challenges')
    .addColumn('challenge', text, (c) => c.primaryKey())
    .addColumn('purpose', text, (c) => c.notNull())
    .addColumn('user_id', text)
    .addColumn('expires_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('passkey_challenges_by_end')
    .on('passkey_challenges')
    .column('expires_at')
    .execute();
};
