// The full-text index over recordings: commands and what screens showed, each with its second. A file of its own that can
// be thrown away and built anew. It holds words as keyed hashes and lines encrypted, under a key that the opener of the
// recordings has: whoever has the file alone learns which lines share words, and how often, but no word. Only sealed
// recordings are taken, each once.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { nonceLength, tagLength } from './chunk.ts';
import { reasonOf } from './errors.ts';
import type { RecordedEvent } from './format.ts';
import type { Opener } from './keys.ts';
import { markOf } from './mark.ts';
import { readHeader, readSeal } from './open.ts';
import { type RecordingPlace, recordingFiles } from './places.ts';
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

// Words are in the index only as keyed hashes, lines only encrypted; whose session it was is in clear, as in a header.
const schema = `
CREATE TABLE IF NOT EXISTS keys (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recordings (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, device TEXT NOT NULL,
  credential TEXT NOT NULL, started INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lines (
  number INTEGER PRIMARY KEY, recording INTEGER NOT NULL, second REAL NOT NULL, kind TEXT NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS lines_of ON lines (recording);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  hashes, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');
`;

/** Characters of one indexed line. */
const longestLine = 2000;
/** Lines of one recording; what comes later is found by its commands only. */
const mostLines = 250_000;
/** Beginnings of words that are in the index, by their length; the rest is looked at when it is decrypted. */
const beginnings = [3, 4, 5, 6, 7, 8, 10, 12];
/** Lines that are decrypted for one search at most. */
const mostCandidates = 20_000;
/** A word, as it is indexed. Characters. */
const longestWord = 64;
const mostCached = 200_000;

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

/** What searches with an opener's recordings are keyed with. */
export function searchKeyOf(opener: Opener): Buffer {
  const secret = Buffer.from(opener.privateKey.export({ format: 'der', type: 'pkcs8' }));
  return Buffer.from(hkdfSync('sha256', secret, '', 'sallyport recording search v1', 64));
}

/** Lower case, without accents, in the pieces that people search for: paths and options stay whole. */
export function wordsOf(text: string): readonly string[] {
  const plain = text
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  return [...plain.matchAll(/[\p{L}\p{N}_./-]+/gu)].map(([word]) => word.slice(0, longestWord));
}

export interface IndexedLine {
  readonly second: number;
  readonly kind: string;
  readonly text: string;
}

type IndexedSession = Pick<SearchHit, 'user' | 'device' | 'credential' | 'startedAt'> & {
  readonly id: string;
};

interface FoundLine extends Omit<SearchHit, 'text'> {
  readonly sealed: Buffer;
}

export interface UpdateOptions {
  readonly limit?: number;
  /** Told of a recording that can't be read; it is passed over until the next start. */
  readonly unreadable?: (session: string, reason: string) => void;
  readonly until?: AbortSignal;
}

export class SearchIndex {
  readonly #db: Database.Database;
  readonly #hashKey: Buffer;
  readonly #lineKey: Buffer;
  readonly #hashes = new Map<string, string>();
  readonly #passedOver = new Set<string>();

  /** Made when missing; made anew when it was keyed otherwise. `key`: of searchKeyOf. */
  constructor(path: string, key: Buffer) {
    this.#hashKey = key.subarray(0, 32);
    this.#lineKey = key.subarray(32);
    closeSync(openSync(path, 'a', 0o600));
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = NORMAL');
    this.#db.pragma('busy_timeout = 5000');
    this.#db.pragma('secure_delete = ON');
    this.#prepare();
  }

  #prepare(): void {
    const id = this.#hash('key');
    const known = (name: string): boolean =>
      this.#db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(name) !== undefined;
    const right = known('keys') && this.#db.prepare('SELECT 1 FROM keys WHERE id = ?').get(id) !== undefined;
    if (right) return;
    const old = ['texts', 'words', 'lines', 'recordings', 'keys'].filter(known);
    this.#db.transaction(() => {
      for (const name of old) this.#db.exec(`DROP TABLE ${name}`);
      this.#db.exec(schema);
      this.#db.prepare('INSERT INTO keys (id) VALUES (?)').run(id);
    })();
    // Nothing of what stood there stays in free pages or in the log of writes.
    if (old.length > 0) {
      this.#db.exec('VACUUM');
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    }
  }

  /** Takes what is sealed and not yet in the index, the oldest first; answers how many recordings it took. */
  async update(root: string, openers: readonly Opener[], options: UpdateOptions = {}): Promise<number> {
    const { limit = Number.POSITIVE_INFINITY, unreadable = () => {}, until } = options;
    const known = this.#db.prepare('SELECT 1 FROM recordings WHERE id = ?');
    const places: RecordingPlace[] = [];
    for await (const place of recordingFiles(root)) {
      if (known.get(place.id) === undefined && !this.#passedOver.has(place.id)) places.push(place);
    }
    let taken = 0;
    for (const place of places.reverse()) {
      if (taken >= limit || until?.aborted === true) break;
      try {
        if (await this.#take(place, openers)) taken += 1;
      } catch (error) {
        this.#passedOver.add(place.id);
        unreadable(place.id, reasonOf(error));
      }
    }
    return taken;
  }

  async #take({ id, path }: RecordingPlace, openers: readonly Opener[]): Promise<boolean> {
    if ((await readSeal(path)) === undefined) return false;
    const { recipients, session } = await readHeader(path);
    if (!recipients.some((copy) => openers.some((opener) => opener.id === copy.id))) {
      this.#passedOver.add(id);
      return false;
    }
    const lines: IndexedLine[] = [];
    for await (const line of searchable(readEvents(path, openers))) {
      lines.push(line);
      if (lines.length >= mostLines) break;
    }
    const { user, device, credential, startedAt } = session;
    this.add({ id, user, device, credential, startedAt }, lines);
    return true;
  }

  add(session: IndexedSession, lines: readonly IndexedLine[]): void {
    const { id, user, device, credential, startedAt } = session;
    const about = [`u:${user}`, `d:${device}`, `c:${credential}`].map((word) => this.#hash(word));
    const one = this.#db.prepare(
      'INSERT OR IGNORE INTO recordings (id, user, device, credential, started) VALUES (?, ?, ?, ?, ?)',
    );
    const sealed = this.#db.prepare(
      'INSERT INTO lines (recording, second, kind, sealed) VALUES (?, ?, ?, ?)',
    );
    const words = this.#db.prepare('INSERT INTO words (rowid, hashes) VALUES (?, ?)');
    this.#db
      .transaction(() => {
        const { changes, lastInsertRowid } = one.run(id, user, device, credential, startedAt);
        // Another process was quicker.
        if (changes === 0) return;
        for (const { second, kind, text } of lines) {
          const row = sealed.run(lastInsertRowid, second, kind, this.#seal(text)).lastInsertRowid;
          const hashes = [...about, this.#hash(`k:${kind}`), ...this.#hashesOf(text)];
          words.run(row, hashes.join(' '));
        }
      })
      .immediate();
  }

  /** Newest first. Of a search that fits very many lines only the newest 20,000 are looked at. */
  search(query: SearchQuery): readonly SearchHit[] {
    const words = wordsOf(query.text);
    const last = words.at(-1);
    if (last === undefined) return [];
    const length = beginnings.findLast((each) => each <= [...last].length);
    const lastHash = length === undefined ? `w:${last}` : `p:${[...last].slice(0, length).join('')}`;
    const asked: readonly (readonly [string, string | undefined])[] = [
      ['u', query.user],
      ['d', query.device],
      ['c', query.credential],
      ['k', query.kind],
    ];
    const terms = [
      ...words.slice(0, -1).map((word) => `w:${word}`),
      lastHash,
      ...asked.flatMap(([letter, value]) => (value === undefined ? [] : [`${letter}:${value}`])),
    ];
    const match = terms.map((term) => `"${this.#hash(term)}"`).join(' AND ');
    const found = this.#db
      .prepare<(string | number)[], FoundLine>(
        `SELECT r.id AS session, r.user, r.device, r.credential, r.started AS startedAt,
                lines.second, lines.kind, lines.sealed
         FROM words JOIN lines ON lines.number = words.rowid JOIN recordings AS r ON r.number = lines.recording
         WHERE words MATCH ? AND r.started >= ? ORDER BY words.rowid DESC LIMIT ?`,
      )
      .iterate(match, query.since ?? 0, mostCandidates);
    const hits: SearchHit[] = [];
    for (const { sealed, ...about } of found) {
      const text = this.#open(sealed);
      if (!fits(text, words)) continue;
      hits.push({ ...about, text });
      if (hits.length >= query.limit) break;
    }
    return hits.sort((one, other) => other.startedAt - one.startedAt || other.second - one.second);
  }

  remove(session: string): void {
    this.#db
      .transaction(() => {
        const row = this.#db
          .prepare<[string], { number: number }>('SELECT number FROM recordings WHERE id = ?')
          .get(session);
        if (row === undefined) return;
        this.#db
          .prepare('DELETE FROM words WHERE rowid IN (SELECT number FROM lines WHERE recording = ?)')
          .run(row.number);
        this.#db.prepare('DELETE FROM lines WHERE recording = ?').run(row.number);
        this.#db.prepare('DELETE FROM recordings WHERE number = ?').run(row.number);
      })
      .immediate();
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #hashesOf(text: string): ReadonlySet<string> {
    const hashes = new Set<string>();
    for (const word of wordsOf(text)) {
      hashes.add(this.#hash(`w:${word}`));
      const characters = [...word];
      for (const length of beginnings) {
        if (length > characters.length) break;
        hashes.add(this.#hash(`p:${characters.slice(0, length).join('')}`));
      }
    }
    return hashes;
  }

  #hash(term: string): string {
    const known = this.#hashes.get(term);
    if (known !== undefined) return known;
    if (this.#hashes.size >= mostCached) this.#hashes.clear();
    const hash = createHmac('sha256', this.#hashKey).update(term).digest('hex').slice(0, 16);
    this.#hashes.set(term, hash);
    return hash;
  }

  #seal(text: string): Buffer {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#lineKey, nonce);
    const body = cipher.update(text, 'utf8');
    cipher.final();
    return Buffer.concat([nonce, body, cipher.getAuthTag()]);
  }

  #open(sealed: Buffer): string {
    const decipher = createDecipheriv('aes-256-gcm', this.#lineKey, sealed.subarray(0, nonceLength));
    decipher.setAuthTag(sealed.subarray(-tagLength));
    const text = decipher.update(sealed.subarray(nonceLength, -tagLength), undefined, 'utf8');
    return text + decipher.final('utf8');
  }
}

/** All words are there, the last perhaps only as a beginning. */
function fits(text: string, words: readonly string[]): boolean {
  const there = wordsOf(text);
  const last = words.at(-1) ?? '';
  return (
    words.slice(0, -1).every((word) => there.includes(word)) && there.some((word) => word.startsWith(last))
  );
}
