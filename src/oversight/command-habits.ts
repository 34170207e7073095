// Habits of typing over the store: each user's profile, and what everybody types together. A user's profile changes at
// the end of a clean session; what everybody types is gathered for a minute and written at once.
import { CommandProfile } from '../behaviour/command-profile.ts';
import { type CommandCounts, CommandStatistics, WithoutMember } from '../behaviour/command-statistics.ts';
import type { Store } from '../store/store.ts';

/** Whose row holds what everybody types. */
const EVERYBODY = '*';
const MOST_PAIRS = 20_000;
const MOST_COMMANDS = 5_000;
/** Milliseconds. */
const WRITE_EVERY = 60_000;
const READ_EVERY = 300_000;
/** Runs of commands that wait to be written. */
const MOST_WAITING = 1_000;

export interface Habit {
  readonly profile: CommandProfile;
  /** Everybody but this user. */
  readonly others: CommandCounts;
}

const readEverybody = (text: string | undefined): CommandStatistics => {
  const statistics = new CommandStatistics(MOST_PAIRS, MOST_COMMANDS);
  if (text === undefined) return statistics;
  try {
    const value: unknown = JSON.parse(text);
    if (
      typeof value === 'object' &&
      value !== null &&
      'counts' in value &&
      Array.isArray(value.counts) &&
      'pairs' in value &&
      Array.isArray(value.pairs)
    )
      return statistics.restore({ counts: value.counts, pairs: value.pairs });
  } catch {
    // Nothing is known then, and nothing is unusual.
  }
  return statistics;
};

export class CommandHabits implements AsyncDisposable {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #everybody: { readonly at: number; readonly statistics: Promise<CommandStatistics> } | undefined;
  #waiting: (readonly string[])[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(store: Store, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
    this.#timer = setInterval(() => void this.write(), WRITE_EVERY);
    this.#timer.unref();
  }

  async of(userId: string): Promise<Habit> {
    const [row, everybody] = await Promise.all([this.#row(userId), this.#all()]);
    const profile = CommandProfile.parse(row ?? '');
    return { profile, others: new WithoutMember(everybody, profile.statistics) };
  }

  /** Learns what a clean session typed. */
  async learn(userId: string, commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return;
    const everybody = await this.#all();
    await this.#store.transaction(async (trx) => {
      const row = await trx
        .selectFrom('command_profiles')
        .select('profile_json')
        .where('user_id', '=', userId)
        .executeTakeFirst();
      const profile = CommandProfile.parse(row?.profile_json ?? '');
      profile.learn(commands, new WithoutMember(everybody, profile.statistics));
      const values = { profile_json: JSON.stringify(profile), updated_at: this.#now() };
      await trx
        .insertInto('command_profiles')
        .values({ user_id: userId, ...values })
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
        .execute();
    });
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(commands);
  }

  /** Adds what was gathered to what everybody types. Never rejects: what could not be written is tried again. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const waiting = this.#waiting;
      if (waiting.length === 0) return;
      this.#waiting = [];
      try {
        await this.#store.transaction(async (trx) => {
          const row = await trx
            .selectFrom('command_profiles')
            .select('profile_json')
            .where('user_id', '=', EVERYBODY)
            .executeTakeFirst();
          const statistics = readEverybody(row?.profile_json);
          for (const commands of waiting) statistics.learn(commands);
          const values = { profile_json: JSON.stringify(statistics), updated_at: this.#now() };
          await trx
            .insertInto('command_profiles')
            .values({ user_id: EVERYBODY, ...values })
            .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
            .execute();
        });
      } catch {
        this.#waiting = [...waiting, ...this.#waiting].slice(0, MOST_WAITING);
      }
    });
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  #all(): Promise<CommandStatistics> {
    const known = this.#everybody;
    if (known !== undefined && this.#now() - known.at < READ_EVERY) return known.statistics;
    const statistics = this.#row(EVERYBODY).then(readEverybody);
    this.#everybody = { at: this.#now(), statistics };
    statistics.catch(() => {
      this.#everybody = undefined;
    });
    return statistics;
  }

  async #row(userId: string): Promise<string | undefined> {
    const row = await this.#store.db
      .selectFrom('command_profiles')
      .select('profile_json')
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return row?.profile_json;
  }
}
