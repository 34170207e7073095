// The full-text index over recordings: commands and what screens showed, each with its second. A file of its own that can
// be thrown away and built anew; it holds text in clear, so it is made only where somebody asks for it, with mode
// 0600. Runs outside the gateway's processes; only sealed recordings are taken, each once.
import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { RecordedEvent } from './format.ts';
import type { Opener } from './keys.ts';
import { listRecordings } from './list.ts';
import { markOf } from './mark.ts';
import { readEvents } from './read.ts';

export interface SearchQuery {
  /** Words that must all occur in one line or command; the last may be the beginning of one. */
  readonly text: string;
  readonly kind?: 'command' | 'screen' | undefined;
  readonly user?: string | undefined;
  readonly device?: string | undefined;
  readonly credential?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly limit: number;
}

export interface SearchHit {
  readonly session: string;
  readonly user: string;
  readonly device: string;
  readonly credential: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of the session, to jump to. */
  readonly second: number;
  readonly kind: 'command' | 'screen';
  readonly text: string;
}

const schema = `
CREATE TABLE IF NOT EXISTS recordings (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, device TEXT NOT NULL,
  credential TEXT NOT NULL, started INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  body, recording UNINDEXED, second UNINDEXED, kind UNINDEXED, tokenize = "unicode61 tokenchars '-_./'");
`;

/** Characters of one indexed line. */
const longestLine = 2000;
/** Lines of one recording; what comes later is found by its commands only. */
const mostLines = 1_000_000;

// Whatever moves the cursor elsewhere separates words; the rest of the sequences is invisible.
const moves = /\u001b\[[\d;]*[A-HJfd]|[\r\n\u000b\u000c]+/g;
const invisible =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-~])|[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/g;

function outputOf(event: RecordedEvent): string {
  if (event.code === 'o') return event.data;
  return event.code === 'c' && (event.word === 'o' || event.word === 'e') ? event.data : '';
}

/** Commands and lines shown, in order, with their seconds. A line that is drawn in pieces has its first piece's. */
export async function* searchable(
  events: AsyncIterable<RecordedEvent>,
): AsyncGenerator<{ readonly second: number; readonly kind: 'command' | 'screen'; readonly text: string }> {
  let line = '';
  let second = 0;
  let last = '';
  for await (const event of events) {
    const mark = markOf(event);
    const command = mark?.kind === 'command' ? mark.data['command'] : undefined;
    if (typeof command === 'string' && command !== '') {
      yield { second: event.at, kind: 'command', text: command.slice(0, longestLine) };
    }
    const pieces = outputOf(event).replace(moves, '\n').replace(invisible, '').split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) {
        const text = line.trim();
        if (text !== '' && text !== last) yield { second, kind: 'screen', text };
        last = text;
        line = '';
      }
      if (line === '') second = event.at;
      if (line.length < longestLine) line += piece.slice(0, longestLine);
    }
  }
  if (line.trim() !== '') yield { second, kind: 'screen', text: line.trim() };
}

export class SearchIndex {
  readonly #db: Database.Database;

  /** Made when missing. */
  constructor(path: string) {
    closeSync(openSync(path, 'a', 0o600));
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = NORMAL');
    this.#db.exec(schema);
  }

  /** Takes what is sealed and not yet in the index, at most `limit` recordings; answers how many it took. */
  async update(root: string, openers: readonly Opener[], limit = Number.POSITIVE_INFINITY): Promise<number> {
    const known = this.#db.prepare('SELECT 1 FROM recordings WHERE id = ?');
    let taken = 0;
    for await (const entry of listRecordings(root)) {
      if (taken >= limit) break;
      if (entry.kind === 'unreadable' || entry.seal === undefined || known.get(entry.id) !== undefined)
        continue;
      if (!entry.header.recipients.some(({ id }) => openers.some((opener) => opener.id === id))) continue;
      const { user, device, credential, startedAt } = entry.header.session;
      const lines: { second: number; kind: string; text: string }[] = [];
      for await (const line of searchable(readEvents(entry.path, openers))) {
        lines.push(line);
        if (lines.length >= mostLines) break;
      }
      this.add({ id: entry.id, user, device, credential, startedAt }, lines);
      taken += 1;
    }
    return taken;
  }

  add(
    session: Pick<SearchHit, 'user' | 'device' | 'credential' | 'startedAt'> & { readonly id: string },
    lines: readonly { readonly second: number; readonly kind: string; readonly text: string }[],
  ): void {
    const one = this.#db.prepare(
      'INSERT INTO recordings (id, user, device, credential, started) VALUES (?, ?, ?, ?, ?)',
    );
    const text = this.#db.prepare('INSERT INTO texts (body, recording, second, kind) VALUES (?, ?, ?, ?)');
    this.#db.transaction(() => {
      const { id, user, device, credential, startedAt } = session;
      const { lastInsertRowid } = one.run(id, user, device, credential, startedAt);
      for (const line of lines) text.run(line.text, lastInsertRowid, line.second, line.kind);
    })();
  }

  /** Newest first. */
  search(query: SearchQuery): readonly SearchHit[] {
    const words = query.text.split(/\s+/).filter((word) => word !== '');
    if (words.length === 0) return [];
    const quoted = words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' ');
    const conditions = ['texts MATCH ?'];
    const values: (string | number)[] = [`body : (${quoted} *)`];
    const also = (condition: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      conditions.push(condition);
      values.push(value);
    };
    also('texts.kind = ?', query.kind);
    also('r.user = ?', query.user);
    also('r.device = ?', query.device);
    also('r.credential = ?', query.credential);
    also('r.started >= ?', query.since);
    const found = this.#db
      .prepare<(string | number)[], SearchHit>(
        `SELECT r.id AS session, r.user, r.device, r.credential, r.started AS startedAt,
                texts.second, texts.kind, texts.body AS text
         FROM texts JOIN recordings AS r ON r.number = texts.recording
         WHERE ${conditions.join(' AND ')} ORDER BY texts.rowid DESC LIMIT ?`,
      )
      .all(...values, query.limit);
    return found;
  }

  remove(session: string): void {
    this.#db.transaction(() => {
      this.#db
        .prepare('DELETE FROM texts WHERE recording = (SELECT number FROM recordings WHERE id = ?)')
        .run(session);
      this.#db.prepare('DELETE FROM recordings WHERE id = ?').run(session);
    })();
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
