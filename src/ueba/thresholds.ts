// Every number that decides what is a finding, in one place. Those of the published playbook stand as they are; the floors
// beside them keep small counts from looking like large ratios. docs/ueba.md tells where each comes from.

export const THRESHOLDS = {
  /** Active days before a user is judged by their own baseline. */
  leastDays: 10,
  /** Days of history. */
  historyDays: 90,
  /** Local hours of work, by the playbook. */
  workFrom: 6,
  workUntil: 22,
  /** Beyond the user's own late bound (95th percentile + 2 h) or early bound (mean − 2 sd). */
  lateHours: 2,
  earlyDeviations: 2,
  /** Weekend work is unusual below this share of the user's active days. */
  weekendShare: 0.05,
  /** Standard deviations of bytes and files a day. */
  volumeHigh: 3,
  volumeCritical: 5,
  bytesHigh: 5e9,
  bytesCritical: 10e9,
  /** Below this nothing moved that matters. */
  bytesFloor: 200e6,
  filesFloor: 200,
  /** From here on an amount may be critical by itself. */
  bytesWeighty: 1e9,
  filesWeighty: 2_000,
  /** The deviation is at least this share of the mean: few days make it too small. */
  deviationFloor: 0.5,
  logDeviationFloor: 0.5,
  logHigh: 2.5,
  logCritical: 3.5,
  /** More than ever in the user's history, by this factor. */
  recordRatio: 1.25,
  hostsRatio: 2,
  hostsFloor: 4,
  eventsRatio: 3,
  eventsFloor: 8,
  dormantDays: 90,
  /** Privileged work so many hours after a dormant account came back counts. */
  dormantHours: 72,
  /** Two places count as used side by side by habit from this many days on. */
  togetherDays: 3,
  /** Seconds that sessions from two places must overlap. */
  overlapSeconds: 120,
  /** Sign-ins a day beyond this many deviations. */
  signInDeviations: 5,
  signInFloor: 15,
  /** Targets never seen before in one day. */
  newTargets: 4,
  leastPeers: 5,
  /** Standard deviations above the peers, and this many times the user's own mean. */
  peerDeviations: 5,
  peerOwnRatio: 3,
  /** From this score on a finding keeps its day out of the baseline. */
  unlearnt: 50,
} as const;
