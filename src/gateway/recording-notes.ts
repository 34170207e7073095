// Notes in a session's recording what the log of commands holds of it: once it is durably there, commands with their
// decisions, operations on files with names, sizes and hashes, forwards with addresses and bytes, and what became of each.
// It decides nothing, and a note that can't be taken is not missed: the log has it.
import type { AuditedCommand, CommandLog, CommandOutcome } from '../../proxy/audit/ports.ts';
import type { FileRecordings } from '../../recordings/write.ts';

type NoteKind = 'command' | 'file' | 'forward';

const kindOf = ({ channelKind }: AuditedCommand): NoteKind => {
  switch (channelKind) {
    case 'sftp':
    case 'scp':
      return 'file';
    case 'forward':
    case 'agent':
    case 'x11':
      return 'forward';
    default:
      return 'command';
  }
};

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

/** What is done to which files, or where a forward leads. */
const objectOf = (kind: NoteKind, command: AuditedCommand): Readonly<Record<string, unknown>> => {
  const { operation, paths, path, address, port } = fieldsOf(command.analysed);
  switch (kind) {
    case 'command':
      return {};
    case 'file':
      return { operation: operation ?? command.word, paths: paths ?? (path === undefined ? [] : [path]) };
    case 'forward':
      return { operation: operation ?? command.word, address, port };
  }
};

/** The numbers of a detail: those that follow a file's end, or a forward's. */
const measuresOf = (kind: NoteKind, detail: string): Readonly<Record<string, unknown>> => {
  switch (kind) {
    case 'command':
      return {};
    case 'file': {
      const contents = [...detail.matchAll(/\b([a-z]+) (\d+) bytes(?: sha256:([0-9a-f]{64}))?/g)];
      return {
        contents: contents.map(([, did, size, sha256]) => ({ did, size: Number(size), sha256 })),
      };
    }
    case 'forward': {
      const bytes = /^(\d+) bytes to the device, (\d+) bytes from the device/.exec(detail);
      return bytes === null ? {} : { bytesToDevice: Number(bytes[1]), bytesFromDevice: Number(bytes[2]) };
    }
  }
};

interface Noted {
  readonly session: string;
  readonly channel: number;
  readonly kind: NoteKind;
  readonly about: Readonly<Record<string, unknown>>;
}

/** Rows whose end may still come; the oldest are forgotten first, and their ends not noted. */
const mostOpen = 8192;

/** The log of commands, with each noted in its session's recording once it is durably in the log. */
export const notedInRecordings = (
  log: CommandLog,
  recordings: Pick<FileRecordings, 'mark' | 'expect'>,
): CommandLog => {
  const open = new Map<string, Noted>();
  const remember = (id: string, noted: Noted): void => {
    open.set(id, noted);
    const [oldest] = open.keys();
    if (open.size > mostOpen && oldest !== undefined) open.delete(oldest);
  };
  const note = (command: AuditedCommand): void => {
    const kind = kindOf(command);
    const { sessionId: session, channel } = command.source;
    const about = objectOf(kind, command);
    const noted = recordings.mark(session, channel, kind, {
      id: command.id,
      command: command.hidden ? '' : command.command,
      typed: command.hidden ? '' : command.typed,
      hidden: command.hidden,
      ...about,
      how: command.how,
      confidence: command.confidence,
      decision: command.decision,
      outcome: command.outcome,
      rules: command.rules.map(({ rule }) => rule),
      points: command.points,
    });
    if (noted) remember(command.id, { session, channel, kind, about });
  };
  return {
    ...log,
    append: async (command) => {
      // What is settled as soon as the row is there is noted before the recording closes.
      const noted = recordings.expect(command.source.sessionId);
      try {
        await log.append(command);
        note(command);
      } finally {
        setImmediate(noted);
      }
    },
    settle: (id: string, outcome: CommandOutcome, detail: string) => {
      const noted = open.get(id);
      // At once: what ends with its session is settled while the recording is being sealed.
      if (noted !== undefined) {
        const { session, channel, kind, about } = noted;
        const measures = measuresOf(kind, detail);
        recordings.mark(session, channel, 'outcome', {
          of: kind,
          id,
          ...about,
          ...measures,
          outcome,
          detail,
        });
      }
      return log.settle(id, outcome, detail);
    },
  };
};
