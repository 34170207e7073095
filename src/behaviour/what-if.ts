// What other settings would have made of what happened: sessions as they were measured, in their order, judged again. Says
// who would have been refused and who would have been asked who they are. Pure; a question to the past, which changes
// nothing. What a user did after a refusal that never was can't be known: each session is taken as it was.
import { dueTrigger } from './identification-triggers.ts';
import { initialState, lostSinceReference, type RatingState, rate } from './rating.ts';
import type { Measurement } from './session-measure.ts';
import { type Risk, riskOf } from './session-risk.ts';
import type { BehaviourSettings } from './settings.ts';

export interface PastRisk {
  readonly session: string;
  readonly user: string;
  readonly startedAt: number;
  readonly measurements: readonly Measurement[];
  /** Past sessions that it was judged by. */
  readonly historySessions: number;
  readonly commandPoints: number;
  readonly auditedCommands: number;
  readonly blockedCommands: number;
}

export interface WhatIf {
  readonly session: string;
  readonly user: string;
  readonly startedAt: number;
  readonly before: Risk;
  readonly after: Risk;
  readonly suspiciousBefore: boolean;
  readonly suspiciousAfter: boolean;
  /** The trigger that would have asked, under each of the settings. */
  readonly askedBefore: string | undefined;
  readonly askedAfter: string | undefined;
}

interface Standing {
  rating: RatingState;
  highRiskSessions: number;
  blockedCommands: number;
}

/** `sessions` oldest first. Answers those that come out otherwise. */
export function whatIf(
  sessions: readonly PastRisk[],
  now: BehaviourSettings,
  then: BehaviourSettings,
): readonly WhatIf[] {
  const before = new Map<string, Standing>();
  const after = new Map<string, Standing>();
  return sessions.flatMap((session) => {
    const was = judged(session, now, before);
    const would = judged(session, then, after);
    const same =
      was.risk.action === would.risk.action &&
      was.suspicious === would.suspicious &&
      was.asked === would.asked;
    if (same) return [];
    return [
      {
        session: session.session,
        user: session.user,
        startedAt: session.startedAt,
        before: was.risk,
        after: would.risk,
        suspiciousBefore: was.suspicious,
        suspiciousAfter: would.suspicious,
        askedBefore: was.asked,
        askedAfter: would.asked,
      },
    ];
  });
}

function judged(
  session: PastRisk,
  settings: BehaviourSettings,
  standings: Map<string, Standing>,
): { readonly risk: Risk; readonly suspicious: boolean; readonly asked: string | undefined } {
  const risk = riskOf(session.measurements, session.historySessions, settings.risk, session.commandPoints);
  const suspicious = risk.score >= settings.minimumSuspiciousScore;
  const standing = standings.get(session.user) ?? {
    rating: initialState(settings.initialRating),
    highRiskSessions: 0,
    blockedCommands: 0,
  };
  standings.set(session.user, standing);
  const evidence = { session: session.session, second: undefined };
  const { startedAt: at, session: id } = session;
  if (suspicious)
    standing.rating = rate(standing.rating, {
      kind: 'suspicious-session',
      id,
      at,
      score: risk.score,
      evidence,
    });
  if (session.auditedCommands > 0) standing.highRiskSessions += 1;
  standing.blockedCommands += session.blockedCommands;
  const due = dueTrigger(
    {
      ratingLost: lostSinceReference(standing.rating),
      highRiskSessions: standing.highRiskSessions,
      blockedCommands: standing.blockedCommands,
      sessionAttempts: 0,
      viewAttempts: 0,
    },
    settings.identification,
  );
  if (due !== undefined) {
    // Taken as passed: what comes after is counted anew.
    standing.rating = rate(standing.rating, { kind: 're-authentication-passed', id, at, evidence });
    standing.highRiskSessions = 0;
    standing.blockedCommands = 0;
  }
  const typed = risk.findings.some(({ dimension }) => dimension === 'commands');
  const asked =
    due?.trigger ?? (typed && settings.commandActions.reauthenticate ? 'unusualCommands' : undefined);
  return { risk, suspicious, asked };
}
