// Carries a store's messages between the processes of one gateway where the database can't (SQLite): what a worker
// says goes to the supervisor, and from there to every process. PostgreSQL has its own way and does not use this.
import { Listeners, type MessageCarrier } from '../store/messages.ts';

export interface Notices extends MessageCarrier {
  /** Something was said elsewhere: whoever listens here hears it. */
  hear(topic: string, payload: string): void;
}

/** `send` passes a message on to where it is told to everyone, this process included. */
export const createNotices = (send: (topic: string, payload: string) => void): Notices => {
  const listeners = new Listeners();
  return {
    notify: async (topic, payload) => send(topic, payload),
    listen: (topic, onMessage) => listeners.add(topic, onMessage),
    hear: (topic, payload) => listeners.tell(topic, { kind: 'message', payload }),
  };
};
