// A user's rating, 0 (highly suspicious) to 10 (very trustworthy), as a ledger: each row has its cause, its evidence,
// and the rating before and after. The rating is nothing but the ledger's last row, and the ledger nothing but the
// events in their order: recomputing it from the history gives the same rows.

export type RatingEvent =
  | {
      readonly kind: 'suspicious-session' | 'suspicious-view';
      readonly id: string;
      readonly at: number;
      /** Points of its dimensions and audited commands together; 15 and above cost the same. */
      readonly score: number;
      /** How much of that an earlier event of the same session has cost already, for risk that rises as it goes on. */
      readonly counted?: number;
      /** Where it is, for the person who looks: the session or view, and the second in its recording. */
      readonly evidence: Evidence;
    }
  | {
      readonly kind: 're-authentication-failed';
      readonly id: string;
      readonly at: number;
      readonly evidence: Evidence;
    }
  | {
      readonly kind: 're-authentication-passed';
      readonly id: string;
      readonly at: number;
      readonly evidence: Evidence;
    }
  /** Somebody decided that the user need not prove who they are: nothing comes back, and what was lost is not held against them. */
  | {
      readonly kind: 're-authentication-waived';
      readonly id: string;
      readonly at: number;
      readonly evidence: Evidence;
    }
  /** A day on which the user worked and nothing suspicious happened. */
  | { readonly kind: 'clean-day'; readonly id: string; readonly at: number }
  /** An auditor says that an event, or all of a session's, was expected: it counts as if it had never been. */
  | { readonly kind: 'expected'; readonly id: string; readonly at: number; readonly event: string };

export interface Evidence {
  readonly session: string;
  readonly second: number | undefined;
}

export interface LedgerRow {
  readonly at: number;
  readonly event: string;
  readonly cause: RatingEvent['kind'];
  readonly evidence: Evidence | undefined;
  readonly before: number;
  readonly after: number;
}

/** Lost for a session of score 15. */
const SUSPICIOUS_LOSS = 2;
const FAILED_LOSS = 2;
/** Days on which half of the way to 10 is regained. */
const HALF_LIFE_DAYS = 14;

/** Where a rating stands, and what is needed to go on from there without the history. */
export interface RatingState {
  readonly rating: number;
  /** At the last passed re-authentication, or at the beginning. */
  readonly reference: number;
}

export function initialState(initialRating: number): RatingState {
  return { rating: clamp(initialRating), reference: clamp(initialRating) };
}

function clamp(rating: number): number {
  // Hundredths: a rating is shown to people, and sums of binary fractions would not recompute equal elsewhere.
  return Math.round(Math.min(10, Math.max(0, rating)) * 100) / 100;
}

function counted(score: number): number {
  return Math.min(Math.max(score, 0), 15);
}

/** What one event does to a rating. `expected` changes nothing by itself: see `ledger`. */
export function rate(state: RatingState, event: RatingEvent): RatingState {
  const { rating, reference } = state;
  switch (event.kind) {
    case 'suspicious-session':
    case 'suspicious-view': {
      const score = counted(event.score) - counted(event.counted ?? 0);
      return { rating: clamp(rating - (SUSPICIOUS_LOSS * Math.max(score, 0)) / 15), reference };
    }
    case 're-authentication-failed':
      return { rating: clamp(rating - FAILED_LOSS), reference };
    case 're-authentication-passed': {
      const regained = clamp(rating + Math.max(reference - rating, 0) / 2);
      return { rating: regained, reference: regained };
    }
    case 're-authentication-waived':
      return { rating, reference: rating };
    case 'clean-day': {
      const rise = (10 - rating) * (1 - 2 ** (-1 / HALF_LIFE_DAYS));
      // At least a hundredth, so that rounding never stops the way up.
      return { rating: clamp(rating + Math.max(rise, 0.01)), reference };
    }
    case 'expected':
      return state;
  }
}

/**
 * The ledger of a history, oldest event first. A mark as expected has a row of its own, with what the rating becomes
 * when the marked event is taken out of the history; the event's own row stays, for the ledger is never rewritten.
 */
export function ledger(
  events: readonly RatingEvent[],
  initialRating: number,
): { readonly rows: readonly LedgerRow[]; readonly state: RatingState } {
  const rows: LedgerRow[] = [];
  const standing: RatingEvent[] = [];
  let state = initialState(initialRating);
  for (const event of events) {
    const before = state.rating;
    if (event.kind === 'expected') {
      const left = standing.filter((other) => !isMeant(event.event, other));
      if (left.length === standing.length) continue;
      standing.splice(0, standing.length, ...left);
      state = standing.reduce(rate, initialState(initialRating));
    } else {
      standing.push(event);
      state = rate(state, event);
    }
    if (state.rating === before && event.kind === 'clean-day') continue;
    rows.push({
      at: event.at,
      event: event.id,
      cause: event.kind,
      evidence: 'evidence' in event ? event.evidence : undefined,
      before,
      after: state.rating,
    });
  }
  return { rows, state };
}

/** Whether a mark as expected speaks of this event: by its id, or by its session for all that was suspicious there. */
function isMeant(marked: string, event: RatingEvent): boolean {
  if (event.id === marked) return true;
  return (
    (event.kind === 'suspicious-session' || event.kind === 'suspicious-view') &&
    event.evidence.session === marked
  );
}

/** How much has been lost since the last passed re-authentication; 0 or more. */
export function lostSinceReference(state: RatingState): number {
  return Math.max(Math.round((state.reference - state.rating) * 100) / 100, 0);
}
