// What must be heard at once by other processes: end this session, reload that policy. PostgreSQL carries it by
// LISTEN/NOTIFY; beside SQLite the supervisor does, by giving its own carrier to openStore. Messages are hints, not
// records: what must not be lost is written to a table first, and a listener that hears of a gap reads it again.

export type Message =
  | { readonly kind: 'message'; readonly payload: string }
  /** The connection was lost for a while; anything may have been missed. */
  | { readonly kind: 'gap' };

export interface MessageCarrier {
  /** Sends to every listener, in this process and others. Topics and payloads together stay below 7,900 bytes. */
  notify(topic: string, payload: string): Promise<void>;
  /** Calls back for each message until the returned function is called. Callbacks must not throw. */
  listen(topic: string, onMessage: (message: Message) => void): () => void;
}

/** Who listens to what, in this process. */
export class Listeners {
  readonly #byTopic = new Map<string, Set<(message: Message) => void>>();

  add(topic: string, onMessage: (message: Message) => void): () => void {
    const set = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, set);
    const own = (message: Message): void => onMessage(message);
    set.add(own);
    return () => {
      set.delete(own);
      if (set.size === 0 && this.#byTopic.get(topic) === set) this.#byTopic.delete(topic);
    };
  }

  tell(topic: string, message: Message): void {
    for (const listener of this.#byTopic.get(topic) ?? []) listener(message);
  }

  tellAll(message: Message): void {
    for (const topic of [...this.#byTopic.keys()]) this.tell(topic, message);
  }

  clear(): void {
    this.#byTopic.clear();
  }
}

/** Reaches this process only: what a store has when nobody gave it a carrier. */
export const withinThisProcess = (): MessageCarrier => {
  const listeners = new Listeners();
  return {
    notify: async (topic, payload) => listeners.tell(topic, { kind: 'message', payload }),
    listen: (topic, onMessage) => listeners.add(topic, onMessage),
  };
};
