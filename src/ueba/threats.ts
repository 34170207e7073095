// Findings of one user rolled up into threats by five ready-made models: compromised account, insider data theft,
// privilege escalation, shared account, dormant account. And the composite risk: the sum of a user's signals times their
// priority. Pure. A threat is a reason to look, never proof.
import type { Finding, FindingSeverity, Person, Priority, Signal } from './activity.ts';

const DAY = 86_400_000;

export const MODELS = [
  'compromised account',
  'insider data theft',
  'privilege escalation',
  'shared account',
  'dormant account',
] as const;
export type Model = (typeof MODELS)[number];

export interface Threat {
  /** Model, user and the first day: grows on scanning again, and stays the same. */
  readonly id: string;
  readonly model: Model;
  readonly user: string;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly severity: FindingSeverity;
  /** 0–100. */
  readonly score: number;
  readonly findings: readonly string[];
  readonly title: string;
  readonly text: string;
}

/** Findings further apart belong to different stories. */
const STORY = 7 * DAY;

interface Evidence {
  readonly findings: readonly Finding[];
  readonly best: ReadonlyMap<Signal, Finding>;
}

const score = ({ best }: Evidence, ...signals: readonly Signal[]): number =>
  signals.reduce((sum, signal) => sum + (best.get(signal)?.score ?? 0), 0);
const has = ({ best }: Evidence, ...signals: readonly Signal[]): boolean =>
  signals.some((signal) => best.has(signal));

interface Rule {
  readonly model: Model;
  /** Signals that belong to this model's story. */
  readonly signals: readonly Signal[];
  readonly holds: (evidence: Evidence) => boolean;
  readonly text: string;
}

const RULES: readonly Rule[] = [
  {
    model: 'compromised account',
    signals: [
      'impossible-travel',
      'login-baseline',
      'new-devices',
      'off-hours',
      'failed-re-authentication',
      'suspicious-session',
      'privilege-abuse',
      'suspicious-view',
    ],
    // Somebody who may be another (where they come from, what they can't prove) and does what the owner does not: a
    // traveller in another time zone who uses the devices of always is none.
    holds: (evidence) =>
      has(evidence, 'impossible-travel') ||
      (has(evidence, 'login-baseline', 'failed-re-authentication') &&
        has(evidence, 'new-devices', 'privilege-abuse', 'suspicious-session', 'suspicious-view') &&
        score(
          evidence,
          'login-baseline',
          'new-devices',
          'off-hours',
          'failed-re-authentication',
          'suspicious-session',
          'privilege-abuse',
          'suspicious-view',
        ) >= 80),
    text: 'Somebody else may be using this account: where, when or how it is used does not fit its owner.',
  },
  {
    model: 'insider data theft',
    signals: ['data-volume', 'peer-group', 'off-hours', 'login-baseline', 'new-devices', 'suspicious-view'],
    // Critical by itself; else with something beside it, or again and again. The peers' view of the same bytes is no
    // second witness.
    holds: (evidence) => {
      const volumes = evidence.findings.filter(({ signal }) => signal === 'data-volume');
      return (
        volumes.some(({ severity }) => severity === 'critical') ||
        (volumes.length > 0 && has(evidence, 'off-hours', 'suspicious-view')) ||
        volumes.length >= 3
      );
    },
    text: 'Much more data was moved than this user usually moves.',
  },
  {
    model: 'privilege escalation',
    signals: [
      'privilege-abuse',
      'new-devices',
      'peer-group',
      'off-hours',
      'suspicious-session',
      'suspicious-view',
      'failed-re-authentication',
    ],
    holds: (evidence) => {
      const abuse = evidence.best.get('privilege-abuse')?.score ?? 0;
      return (
        abuse >= 80 ||
        (abuse >= 60 && has(evidence, 'suspicious-session', 'suspicious-view', 'failed-re-authentication'))
      );
    },
    text: 'Many more devices or privileged commands were used than usual.',
  },
  {
    model: 'shared account',
    signals: ['shared-account'],
    holds: (evidence) => has(evidence, 'shared-account'),
    text: 'The account was live from several places at once: more than one person may be using it.',
  },
  {
    model: 'dormant account',
    signals: ['dormant-account', 'off-hours', 'impossible-travel', 'data-volume'],
    holds: (evidence) => has(evidence, 'dormant-account'),
    text: 'An account that nobody had used for months did privileged work.',
  },
];

const SEVERITIES: readonly FindingSeverity[] = ['low', 'medium', 'high', 'critical'];

const severityOf = (findings: readonly Finding[], points: number): FindingSeverity => {
  const worst = Math.max(...findings.map(({ severity }) => SEVERITIES.indexOf(severity)));
  const byScore = points >= 90 ? 3 : points >= 60 ? 2 : 1;
  return SEVERITIES[Math.max(worst, byScore)] ?? 'medium';
};

/** The threats that findings come to, by time. Findings that an investigator called expected are left out before. */
export const threatsOf = (
  findings: readonly Finding[],
  people: ReadonlyMap<string, Person>,
): readonly Threat[] => {
  const threats: Threat[] = [];
  const byUser = Map.groupBy(findings, ({ user }) => user);
  for (const [user, own] of byUser) {
    for (const rule of RULES) {
      const fitting = own
        .filter(({ signal }) => rule.signals.includes(signal))
        .toSorted((a, b) => a.firstAt - b.firstAt || (a.id < b.id ? -1 : 1));
      for (const story of stories(fitting)) {
        const best = new Map<Signal, Finding>();
        for (const finding of story) {
          const known = best.get(finding.signal);
          if (known === undefined || finding.score > known.score) best.set(finding.signal, finding);
        }
        if (!rule.holds({ findings: story, best })) continue;
        const [first] = story;
        const last = story.at(-1);
        if (first === undefined || last === undefined) continue;
        const points = Math.min(
          [...best.values()].reduce((sum, finding) => sum + finding.score, 0),
          100,
        );
        threats.push({
          id: `${rule.model.replaceAll(' ', '-')}:${user}:${Math.floor(first.firstAt / DAY)}`,
          model: rule.model,
          user,
          firstAt: first.firstAt,
          lastAt: Math.max(...story.map(({ lastAt }) => lastAt)),
          severity: severityOf(story, points),
          score: points,
          findings: story.map(({ id }) => id),
          title: `${rule.model[0]?.toUpperCase() ?? ''}${rule.model.slice(1)}: ${people.get(user)?.name ?? user}`,
          text: rule.text,
        });
      }
    }
  }
  return threats.sort((a, b) => a.firstAt - b.firstAt || (a.id < b.id ? -1 : 1));
};

const stories = (findings: readonly Finding[]): readonly (readonly Finding[])[] => {
  const found: Finding[][] = [];
  for (const finding of findings) {
    const current = found.at(-1);
    const last = current?.at(-1);
    if (current !== undefined && last !== undefined && finding.firstAt - last.lastAt <= STORY)
      current.push(finding);
    else found.push([finding]);
  }
  return found;
};

/** By the playbook. */
export const PRIORITY_FACTOR: Readonly<Record<Priority, number>> = {
  critical: 2,
  high: 1.5,
  medium: 1,
  low: 0.8,
};

export interface UserRisk {
  readonly user: string;
  readonly name: string;
  readonly department: string | undefined;
  readonly priority: Priority;
  readonly risk: number;
  readonly anomalies: number;
  readonly signals: readonly { readonly signal: Signal; readonly score: number; readonly findings: number }[];
}

/** The riskiest people by their findings in a period: the worst of each signal, added up, times the priority. */
export const topRisks = (
  findings: readonly Finding[],
  people: ReadonlyMap<string, Person>,
  limit = 20,
): readonly UserRisk[] => {
  const risks = [...Map.groupBy(findings, ({ user }) => user)].flatMap(([id, own]): UserRisk[] => {
    const person = people.get(id);
    if (person === undefined) return [];
    const signals = [...Map.groupBy(own, ({ signal }) => signal)]
      .map(([signal, list]) => ({
        signal,
        score: Math.max(...list.map((finding) => finding.score)),
        findings: list.length,
      }))
      .sort((a, b) => b.score - a.score || (a.signal < b.signal ? -1 : 1));
    const sum = signals.reduce((total, signal) => total + signal.score, 0);
    return [
      {
        user: id,
        name: person.name,
        department: person.department,
        priority: person.priority,
        risk: Math.round(sum * PRIORITY_FACTOR[person.priority] * 10) / 10,
        anomalies: own.length,
        signals,
      },
    ];
  });
  return risks.sort((a, b) => b.risk - a.risk || (a.name < b.name ? -1 : 1)).slice(0, limit);
};
