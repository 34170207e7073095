// The system settings in force in this process: read at the start, again at once when a change is told, and again when
// the directory's version says that a message was missed. While the store can't be read, the last ones stay in force.
import { type BehaviourSettings, behaviourSettings } from '../behaviour/settings.ts';
import { readSettings } from '../directory/settings.ts';
import type { Store } from '../store/store.ts';
import { SETTINGS_CHANGED } from './settings.ts';

/** How often it is looked whether a change was missed. Milliseconds. */
const LOOK_EVERY = 5_000;

export class LiveSettings implements Disposable {
  readonly #store: Store;
  readonly #told = new Set<() => void>();
  readonly #stopListening: () => void;
  readonly #timer: NodeJS.Timeout;
  #current: BehaviourSettings;
  #seen: string;
  #reading: Promise<void> = Promise.resolve();

  private constructor(store: Store, current: BehaviourSettings) {
    this.#store = store;
    this.#current = current;
    this.#seen = JSON.stringify(current);
    this.#stopListening = store.listen(SETTINGS_CHANGED, () => void this.read());
    this.#timer = setInterval(() => void this.read(), LOOK_EVERY);
    this.#timer.unref();
  }

  static async open(store: Store): Promise<LiveSettings> {
    return new LiveSettings(store, behaviourSettings(await readSettings(store.db)));
  }

  get current(): BehaviourSettings {
    return this.#current;
  }

  /** Calls back after each change; answers the function that stops it. */
  onChange(told: () => void): () => void {
    const own = (): void => told();
    this.#told.add(own);
    return () => this.#told.delete(own);
  }

  /** Reads them now. Never rejects. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      const read = await readSettings(this.#store.db).catch(() => undefined);
      if (read === undefined) return;
      const next = behaviourSettings(read);
      const text = JSON.stringify(next);
      if (text === this.#seen) return;
      this.#seen = text;
      this.#current = next;
      for (const told of [...this.#told]) told();
    });
    return this.#reading;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stopListening();
    this.#told.clear();
  }
}
