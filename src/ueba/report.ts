// The weekly report: period, users baselined, anomalies by signal, the riskiest users, threats and where their
// investigations stand, and who is on a watch list. As data, as text, and as one HTML page that loads nothing from
// anywhere. It says on top that findings are indicators.
import { shown } from '../directory/shown-text.ts';
import type { Store } from '../store/store.ts';
import { type Finding, type FindingSeverity, type Priority, SIGNALS, type Signal } from './activity.ts';
import { readPeople } from './run.ts';
import { topRisks } from './threats.ts';

const DAY = 86_400_000;

export const NOTICE =
  'Findings are indicators to look into, never proof of wrongdoing: check each against other evidence before acting on it.';

export interface Report {
  readonly notice: string;
  readonly from: string;
  readonly until: string;
  readonly users: number;
  readonly usersBaselined: number;
  readonly lastScan: string | undefined;
  readonly anomalies: number;
  readonly bySignal: readonly {
    readonly signal: string;
    readonly findings: number;
    readonly users: number;
  }[];
  readonly topUsers: readonly {
    readonly name: string;
    readonly department: string | undefined;
    readonly priority: Priority;
    readonly risk: number;
    readonly anomalies: number;
    readonly signals: readonly string[];
    readonly watchLists: readonly string[];
  }[];
  readonly threats: readonly {
    readonly id: string;
    readonly title: string;
    readonly model: string;
    readonly severity: string;
    readonly score: number;
    readonly firstSeen: string;
    readonly lastSeen: string;
    readonly status: string;
    readonly caseId: string | undefined;
    readonly assignee: string | undefined;
  }[];
  readonly investigations: readonly {
    readonly status: string;
    readonly threats: number;
    readonly cases: readonly string[];
  }[];
  readonly watched: readonly {
    readonly list: string;
    readonly user: string;
    readonly anomalies: number;
    readonly note: string;
  }[];
}

const SEVERITIES: readonly FindingSeverity[] = ['low', 'medium', 'high', 'critical'];

const instant = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** `until`: its end, milliseconds since the epoch; `days`: its length. */
export const buildReport = async (
  store: Store,
  { until, days }: { readonly until: number; readonly days: number },
): Promise<Report> => {
  const from = until - days * DAY;
  const [people, rows, threats, scan, watched] = await Promise.all([
    readPeople(store),
    store.db
      .selectFrom('findings')
      .selectAll()
      .where('last_at', '>=', from)
      .where('first_at', '<', until)
      .where('state', '=', 'open')
      .execute(),
    store.db
      .selectFrom('threats')
      .selectAll()
      .where('last_at', '>=', from)
      .where('first_at', '<', until)
      .orderBy('score', 'desc')
      .orderBy('id')
      .execute(),
    store.db.selectFrom('finding_scans').selectAll().orderBy('at', 'desc').limit(1).executeTakeFirst(),
    store.db.selectFrom('watch_lists').selectAll().orderBy('list').orderBy('user_name').execute(),
  ]);
  const byId = new Map(people.map((person) => [person.id, person]));
  const findings = rows.flatMap((row): Finding[] => {
    const signal: Signal | undefined = SIGNALS.find((one) => one === row.signal);
    if (signal === undefined) return [];
    return [
      {
        id: row.id,
        signal,
        user: row.user_id,
        firstAt: row.first_at,
        lastAt: row.last_at,
        severity: SEVERITIES.find((one) => one === row.severity) ?? 'low',
        score: row.score / 100,
        seen: row.text,
        usual: '',
        evidence: [],
      },
    ];
  });
  const listsOf = (name: string): readonly string[] =>
    watched.filter((row) => row.user_name === name).map((row) => row.list);
  return {
    notice: NOTICE,
    from: instant(from),
    until: instant(until),
    users: people.length,
    usersBaselined: scan?.users ?? 0,
    lastScan: scan === undefined ? undefined : instant(scan.at),
    anomalies: findings.length,
    bySignal: [...Map.groupBy(findings, ({ signal }) => signal)]
      .map(([signal, list]) => ({
        signal,
        findings: list.length,
        users: new Set(list.map(({ user }) => user)).size,
      }))
      .sort((a, b) => b.findings - a.findings || (a.signal < b.signal ? -1 : 1)),
    topUsers: topRisks(findings, byId).map(({ name, department, priority, risk, anomalies, signals }) => ({
      name,
      department,
      priority,
      risk,
      anomalies,
      signals: signals.map(({ signal, findings: count }) => `${signal} (${count})`),
      watchLists: listsOf(name),
    })),
    threats: threats.map((row) => ({
      id: row.id,
      title: row.title,
      model: row.model,
      severity: row.severity,
      score: row.score / 100,
      firstSeen: instant(row.first_at),
      lastSeen: instant(row.last_at),
      status: row.status,
      caseId: row.case_id ?? undefined,
      assignee: row.assignee ?? undefined,
    })),
    investigations: [...Map.groupBy(threats, ({ status }) => status)]
      .map(([status, list]) => ({
        status,
        threats: list.length,
        cases: list.flatMap((row) => (row.case_id === null ? [] : [row.case_id])),
      }))
      .sort((a, b) => (a.status < b.status ? -1 : 1)),
    watched: watched.map((row) => ({
      list: row.list,
      user: row.user_name,
      anomalies: findings.filter(({ user }) => byId.get(user)?.name === row.user_name).length,
      note: row.note,
    })),
  };
};

type Table = readonly (readonly string[])[];

interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: Table;
}

const sectionsOf = (report: Report): readonly Section[] => [
  {
    title: 'Anomalies by signal',
    head: ['signal', 'findings', 'users'],
    rows: report.bySignal.map((row) => [row.signal, String(row.findings), String(row.users)]),
  },
  {
    title: 'Riskiest users',
    head: ['user', 'department', 'priority', 'risk', 'anomalies', 'signals', 'watch lists'],
    rows: report.topUsers.map((row) => [
      row.name,
      row.department ?? '–',
      row.priority,
      row.risk.toFixed(1),
      String(row.anomalies),
      row.signals.join(', '),
      row.watchLists.join(', ') || '–',
    ]),
  },
  {
    title: 'Threats',
    head: ['threat', 'severity', 'score', 'first seen', 'last seen', 'status', 'case', 'id'],
    rows: report.threats.map((row) => [
      row.title,
      row.severity,
      row.score.toFixed(0),
      row.firstSeen,
      row.lastSeen,
      row.status,
      row.caseId ?? '–',
      row.id.slice(0, 12),
    ]),
  },
  {
    title: 'Investigations',
    head: ['status', 'threats', 'cases'],
    rows: report.investigations.map((row) => [row.status, String(row.threats), row.cases.join(', ') || '–']),
  },
  {
    title: 'Watch lists',
    head: ['list', 'user', 'anomalies', 'note'],
    rows: report.watched.map((row) => [row.list, row.user, String(row.anomalies), row.note]),
  },
];

const factsOf = (report: Report): Table => [
  ['period', `${report.from} to ${report.until}`],
  ['users', String(report.users)],
  ['users baselined', String(report.usersBaselined)],
  ['anomalies detected', String(report.anomalies)],
  ['last scan', report.lastScan ?? 'never'],
];

export const reportText = (report: Report): string => {
  const lines = ['USER AND ENTITY BEHAVIOUR', '', report.notice, ''];
  for (const [name = '', value = ''] of factsOf(report)) lines.push(`${name.padEnd(20)}${value}`);
  for (const { title, head, rows } of sectionsOf(report)) {
    lines.push('', title.toUpperCase());
    if (rows.length === 0) {
      lines.push('  none');
      continue;
    }
    const cells = [head, ...rows].map((row) => row.map((cell) => shown(cell, 120)));
    const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
    for (const row of cells)
      lines.push(
        `  ${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}`,
      );
  }
  return `${lines.join('\n')}\n`;
};

const escaped = (text: string): string =>
  shown(text, 500).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

export const reportHtml = (report: Report): string => {
  const table = ({ title, head, rows }: Section): string =>
    [
      `<h2>${escaped(title)}</h2>`,
      rows.length === 0
        ? '<p>None.</p>'
        : `<table><thead><tr>${head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')}</tr></thead><tbody>${rows
            .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`)
            .join('')}</tbody></table>`,
    ].join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>User and entity behaviour, ${escaped(report.from)} to ${escaped(report.until)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1c1c; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d0d0d0; vertical-align: top; }
dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem; }
dd { margin: 0; }
.notice { border-left: 4px solid #8a5a00; padding: .5rem 1rem; background: #fff8e8; }
</style>
</head>
<body>
<h1>User and entity behaviour</h1>
<p class="notice">${escaped(report.notice)}</p>
<dl>${factsOf(report)
    .map(([name = '', value = '']) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`)
    .join('')}</dl>
${sectionsOf(report).map(table).join('\n')}
</body>
</html>
`;
};
