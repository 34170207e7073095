// From which surprise on a value is unusual for a user: their own 95th percentile, drawn towards the peers' while
// little is known. Pure arithmetic on weighted surprises.

/** Sessions' worth of weight that the peers' bound has against the user's own. */
const PEER_WEIGHT = 10;

/** A surprise in bits, and how many sessions had it. */
export type Weighted = readonly [value: number, weight: number];

/** The smallest value at or below which a share `quantile` (0–1) of the weight lies; undefined without weight. */
export function weightedQuantile(values: readonly Weighted[], quantile: number): number | undefined {
  const sorted = [...values].sort((a, b) => a[0] - b[0]);
  const total = sorted.reduce((sum, [, weight]) => sum + weight, 0);
  let reached = 0;
  for (const [value, weight] of sorted) {
    reached += weight;
    if (reached >= quantile * total) return value;
  }
  return undefined;
}

/** `B = (n·Q95 + 10·B0) / (n + 10)`: `own` are the user's surprises, `peers` the bound of their peers, in bits. */
export function bound(own: readonly Weighted[], peers: number): number {
  const sessions = own.reduce((sum, [, weight]) => sum + weight, 0);
  const quantile = weightedQuantile(own, 0.95) ?? 0;
  return (sessions * quantile + PEER_WEIGHT * peers) / (sessions + PEER_WEIGHT);
}

/** Unusual: above the bound by more than the variation rate (0–100 %). A bound below zero counts as zero. */
export function isUnusual(surprise: number, limit: number, variationRate: number): boolean {
  return surprise > Math.max(limit, 0) * (1 + variationRate / 100);
}
