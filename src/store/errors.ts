// What the store can tell its callers when it fails: one class, one code for each thing a caller may do about it.
// Never carries parameter values, which may be secrets; the database's own message goes to the operator only.

export type StoreErrorCode =
  /** Too much is waiting already. Nothing was written; try again later. */
  | 'SP_STORE_BUSY'
  /** The database can't be reached or went away. A write in flight may or may not have happened. */
  | 'SP_STORE_UNAVAILABLE'
  /** No room, or the file can't be written. Nothing was written. */
  | 'SP_STORE_FULL'
  /** A row with this key exists already, or one that it needs does not. Nothing was written. */
  | 'SP_STORE_CONFLICT'
  /** The store was closed by this process. */
  | 'SP_STORE_CLOSED'
  /** The store's URL is not understood. */
  | 'SP_STORE_URL'
  /** The schema belongs to a newer release, or could not be brought up to date. */
  | 'SP_STORE_SCHEMA'
  /** A page cursor that the store did not make. */
  | 'SP_STORE_CURSOR'
  /** Anything else: a fault of ours, or a damaged database. */
  | 'SP_STORE_FAILED';

const TELL: Readonly<Record<StoreErrorCode, string>> = {
  SP_STORE_BUSY: 'The gateway is too busy just now. Please try again in a moment.',
  SP_STORE_UNAVAILABLE: 'The gateway cannot reach its database. Please try again later.',
  SP_STORE_FULL: 'The gateway cannot write to its database. Please tell your administrator.',
  SP_STORE_CONFLICT: 'This was changed by someone else at the same time. Please try again.',
  SP_STORE_CLOSED: 'The gateway is shutting down.',
  SP_STORE_URL: 'The gateway is not set up correctly. Please tell your administrator.',
  SP_STORE_SCHEMA: 'The gateway is not set up correctly. Please tell your administrator.',
  SP_STORE_CURSOR: 'This page does not exist.',
  SP_STORE_FAILED: 'The gateway has a problem with its database. Please tell your administrator.',
};

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  /** What the person at the terminal may be told. */
  readonly tell: string;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
    this.tell = TELL[code];
  }
}

/** The database's own error code, such as `SQLITE_FULL` or `23505`; empty when there is none. */
export const databaseCodeOf = (error: unknown): string => {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
};

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** https://www.sqlite.org/rescode.html */
export const sqliteCode = (code: string): StoreErrorCode => {
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'SP_STORE_BUSY';
  if (code.startsWith('SQLITE_CONSTRAINT')) return 'SP_STORE_CONFLICT';
  if (
    code === 'SQLITE_FULL' ||
    code.startsWith('SQLITE_READONLY') ||
    code.startsWith('SQLITE_IOERR') ||
    code === 'SQLITE_PERM'
  ) {
    return 'SP_STORE_FULL';
  }
  if (code.startsWith('SQLITE_CANTOPEN')) return 'SP_STORE_UNAVAILABLE';
  return 'SP_STORE_FAILED';
};

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
]);

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const postgresCode = (code: string, message: string): StoreErrorCode => {
  if (
    NETWORK_CODES.has(code) ||
    code.startsWith('08') ||
    code === '57P01' ||
    code === '57P02' ||
    code === '57P03'
  ) {
    return 'SP_STORE_UNAVAILABLE';
  }
  if (code.startsWith('28') || code === '3D000') return 'SP_STORE_UNAVAILABLE';
  // pg's own errors for a lost or slow connection carry no code.
  if (code === '' && /terminat|timeout|Connection|not queryable|closed/i.test(message))
    return 'SP_STORE_UNAVAILABLE';
  if (code === '53100' || code === '58030' || code === '25006') return 'SP_STORE_FULL';
  if (code === '53300' || code === '53200' || code === '55P03' || code === '57014') return 'SP_STORE_BUSY';
  if (code.startsWith('40')) return 'SP_STORE_BUSY';
  if (code.startsWith('23')) return 'SP_STORE_CONFLICT';
  return 'SP_STORE_FAILED';
};

/** Wraps whatever `pg` threw; a StoreError passes through. */
export const fromPostgres = (error: unknown): StoreError => {
  if (error instanceof StoreError) return error;
  const code = databaseCodeOf(error);
  const message = messageOf(error);
  return new StoreError(
    postgresCode(code, message),
    `PostgreSQL: ${message}${code === '' ? '' : ` (${code})`}`,
    error,
  );
};
