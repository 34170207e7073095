// When a user must prove once more who they are: counts since they last did, against the settings. Pure.
import type { IdentificationTrigger } from './events.ts';
import type { IdentificationSettings } from './settings.ts';

/** What has happened since the user last proved who they are. */
export interface IdentificationCounts {
  /** Points of the rating. */
  readonly ratingLost: number;
  readonly highRiskSessions: number;
  readonly blockedCommands: number;
  readonly sessionAttempts: number;
  readonly viewAttempts: number;
}

export interface DueTrigger {
  readonly trigger: Exclude<IdentificationTrigger, 'unusualCommands' | 'administrator'>;
  readonly count: number;
  readonly limit: number;
}

/** The first trigger whose count has reached its setting; undefined: none. A setting of 0 is off. */
export function dueTrigger(
  counts: IdentificationCounts,
  settings: IdentificationSettings,
): DueTrigger | undefined {
  const table: readonly DueTrigger[] = [
    { trigger: 'ratingDrop', count: counts.ratingLost, limit: settings.ratingDrop },
    { trigger: 'highRiskSessions', count: counts.highRiskSessions, limit: settings.highRiskSessions },
    { trigger: 'blockedCommands', count: counts.blockedCommands, limit: settings.blockedCommands },
    {
      trigger: 'sessionAttemptsAtProhibitedTimes',
      count: counts.sessionAttempts,
      limit: settings.sessionAttemptsAtProhibitedTimes,
    },
    {
      trigger: 'viewAttemptsAtProhibitedTimes',
      count: counts.viewAttempts,
      limit: settings.viewAttemptsAtProhibitedTimes,
    },
  ];
  return table.find(({ count, limit }) => limit > 0 && count >= limit);
}

/** Why, for the user; a part of a sentence. */
export function triggerText(trigger: IdentificationTrigger, count: number): string {
  const times = count === 1 ? 'once' : `${count} times`;
  switch (trigger) {
    case 'ratingDrop':
      return `your rating has fallen by ${count} since you last did`;
    case 'highRiskSessions':
      return `audited commands ran in ${count === 1 ? 'a session' : `${count} sessions`} of yours`;
    case 'blockedCommands':
      return `you met ${times} a rule that does not allow a command`;
    case 'sessionAttemptsAtProhibitedTimes':
      return `you tried ${times} to open a session outside your hours`;
    case 'viewAttemptsAtProhibitedTimes':
      return `you tried ${times} to see a credential outside your hours`;
    case 'unusualCommands':
      return 'what is typed is unlike what you usually type';
    case 'administrator':
      return 'an administrator asks for it';
  }
}
