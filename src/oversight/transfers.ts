// What a session moved, out of the log of audited commands: files with their sizes and hashes, forwarded connections with
// their bytes. The gates write that into a command's detail when it is over (proxy/audit); this reads it back. Pure but
// for the one query.
import type { CommandsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

export interface MovedFile {
  /** The row in the log of audited commands. */
  readonly command: string;
  readonly at: number;
  /** Seconds into the session. */
  readonly second: number;
  readonly channelKind: string;
  /** `up`: to the device. */
  readonly direction: 'up' | 'down';
  readonly path: string;
  readonly bytes: number;
  /** Of the whole content as it went by, hexadecimal; undefined: it did not go by whole and in order. */
  readonly sha256: string | undefined;
  /** Why there is no hash; empty otherwise. */
  readonly partial: string;
}

export interface MovedForward {
  readonly command: string;
  readonly at: number;
  readonly second: number;
  /** `forward`, `remote-forward`, `agent`, `x11` as the log has it. */
  readonly word: string;
  readonly address: string;
  readonly bytesToDevice: number;
  readonly bytesFromDevice: number;
  /** How long it was open; undefined: it is, or nothing was noted. */
  readonly seconds: number | undefined;
  readonly outcome: string;
}

/** An operation on files that moves no content: removed, renamed, made; or one that was stopped. */
export interface FileOperation {
  readonly command: string;
  readonly at: number;
  readonly second: number;
  readonly channelKind: string;
  readonly text: string;
  readonly outcome: string;
  readonly detail: string;
}

export interface Transfers {
  readonly files: readonly MovedFile[];
  readonly forwards: readonly MovedForward[];
  readonly operations: readonly FileOperation[];
  /** There was more: the oldest are shown. */
  readonly cut: boolean;
}

type LoggedOperation = Pick<
  CommandsTable,
  | 'id'
  | 'at'
  | 'recording_offset'
  | 'channel_kind'
  | 'word'
  | 'command'
  | 'analysed_json'
  | 'outcome'
  | 'outcome_detail'
>;

/** `wrote 5000011 bytes sha256:3f1c…`, `read 20480 bytes partial: not to the end` */
const MOVED = /\b(wrote|read) (\d{1,16}) bytes (?:sha256:([0-9a-f]{64})|partial: ([^;,]*))/g;
/** `813 bytes to the device, 10922 bytes from the device, 4.2 s` */
const FORWARDED =
  /(\d{1,16}) bytes to the device, (\d{1,16}) bytes from the device, (\d{1,12}(?:\.\d{1,6})?) s/;

/** The path as the gate resolved it, or what stands behind the first word. */
const objectOf = ({ command, analysed_json: json }: LoggedOperation): string => {
  try {
    const analysed: unknown = JSON.parse(json);
    if (typeof analysed === 'object' && analysed !== null) {
      const path: unknown =
        'path' in analysed
          ? analysed.path
          : 'paths' in analysed && Array.isArray(analysed.paths)
            ? analysed.paths[0]
            : undefined;
      if (typeof path === 'string') return path;
    }
  } catch {
    // A row that was cut: its text tells.
  }
  return command.slice(command.indexOf(' ') + 1);
};

export const readTransfers = (rows: readonly LoggedOperation[]): Omit<Transfers, 'cut'> => {
  const files: MovedFile[] = [];
  const forwards: MovedForward[] = [];
  const operations: FileOperation[] = [];
  for (const row of rows) {
    const place = { command: row.id, at: row.at, second: row.recording_offset / 1000 };
    if (row.channel_kind !== 'sftp' && row.channel_kind !== 'scp') {
      const moved = FORWARDED.exec(row.outcome_detail);
      forwards.push({
        ...place,
        word: row.word,
        address: objectOf(row),
        bytesToDevice: Number(moved?.[1] ?? 0),
        bytesFromDevice: Number(moved?.[2] ?? 0),
        seconds: moved === null ? undefined : Number(moved[3]),
        outcome: row.outcome,
      });
      continue;
    }
    const moves = [...row.outcome_detail.matchAll(MOVED)];
    for (const [, did, bytes, sha256, partial = ''] of moves)
      files.push({
        ...place,
        channelKind: row.channel_kind,
        direction: did === 'wrote' ? 'up' : 'down',
        path: objectOf(row),
        bytes: Number(bytes),
        sha256,
        partial: partial.trim(),
      });
    if (moves.length === 0)
      operations.push({
        ...place,
        channelKind: row.channel_kind,
        text: row.command,
        outcome: row.outcome,
        detail: row.outcome_detail,
      });
  }
  return { files, forwards, operations };
};

const MOST_OPERATIONS = 5_000;

/** Oldest first. */
export const transfersOf = async (store: Store, session: string): Promise<Transfers> => {
  const rows = await store.db
    .selectFrom('commands')
    .select([
      'id',
      'at',
      'recording_offset',
      'channel_kind',
      'word',
      'command',
      'analysed_json',
      'outcome',
      'outcome_detail',
    ])
    .where('session_id', '=', session)
    .where('channel_kind', 'in', ['sftp', 'scp', 'forward', 'agent', 'x11'])
    .orderBy('at')
    .orderBy('id')
    .limit(MOST_OPERATIONS + 1)
    .execute();
  return { ...readTransfers(rows.slice(0, MOST_OPERATIONS)), cut: rows.length > MOST_OPERATIONS };
};
