// How unusual a view of a credential is, by the same measures as a session's start: origin, credential and time against
// the user's own clean views. Points are those of `view.weights`. A change by hand of what the gateway has just rotated is
// judged like a view, as far as it is known from where it came, and has points of its own.
import type { EventFinding } from '../behaviour/events.ts';
import { SessionHistory } from '../behaviour/session-history.ts';
import { measureStart, NO_PEERS } from '../behaviour/session-measure.ts';
import { riskOf } from '../behaviour/session-risk.ts';
import { behaviourSettings } from '../behaviour/settings.ts';
import type { Settings } from '../directory/settings.ts';
import type { CredentialViewsTable } from '../store/steps/credential-work.ts';
import type { Store } from '../store/store.ts';

const DAY = 86_400_000;
/** The newest views that are looked at. */
const MOST_VIEWS = 2_000;

const NO_ACTIONS = { blockSession: false, blockSessionAndUser: false } as const;

/** Dimensions that give points, with their sum. */
export const admittedFindings = async (
  store: Store,
  userId: string,
  view: Pick<CredentialViewsTable, 'at' | 'source_address' | 'credential_name'>,
  flat: Settings,
  timeZone: string,
): Promise<{ readonly score: number; readonly findings: readonly EventFinding[] }> => {
  const past = await store.db
    .selectFrom('credential_views')
    .select(['at', 'source_address', 'credential_name'])
    .where('user_id', '=', userId)
    .where('at', '>=', view.at - flat['view.historyDays'] * DAY)
    .where('at', '<', view.at)
    .where('outcome', '=', 'shown')
    // Never learn from what was suspicious.
    .where('suspicious', '=', 0)
    .orderBy('at', 'desc')
    .limit(MOST_VIEWS)
    .execute();
  const history = new SessionHistory(timeZone);
  for (const one of past.reverse())
    history.add({
      startedAt: one.at,
      target: '',
      origin: one.source_address,
      credential: one.credential_name,
      duration: undefined,
    });
  const measured = measureStart(
    {
      startedAt: view.at,
      target: '',
      origin: view.source_address,
      credential: view.credential_name,
    },
    history,
    NO_PEERS,
  );
  const { risk } = behaviourSettings(flat);
  const judged = riskOf(measured, history.sessions, {
    variationRate: flat['view.variationRate'],
    weights: {
      ...risk.weights,
      target: 0,
      duration: 0,
      origin: flat['view.weights.origin'],
      credential: flat['view.weights.credential'],
      time: flat['view.weights.time'],
    },
    actions: {
      target: NO_ACTIONS,
      origin: NO_ACTIONS,
      credential: NO_ACTIONS,
      time: NO_ACTIONS,
      duration: NO_ACTIONS,
    },
  });
  const findings = judged.findings.filter(({ points }) => points > 0);
  return { score: findings.reduce((sum, { points }) => sum + points, 0), findings };
};

/**
 * Of a change by hand of a credential that the gateway had rotated at `rotatedAt`. Where it came from is not known: a
 * file that was applied has no address.
 */
export const changeFindings = async (
  store: Store,
  userId: string,
  change: { readonly at: number; readonly credential: string; readonly rotatedAt: number },
  flat: Settings,
): Promise<{ readonly score: number; readonly findings: readonly EventFinding[] }> => {
  const { at, credential, rotatedAt } = change;
  const points = flat['view.weights.passwordChange'];
  const judged = await admittedFindings(
    store,
    userId,
    { at, source_address: '', credential_name: credential },
    { ...flat, 'view.weights.origin': 0 },
    flat['session.timeZone'],
  );
  const days = Math.max(0, at - rotatedAt) / DAY;
  const own: EventFinding = {
    dimension: 'passwordChange',
    points,
    usual: [],
    seen: `changed by hand ${days < 1 ? 'within a day' : `${Math.floor(days)} days`} after the gateway had rotated it`,
    measured: days,
    limit: 0,
  };
  const findings = points > 0 ? [own, ...judged.findings] : judged.findings;
  return { score: findings.reduce((sum, finding) => sum + finding.points, 0), findings };
};
