// What each setting means, in a sentence, for whoever is about to change it. Pure text; ranges and defaults are the
// directory's (settings.ts), what they do is src/behaviour's.
import type { SettingKey } from '../directory/settings.ts';

const NEVER = '0: never.';

const weight = (what: string): string =>
  `Points that ${what} adds to a session at most; 0 leaves it out of the measure.`;

const acting = (what: string, alsoUser: boolean): string =>
  alsoUser
    ? `When ${what} is unusual, the session is refused or ended, and its user is disabled.`
    : `When ${what} is unusual, the session is refused before the device is dialled, or ended.`;

export const SETTING_TEXTS: Readonly<Record<SettingKey, string>> = {
  contact: 'Whom people are told to ask when they are turned away.',
  minimumSuspiciousScore: 'Points from which a session counts as suspicious.',
  initialRating: 'The rating that a new user begins with.',
  'session.historyDays': 'How many days back a user’s usual behaviour is taken from.',
  'session.variationRate': 'How far beyond the usual, in percent, something has to be to count as unusual.',
  'session.submitHighRiskToAudit':
    'Suspicious sessions go to the auditors’ queue; needs a user with the role auditor.',
  'session.timeZone': 'The zone in which hours and days are counted.',
  'session.weights.target': weight('an unusual device'),
  'session.weights.origin': weight('an unusual source address'),
  'session.weights.credential': weight('an unusual account'),
  'session.weights.time': weight('an unusual time of day'),
  'session.weights.duration': weight('an unusual length'),
  'session.weights.commands': weight('unusual typing'),
  'session.weights.volume': weight('an unusual amount moved'),
  'session.weights.privilege': weight('an unusual use of rights'),
  'view.historyDays': 'How many days back usual looks at credentials are taken from.',
  'view.variationRate': 'The same, for looks at credentials.',
  'view.weights.origin': 'Points for a look from an unusual address; 0: left out.',
  'view.weights.credential': 'Points for a look at an unusual credential; 0: left out.',
  'view.weights.time': 'Points for a look at an unusual time; 0: left out.',
  'view.weights.passwordChange':
    'Points for a change by hand of a secret that the gateway has just rotated; 0: left out.',
  'actions.duration.blockSession': acting('the length', false),
  'actions.duration.blockSessionAndUser': acting('the length', true),
  'actions.time.blockSession': acting('the time of day', false),
  'actions.time.blockSessionAndUser': acting('the time of day', true),
  'actions.origin.blockSession': acting('the source address', false),
  'actions.origin.blockSessionAndUser': acting('the source address', true),
  'actions.target.blockSession': acting('the device', false),
  'actions.target.blockSessionAndUser': acting('the device', true),
  'actions.credential.blockSession': acting('the account', false),
  'actions.credential.blockSessionAndUser': acting('the account', true),
  'actions.commands.reauthenticate':
    'A user who types unlike their habit (beyond 97 of 100 of their own stretches) is asked for proof of identity at once.',
  'actions.commands.submitToAudit':
    'A session in which somebody types very unlike the user’s habit (beyond 99.5 of 100) goes to the auditors’ queue.',
  'continuousIdentification.ratingDrop': `A user is asked for proof of identity when the rating has fallen by so much since the last. ${NEVER}`,
  'continuousIdentification.highRiskSessions': `The same, after so many sessions in which audited commands ran. ${NEVER}`,
  'continuousIdentification.blockedCommands': `The same, after so many commands that a rule blocked or ended the session for. ${NEVER}`,
  'continuousIdentification.sessionAttemptsAtProhibitedTimes': `The same, after so many attempts to connect at prohibited times. ${NEVER}`,
  'continuousIdentification.viewAttemptsAtProhibitedTimes': `The same, after so many attempts to look at credentials at prohibited times. ${NEVER}`,
  'continuousIdentification.patienceSeconds': 'How many seconds somebody has to prove who they are.',
  'continuousIdentification.tries': 'Wrong answers that are one too many.',
};
