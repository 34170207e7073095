// One session as the oversight knows it while it runs: its risk, what it has moved, and what has been counted of it
// already. It tells what changed; what follows from that is oversight.ts's to do.
import type { SessionControl } from '../../proxy/identification/ports.ts';
import type { SessionStart } from '../../proxy/server/ports.ts';
import type { EventTarget } from '../behaviour/events.ts';
import { LiveRisk } from '../behaviour/live-risk.ts';
import type { Habits } from '../behaviour/session-counts.ts';
import type { Measurement } from '../behaviour/session-measure.ts';
import type { Risk } from '../behaviour/session-risk.ts';
import type { BehaviourSettings } from '../behaviour/settings.ts';

export type MovedBy = 'sftp' | 'scp' | 'exec' | 'forward';

export interface Moved {
  files: number;
  bytesUp: number;
  bytesDown: number;
}

export class WatchedSession {
  readonly start: SessionStart;
  readonly control: SessionControl;
  readonly live: LiveRisk;
  readonly peers: string;
  readonly moved = new Map<MovedBy, Moved>();
  /** Commands that a rule asked about: whether they ran is still to come. */
  readonly asked = new Set<string>();
  /** Work on the store, one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** What others know of the risk. */
  told: Risk;
  /** Points of a suspicious session that the rating has lost already. */
  counted = 0;
  suspiciousAt: number | undefined;
  submitted = false;
  auditedCommands = 0;
  blockedCommands = 0;
  /** Its user has proven in it, or while it ran, who they are. */
  identified = false;
  /** It was asked for a proof because of what is typed, and there was none since. */
  askedForTyping = false;
  /** A channel was opened: it came to something. */
  used = false;
  action = '';
  /** The demand that holds it. */
  demand: string | undefined;
  /** The last channel on which something happened: markers of the session go there. */
  channel = 0;

  constructor(
    start: SessionStart,
    control: SessionControl,
    from: {
      readonly measured: readonly Measurement[];
      readonly habits: Habits;
      readonly settings: BehaviourSettings;
      readonly peers: string;
    },
  ) {
    this.start = start;
    this.control = control;
    this.live = new LiveRisk(from.measured, from.habits, from.settings.risk);
    this.told = { ...this.live.risk, score: 0, findings: [] };
    this.peers = from.peers;
  }

  get id(): string {
    return this.start.id;
  }

  get target(): EventTarget {
    const { device, credential } = this.start.target;
    return {
      device: { id: device.id, name: device.name },
      credential: { id: credential.id, name: credential.name, username: credential.username },
    };
  }

  get user(): { readonly id: string; readonly name: string } {
    return this.start.user;
  }

  /** Its user has proven who they are. */
  proven(): void {
    this.identified = true;
    this.askedForTyping = false;
    this.live.proven();
  }

  get bytes(): number {
    let bytes = 0;
    for (const { bytesUp, bytesDown } of this.moved.values()) bytes += bytesUp + bytesDown;
    return bytes;
  }

  second(now: number): number {
    return Math.max(0, Math.round((now - this.start.startedAt) / 100) / 10);
  }

  of(by: MovedBy): Moved {
    let moved = this.moved.get(by);
    if (moved === undefined) {
      moved = { files: 0, bytesUp: 0, bytesDown: 0 };
      this.moved.set(by, moved);
    }
    return moved;
  }

  /** Does this after all that was asked for before; what fails is told to `failed` and nobody waits for it. */
  queue(work: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
    this.#work = this.#work.then(work).catch(failed);
    return this.#work;
  }

  get idle(): Promise<void> {
    return this.#work;
  }
}
