// Says in words why a session is unusual: one line for each point, for auditors, and one short sentence for the person at
// the terminal. Pure text; what it quotes of devices and users is made safe where it is shown.
import type { Finding } from './session-risk.ts';

/** `target: db9 (+3); usual: web1 (40), web2 (12)`. */
export function explain({
  dimension,
  points,
  usual,
  seen,
}: Pick<Finding, 'points' | 'usual' | 'seen'> & { readonly dimension: string }): string {
  const before =
    usual.length === 0
      ? 'nothing is known yet'
      : `usual: ${usual.map(({ value, sessions }) => `${value} (${sessions})`).join(', ')}`;
  return `${dimension}: ${seen} (+${points}); ${before}`;
}

const WORDS: Readonly<Record<string, string>> = {
  target: 'the device',
  origin: 'the address you come from',
  credential: 'the account',
  time: 'the time of day',
  duration: 'how long it takes',
  commands: 'what is typed',
  volume: 'how much is moved',
  privilege: 'the rights that are used',
};

/** For the user: what is out of the ordinary, and what they usually do, without numbers that teach how to hide. */
export function tellUnusual(findings: readonly Finding[], contact: string): string {
  const parts = findings.map(({ dimension, seen, usual }) => {
    const often = usual[0];
    const shown =
      dimension === 'commands' ? '' : ` (${seen}${often === undefined ? '' : `; usually ${often.value}`})`;
    return `${WORDS[dimension] ?? dimension}${shown}`;
  });
  return `This is unusual for you: ${parts.join(', ')}. If it is what you mean to do, ask ${contact}.`;
}
