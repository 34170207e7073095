// Which credentials a device has refused a moment ago. Devices punish failed sign-ins by address (PerSourcePenalties of
// OpenSSH), and every user comes from the gateway's: whoever connects again and again with a credential that is out of
// date would shut everybody out. So a refused one is not offered again before a pause, which grows. Pure but for the
// clock it is given; it holds no secret, and one process knows nothing of another's.

/** Pauses in milliseconds: as long as OpenSSH's penalty for one failure takes to decay, and twice that each time. */
const FIRST_PAUSE = 5_000;
/** A credential that has been put right is not kept waiting for longer. */
const LONGEST_PAUSE = 60_000;
/** Quiet for so long, a refusal is forgotten. */
const FORGOTTEN = 10 * 60_000;
const MOST = 10_000;

interface Refusal {
  readonly at: number;
  readonly pause: number;
}

export class RefusedCredentials {
  readonly #now: () => number;
  /** By credential; the one refused last stands last. */
  readonly #refusals = new Map<string, Refusal>();

  /** `now`: milliseconds, from a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Milliseconds until the credential may be offered; 0: now. */
  waitOf(credentialId: string): number {
    const refusal = this.#refusals.get(credentialId);
    return refusal === undefined ? 0 : Math.max(0, refusal.at + refusal.pause - this.#now());
  }

  refused(credentialId: string): void {
    const at = this.#now();
    const before = this.#refusals.get(credentialId);
    this.#refusals.delete(credentialId);
    const again = before !== undefined && at - before.at < FORGOTTEN;
    const pause = again ? Math.min(before.pause * 2, LONGEST_PAUSE) : FIRST_PAUSE;
    this.#refusals.set(credentialId, { at, pause });
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > MOST && oldest !== undefined) this.#refusals.delete(oldest);
  }

  accepted(credentialId: string): void {
    this.#refusals.delete(credentialId);
  }
}
