// One gateway on a data folder, decided by the kernel: SQLite's exclusive lock on an empty file, which ends with the
// process, however it ends. So nothing stale can be left, and of two that start in the same instant one is refused.
// What the folder holds is not looked at.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export const lockPath = (data: string): string => join(data, 'gateway.lock');

/** Undefined: another process, or somebody else in this one, has it. Throws when the file can't be opened. */
export const lockData = (data: string): Disposable | undefined => {
  const path = lockPath(data);
  const database = new Database(path, { timeout: 0 });
  try {
    chmodSync(path, 0o600);
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return undefined;
    throw error;
  }
  return {
    [Symbol.dispose]: () => {
      database.close();
    },
  };
};
