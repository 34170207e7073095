// How surprising a value is (a target, an origin, a credential), given what a user has used before and what their
// peers use: a Pitman–Yor process, which expects new values from users who often bring new ones.
// Counts only; it neither stores sessions nor decides what is unusual.

/** Discount: how much of each seen value's weight is set aside for new ones. */
const DISCOUNT = 0.25;
/** Concentration: the weight of the peers, in sessions. */
const CONCENTRATION = 1;

/** How often each value was used. Values with a count of zero are not in the map. */
export type Counts = ReadonlyMap<string, number>;

/** The peers' smoothed share of a value; one share is kept for a value that nobody has used. */
export function peerShare(peers: Counts, value: string): number {
  return shareOf(peers, sumOf(peers), value);
}

/**
 * Surprise in bits, −log2 of the predictive probability:
 * `[max(c − d, 0) + (θ + d·T)·g] / (n + θ)` with d = 0.25, θ = 1, T distinct values seen, g the peers' share.
 * Above 0; the user's only value ever seen gives about 0, a value new to everybody ten bits and more.
 */
export function surprise(own: Counts, peers: Counts, value: string): number {
  return surpriseOf(own.get(value) ?? 0, sumOf(own), own.size, peerShare(peers, value));
}

/**
 * The user's own past surprises, each session seen as if it had been left out of the history, as
 * [surprise in bits, how many sessions had it].
 */
export function ownSurprises(own: Counts, peers: Counts): [surprise: number, sessions: number][] {
  const total = sumOf(own);
  const theirs = sumOf(peers);
  return [...own].map(([value, count]) => {
    const distinctWithout = count === 1 ? own.size - 1 : own.size;
    return [surpriseOf(count - 1, total - 1, distinctWithout, shareOf(peers, theirs, value)), count];
  });
}

function sumOf(counts: Counts): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

function shareOf(peers: Counts, total: number, value: string): number {
  return ((peers.get(value) ?? 0) + 1) / (total + peers.size + 1);
}

function surpriseOf(count: number, total: number, distinct: number, share: number): number {
  const weight = Math.max(count - DISCOUNT, 0) + (CONCENTRATION + DISCOUNT * distinct) * share;
  return -Math.log2(weight / (total + CONCENTRATION));
}
