// `npm run -s bench:ueba`: findings and threats over a simulated year with injected attacks; prints what was detected and
// what was a false alarm. `--seed N` (default 2030), `--users N`, `--json`, `--show` (false alarms one by one). The thresholds
// were set on other seeds (1 and 2) than the one that is reported.
import { parseArgs } from 'node:util';
import { Analyst } from '../../src/ueba/analyst.ts';
import { type Threat, threatsOf, topRisks } from '../../src/ueba/threats.ts';
import { type AttackKind, generate } from './generate.ts';

const DAY = 86_400_000;
/** A threat that comes so long after the attack's last act still counts: an investigation is never quicker. */
const GRACE = 2 * DAY;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '2030' },
    users: { type: 'string', default: '500' },
    json: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
  },
});

const MODEL_OF: Readonly<Record<AttackKind, Threat['model']>> = {
  compromised: 'compromised account',
  insider: 'insider data theft',
  dormant: 'dormant account',
  shared: 'shared account',
};

const year = generate(Number(values.seed), Number(values.users));
const people = new Map(year.people.map((person) => [person.id, person]));
const began = performance.now();
const analyst = new Analyst({ timeZone: 'UTC', people: year.people });
for (const activity of year.activities) analyst.take(activity);
const findings = analyst.finish();
const threats = threatsOf(findings, people);
const seconds = (performance.now() - began) / 1_000;

const during = (threat: { readonly user: string; readonly firstAt: number; readonly lastAt: number }) =>
  year.attacks.find(
    (attack) =>
      attack.user === threat.user && threat.lastAt >= attack.from && threat.firstAt <= attack.until + GRACE,
  );

const kinds = (['compromised', 'insider', 'dormant', 'shared'] as const).map((kind) => {
  const attacks = year.attacks.filter((attack) => attack.kind === kind);
  const hits = attacks.filter((attack) => threats.some((threat) => during(threat) === attack));
  const named = hits.filter((attack) =>
    threats.some((threat) => threat.model === MODEL_OF[kind] && during(threat) === attack),
  );
  return { kind, attacks: attacks.length, detected: hits.length, rightModel: named.length };
});

const falseThreats = threats.filter((threat) => during(threat) === undefined);
const falseHigh = falseThreats.filter(({ severity }) => severity === 'high' || severity === 'critical');
const falseFindings = findings.filter((finding) => during(finding) === undefined);
const userDays = new Set(year.activities.map(({ user, at }) => `${user} ${Math.floor(at / DAY)}`)).size;
const judgedFrom = (year.activities[0]?.at ?? 0) + 30 * DAY;
const weeks = 365 / 7;

/** Whether an attacked user stands among the twenty riskiest of the week of the attack. */
const inTop = year.attacks.filter((attack) => {
  const week = findings.filter(
    ({ firstAt }) => firstAt >= attack.from - DAY && firstAt <= attack.from + 7 * DAY,
  );
  return topRisks(week, people).some(({ user }) => user === attack.user);
}).length;

const detected = kinds.reduce((sum, { detected: count }) => sum + count, 0);
const result = {
  seed: Number(values.seed),
  users: year.people.length,
  activities: year.activities.length,
  seconds: Math.round(seconds * 100) / 100,
  attacks: year.attacks.length,
  detected,
  detectionRate: Math.round((1_000 * detected) / year.attacks.length) / 10,
  inTopTwenty: Math.round((1_000 * inTop) / year.attacks.length) / 10,
  kinds,
  threats: threats.length,
  falseThreats: falseThreats.length,
  falseThreatsAWeek: Math.round((10 * falseThreats.length) / weeks) / 10,
  falseHighThreatsAWeek: Math.round((10 * falseHigh.length) / weeks) / 10,
  falseThreatsPer1000UserDays: Math.round((100_000 * falseThreats.length) / userDays) / 100,
  falseFindingsPer1000UserDays: Math.round((100_000 * falseFindings.length) / userDays) / 100,
  baselined: analyst.baselined,
};

if (values.show === true)
  for (const threat of falseThreats.filter(({ firstAt }) => firstAt > judgedFrom))
    process.stdout.write(
      `${new Date(threat.firstAt).toISOString().slice(0, 10)} ${threat.user} ${threat.model} ${threat.score} ${threat.findings.map((id) => id.split(':')[0]).join(' ')}\n`,
    );
if (values.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
else {
  process.stdout.write(
    [
      `seed ${result.seed}: ${result.users} people, ${result.activities} activities, ${result.seconds} s (${Math.round(result.activities / seconds)} a second)`,
      ...kinds.map(
        ({ kind, attacks, detected: hits, rightModel }) =>
          `${kind.padEnd(12)} ${hits} of ${attacks} detected, ${rightModel} by their own model`,
      ),
      `detection rate          ${result.detectionRate} %`,
      `among the week's top 20 ${result.inTopTwenty} %`,
      `false threats           ${result.falseThreats} in the year: ${result.falseThreatsAWeek} a week, ${result.falseHighThreatsAWeek} of them high or critical; ${result.falseThreatsPer1000UserDays} in 1,000 user-days`,
      `findings beside attacks ${result.falseFindingsPer1000UserDays} in 1,000 user-days`,
      '',
    ].join('\n'),
  );
}
