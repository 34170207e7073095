// The gateway's log: one JSON object a line with a stable `event` name, or lines for people. Secrets are redacted by the
// names of their fields, and control characters are written out, so that nothing a user typed can drive the terminal of
// whoever reads the log. Never blocks on a slow reader: beyond a bound lines are dropped, evidence lives elsewhere.
import pino from 'pino';
import pretty from 'pino-pretty';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** Written whatever the level: what a person or a script waits for. */
  always(event: string, fields?: LogFields): void;
  /** A log that adds these fields to each line. */
  with(fields: LogFields): Log;
  setLevel(level: LogLevel): void;
  /** Writes out what is pending; for the last lines before the process ends. */
  flush(): void;
}

/** Anything that takes finished lines; a test passes its own. */
export interface LogSink {
  write(line: string): unknown;
  flushSync?(): void;
}

const SECRET_NAME = /passw|passphrase|secret|private.?key|master.?key|totp|otp$|token|authorization|cookie/i;
const LONGEST_TEXT = 4096;
const DEEPEST = 5;
const MOST_ENTRIES = 100;

/** Control characters and bidirectional overrides as visible escapes; URLs without their password. */
const plainText = (text: string): string =>
  (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text)
    .replace(/(\w{2,20}:\/\/[^\s:/@]*):[^\s/@]*@/g, '$1:[redacted]@')
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );

const plainError = (error: Error, depth: number): LogFields => ({
  name: error.name,
  ...('code' in error ? { code: plain(error.code, depth + 1) } : {}),
  message: plainText(error.message),
  stack: (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => plainText(line.trim())),
  ...(error.cause === undefined ? {} : { cause: plain(error.cause, depth + 1) }),
});

const plain = (value: unknown, depth: number): unknown => {
  if (typeof value === 'string') return plainText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return '[deep]';
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map((entry) => plain(entry, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MOST_ENTRIES)
      .map(([key, entry]) => [
        plainText(key),
        SECRET_NAME.test(key) ? '[redacted]' : plain(entry, depth + 1),
      ]),
  );
};

const wrap = (logger: pino.Logger, sink: LogSink): Log => {
  const write =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      // The argument order of pino: fields, then the text that people read first.
      logger[level]({ event, ...cleaned(fields) }, textOf(event, fields));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    always: (event, fields = {}) => {
      const level = logger.level;
      logger.level = 'info';
      write('info')(event, fields);
      logger.level = level;
    },
    with: (fields) => wrap(logger.child(cleaned(fields)), sink),
    setLevel: (level) => {
      logger.level = level;
    },
    flush: () => sink.flushSync?.(),
  };
};

/** `text` among the fields becomes the message; without it the event's name does. */
const textOf = (event: string, fields: LogFields): string =>
  typeof fields['text'] === 'string' ? plainText(fields['text']) : event;

const cleaned = (fields: LogFields): Record<string, unknown> => {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'text') continue;
    result[plainText(key)] = SECRET_NAME.test(key) ? '[redacted]' : plain(value, 0);
  }
  return result;
};

const standardOutput = (): LogSink => {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: 16 * 1024 * 1024 });
  // A reader that went away must not take the gateway with it.
  destination.on('error', () => {});
  return {
    write: (line) => destination.write(line),
    flushSync: () => {
      try {
        destination.flushSync();
      } catch {
        // Nothing was open yet, or nobody reads: there is nowhere left to say so.
      }
    },
  };
};

export interface LogOptions {
  readonly level: LogLevel;
  readonly pretty: boolean;
  /** Default: standard output. */
  readonly sink?: LogSink;
}

export const createLog = (options: LogOptions): Log => {
  const sink = options.sink ?? standardOutput();
  const stream = options.pretty ? prettyStream(sink) : sink;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void stream.write(line) },
  );
  return wrap(logger, sink);
};

const prettyStream = (sink: LogSink): LogSink => {
  const format = pretty.prettyFactory({
    colorize: process.stdout.isTTY === true,
    ignore: 'event,pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: (entry, key) => {
      const message = String(entry[key] ?? '');
      return message === entry['event'] ? message : `${String(entry['event'])}  ${message}`;
    },
    singleLine: true,
    errorLikeObjectKeys: [],
  });
  return { write: (line) => sink.write(format(line) ?? '') };
};
