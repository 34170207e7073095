// The system settings as behaviour reads them: from the flat table of keys to what each judgement needs. Ranges and
// defaults are those of the table; nothing is checked here again.
import { ACTION_DIMENSIONS, type ActionDimension, DIMENSIONS, type Dimension } from './session-measure.ts';
import type { RiskAction, RiskSettings } from './session-risk.ts';

type FlatSettings = Readonly<Record<string, number | boolean | string>>;

export interface BehaviourSettings {
  /** From this risk on a session is suspicious. */
  readonly minimumSuspiciousScore: number;
  readonly initialRating: number;
  readonly historyDays: number;
  readonly timeZone: string;
  readonly submitHighRiskToAudit: boolean;
  readonly risk: RiskSettings;
  readonly identification: IdentificationSettings;
  /** What follows at once when what is typed is unlike the user's habit. */
  readonly commandActions: CommandActions;
  /** Whom people may ask. */
  readonly contact: string;
}

export interface CommandActions {
  /** When it is unusual: beyond the quantile 0.97 of the user's own windows. */
  readonly reauthenticate: boolean;
  /** When it is very unusual: beyond the quantile 0.995. */
  readonly submitToAudit: boolean;
}

/** Counts at which a user must prove once more who they are; 0: never. */
export interface IdentificationSettings {
  readonly ratingDrop: number;
  readonly highRiskSessions: number;
  readonly blockedCommands: number;
  readonly sessionAttemptsAtProhibitedTimes: number;
  readonly viewAttemptsAtProhibitedTimes: number;
  /** Milliseconds that the user has. */
  readonly patience: number;
  /** Wrong answers that are one too many. */
  readonly tries: number;
}

export function behaviourSettings(settings: FlatSettings): BehaviourSettings {
  const number = (key: string): number => {
    const value = settings[key];
    if (typeof value !== 'number') throw new TypeError(`the setting ${key} is no number`);
    return value;
  };
  const text = (key: string): string => String(settings[key] ?? '');
  const action = (dimension: ActionDimension): Readonly<Record<RiskAction, boolean>> => ({
    blockSession: settings[`actions.${dimension}.blockSession`] === true,
    blockSessionAndUser: settings[`actions.${dimension}.blockSessionAndUser`] === true,
  });
  const weight = (dimension: Dimension): number => number(`session.weights.${dimension}`);
  return {
    minimumSuspiciousScore: number('minimumSuspiciousScore'),
    initialRating: number('initialRating'),
    historyDays: number('session.historyDays'),
    timeZone: text('session.timeZone'),
    submitHighRiskToAudit: settings['session.submitHighRiskToAudit'] === true,
    risk: {
      variationRate: number('session.variationRate'),
      weights: eachOf(DIMENSIONS, weight),
      actions: eachOf(ACTION_DIMENSIONS, action),
    },
    identification: {
      ratingDrop: number('continuousIdentification.ratingDrop'),
      highRiskSessions: number('continuousIdentification.highRiskSessions'),
      blockedCommands: number('continuousIdentification.blockedCommands'),
      sessionAttemptsAtProhibitedTimes: number('continuousIdentification.sessionAttemptsAtProhibitedTimes'),
      viewAttemptsAtProhibitedTimes: number('continuousIdentification.viewAttemptsAtProhibitedTimes'),
      patience: number('continuousIdentification.patienceSeconds') * 1000,
      tries: number('continuousIdentification.tries'),
    },
    commandActions: {
      reauthenticate: settings['actions.commands.reauthenticate'] === true,
      submitToAudit: settings['actions.commands.submitToAudit'] === true,
    },
    contact: text('contact'),
  };
}

function eachOf<K extends string, V>(keys: readonly K[], pick: (key: K) => V): Readonly<Record<K, V>> {
  const values = Object.fromEntries(keys.map((key) => [key, pick(key)]));
  const isWhole = (candidate: Record<string, V>): candidate is Record<K, V> =>
    keys.every((key) => Object.hasOwn(candidate, key));
  if (!isWhole(values)) throw new TypeError('a setting is missing');
  return values;
}
