// The text of a recording: asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/), one JSON value a line,
// with our own event code `c` for what a player does not know. Pure: no files, no clock, no keys: how the lines are
// sealed is chunk.ts's matter. docs/recordings.md is the reference for auditors; change both together.
import { RecordingError } from './errors.ts';
import type { RecordedSession } from './session.ts';

const maximumTerminalType = 40;

export interface TerminalShape {
  readonly columns: number;
  readonly rows: number;
  readonly type: string | undefined;
}

export interface RecordingHeader {
  readonly title: string;
  readonly session: {
    readonly id: string;
    readonly user: string;
    readonly userId: string;
    readonly device: string;
    readonly deviceId: string;
    readonly address: string;
    readonly account: string;
    readonly credential: string;
    readonly grant: string;
    readonly source: string;
    readonly client: string;
    readonly authentication: string;
    readonly via: string;
    /** Milliseconds since the epoch. */
    readonly startedAt: number;
  };
}

/** Words of the `c` events; see docs/recordings.md. */
export const channelWords = [
  'start',
  'o',
  'e',
  'i',
  'r',
  'hidden',
  'mark',
  'cut',
  'exit',
  'end',
  'closed',
] as const;
export type ChannelWord = (typeof channelWords)[number];

export type RecordedEvent =
  /** Events of the plain channel, which every asciicast player shows. */
  | { readonly at: number; readonly code: 'o' | 'i' | 'm' | 'x'; readonly data: string }
  | { readonly at: number; readonly code: 'r'; readonly columns: number; readonly rows: number }
  /** Events of any channel that players pass over. `at` is in seconds since the session's start. */
  | {
      readonly at: number;
      readonly code: 'c';
      readonly channel: number;
      readonly word: ChannelWord;
      readonly data: string;
    }
  /** A code that this version does not know. */
  | { readonly at: number; readonly code: 'other'; readonly name: string; readonly data: string };

export function headerOf(session: RecordedSession): RecordingHeader {
  const { device, credential, grant } = session.target;
  return {
    title: `${session.user.name}@${credential.username}@${device.name}`,
    session: {
      id: session.id,
      user: session.user.name,
      userId: session.user.id,
      device: device.name,
      deviceId: device.id,
      address: `${device.host}:${device.port}`,
      account: credential.username,
      credential: credential.name,
      grant: grant.name,
      source: `${session.sourceAddress}:${session.sourcePort}`,
      client: session.clientIdentification.slice(0, 255),
      authentication: session.authentication,
      via: session.via,
      startedAt: session.startedAt,
    },
  };
}

/** The size of a terminal within what a player accepts (1–65535). */
function clampSize(n: number): number {
  return Number.isFinite(n) ? Math.min(65_535, Math.max(1, Math.trunc(n))) : 80;
}

export function encodeSize(columns: number, rows: number): string {
  return `${clampSize(columns)}x${clampSize(rows)}`;
}

/** One event line. `interval` is in microseconds since the event before. */
export function encodeEvent(interval: number, code: string, data: string): string {
  return `[${(interval / 1e6).toFixed(6)}, "${code}", ${JSON.stringify(data)}]\n`;
}

export function encodeChannelData(channel: number, word: ChannelWord, payload: string): string {
  return payload === '' ? `${channel} ${word}` : `${channel} ${word} ${payload}`;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'a line is not JSON', error);
  }
}

/** The session of a header; missing fields come out empty. */
export function sessionFields(session: Readonly<Record<string, unknown>>): RecordingHeader['session'] {
  return {
    id: text(session['id']),
    user: text(session['user']),
    userId: text(session['userId']),
    device: text(session['device']),
    deviceId: text(session['deviceId']),
    address: text(session['address']),
    account: text(session['account']),
    credential: text(session['credential']),
    grant: text(session['grant']),
    source: text(session['source']),
    client: text(session['client']),
    authentication: text(session['authentication']),
    via: text(session['via']),
    startedAt: number(session['startedAt'], 0),
  };
}

/** The terminal that a `start` event tells of. */
export function shapeOf(start: string): TerminalShape | undefined {
  const terminal = record(record(parseJson(start))['terminal']);
  const { columns, rows, type } = terminal;
  if (typeof columns !== 'number' || typeof rows !== 'number') return undefined;
  const word = typeof type === 'string' ? type.replace(/[^\w.+-]/g, '').slice(0, maximumTerminalType) : '';
  return { columns: clampSize(columns), rows: clampSize(rows), type: word === '' ? undefined : word };
}

const channelEvent = /^(\d{1,10}) ([a-z]{1,10})(?: ([\s\S]*))?$/;

function isChannelWord(word: string): word is ChannelWord {
  return channelWords.some((known) => known === word);
}

/**
 * Reads an event line; `previous` is the event before's time in seconds. Undefined for comments and empty lines.
 * Throws SP_RECORDING_FORMAT.
 */
export function parseEvent(line: string, previous: number): RecordedEvent | undefined {
  if (line.trim() === '' || line.startsWith('#')) return undefined;
  const raw = parseJson(line);
  if (!Array.isArray(raw)) throw new RecordingError('SP_RECORDING_FORMAT', 'an event is not an array');
  const [interval, code, data]: unknown[] = raw;
  if (typeof interval !== 'number' || typeof code !== 'string' || typeof data !== 'string' || interval < 0) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'an event is not [interval, code, data]');
  }
  const at = Math.round((previous + interval) * 1e6) / 1e6;
  switch (code) {
    case 'o':
    case 'i':
    case 'm':
    case 'x':
      return { at, code, data };
    case 'r': {
      const size = /^(\d{1,5})x(\d{1,5})$/.exec(data);
      if (size === null) throw new RecordingError('SP_RECORDING_FORMAT', 'a resize has no size');
      return { at, code, columns: clampSize(Number(size[1])), rows: clampSize(Number(size[2])) };
    }
    case 'c': {
      const parts = channelEvent.exec(data);
      const word = parts?.[2];
      if (parts === null || word === undefined || !isChannelWord(word)) {
        return { at, code: 'other', name: code, data };
      }
      return { at, code, channel: Number(parts[1]), word, data: parts[3] ?? '' };
    }
    default:
      return { at, code: 'other', name: code, data };
  }
}
