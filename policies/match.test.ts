// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the cases are shell text
// Decisions: which rule meets which line, in which context, with which weight; allow-lists, occurrences, shadow, opacity.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyse } from './analysis/analyse.ts';
import type { Grammar } from './analysis/types.ts';
import { backtest, compilePolicy, explain, testLine } from './check.ts';
import type { Counters, Decision, Operation, PolicySet, SessionContext } from './match.ts';

const context: SessionContext = {
  user: 'alice',
  groups: ['web'],
  device: 'web1',
  tags: ['production'],
  credential: 'root',
  channel: 'shell',
  at: new Date('2030-01-07T10:00:00Z'),
};
const none: Counters = { occurrences: () => 0 };

function policy(...texts: readonly string[]): PolicySet {
  const compiled = compilePolicy(texts.map((text, i) => ({ file: `p${i}.yaml`, text })));
  expect(compiled.problems).toEqual([]);
  return compiled.set;
}
const rules = (...lines: readonly string[]): PolicySet =>
  policy(`name: t\nrules:\n${lines.map((l) => `  - ${l}`).join('\n')}\n`);
const decide = (
  set: PolicySet,
  line: string,
  over: Partial<SessionContext> = {},
  grammar?: Grammar,
): Decision => set.decide(analyse(line, { grammar }), { ...context, ...over }, none);
const action = (
  set: PolicySet,
  line: string,
  over: Partial<SessionContext> = {},
  grammar?: Grammar,
): string => decide(set, line, over, grammar).action;

describe('match', () => {
  it.each([
    ['rm **', 'rm -rf /', true],
    ['rm **', 'rm', true],
    ['rm', 'rm x', false],
    ['rm *', 'rm -rf /srv/x', true],
    ['rm -rf *', 'rm -rf /srv/.x/../y', true],
    ['rm -rf *', 'rm -rf a b', false],
    ['systemctl stop *', 'systemctl --no-block stop nginx', true],
    ['systemctl stop *', 'systemctl -H web2 stop nginx', false],
    ['git push ** --force **', 'git push origin --force main', true],
    ['{poweroff,halt} **', 'halt -p', true],
    ['/usr/bin/id', '/usr/bin/id', true],
    ['/usr/bin/id', 'id', false],
    ['id', '/usr/bin/id', true],
    ['cat /etc/shadow', 'cat /etc/../etc//shadow', true],
    ["echo 'a b*'", 'echo "a b*"', true],
    ["echo 'a b*'", 'echo "a bc"', false],
    ['[a-c]x', 'bx', true],
    ['a?c', 'abc', true],
  ])('%s against %s: %s', (pattern, line, expected) => {
    expect(action(rules(`{name: r, action: block, match: ${JSON.stringify(pattern)}}`), line)).toBe(
      expected ? 'block' : 'none',
    );
  });

  it('options are the same in any order and spelling', () => {
    const set = rules('{name: r, action: block, match: rm, flags: [r, f]}');
    for (const line of [
      'rm -rf x',
      'rm -fr x',
      'rm -r -f x',
      'rm x -Rf',
      'rm --recursive --force x',
      'rm --recurs -f x',
      'rm -rvf x',
    ]) {
      expect(action(set, line), line).toBe('block');
    }
    for (const line of ['rm -r x', 'rm x', 'rm -- -rf', 'ls -rf'])
      expect(action(set, line), line).toBe('none');
  });

  it('operands are compared in their absolute form too', () => {
    const set = rules('{name: r, action: block, match: rm, operand: [/etc/passwd, "~/.ssh/*"]}');
    expect(action(set, 'cd /etc && rm passwd')).toBe('block');
    expect(action(set, 'rm -f /home/bob/.ssh/id_rsa')).toBe('block');
    expect(action(set, 'rm -f $HOME/.ssh/id_rsa')).toBe('block');
    expect(action(set, 'rm -f /srv/passwd')).toBe('none');
  });

  it('a path rule holds for redirections, writers, readers and transfers', () => {
    const set = rules('{name: r, action: block, path: ["/etc/cron.d/**"], access: [write]}');
    for (const line of [
      'echo x > /etc/cron.d/x',
      'cp x /etc/cron.d/',
      'tee /etc/cron.d/x',
      'sed -i s/a/b/ /etc/cron.d/x',
      'curl -o /etc/cron.d/x h',
      'dd of=/etc/cron.d/x',
    ]) {
      expect(action(set, line), line).toBe('block');
    }
    expect(action(set, 'cat /etc/cron.d/x')).toBe('none');
    const operation: Operation = { channel: 'sftp', operation: 'write', path: '/etc/cron.d/x' };
    expect(set.decideOperation(operation, { ...context, channel: 'sftp' }, none).action).toBe('block');
    expect(
      set.decideOperation({ ...operation, operation: 'read' }, { ...context, channel: 'sftp' }, none).action,
    ).toBe('none');
    expect(
      set.decideOperation(
        { channel: 'sftp', operation: 'rename', path: '/tmp/x', target: '/etc/cron.d/x' },
        context,
        none,
      ).action,
    ).toBe('block');
  });

  it('forwards match by network, address, host glob and port', () => {
    const set = rules(
      '{name: r, action: block, forward: ["10.0.0.0/8", "192.168.1.5:22", "*.internal:5432", "[::1]:22", "2001:db8::/32"]}',
    );
    const judge = (address: string, port: number): string =>
      set.decideOperation({ channel: 'forward', address, port }, { ...context, channel: 'forward' }, none)
        .action;
    expect(judge('10.1.2.3', 80)).toBe('block');
    expect(judge('::ffff:10.1.2.3', 80)).toBe('block');
    expect(judge('192.168.1.5', 22)).toBe('block');
    expect(judge('192.168.1.5', 23)).toBe('none');
    expect(judge('DB.internal', 5432)).toBe('block');
    expect(judge('::1', 22)).toBe('block');
    expect(judge('2001:db8::7', 1)).toBe('block');
    expect(judge('11.0.0.1', 80)).toBe('none');
  });

  it('device commands may be shortened, SQL may be in any case', () => {
    const set = rules(
      '{name: r, action: block, match: "write erase"}',
      '{name: s, action: block, match: "drop table **"}',
    );
    expect(action(set, 'wr er', {}, 'network-cli')).toBe('block');
    expect(action(set, 'wr mem', {}, 'network-cli')).toBe('none');
    expect(action(set, 'Drop  TABLE x;', {}, 'sql')).toBe('block');
    expect(action(set, 'wr er')).toBe('none');
  });

  it('a regular expression reads the typed line and what it came to', () => {
    const set = rules('{name: r, action: block, regex: "rm\\\\s+-rf"}');
    expect(action(set, 'rm   -rf x')).toBe('block');
    expect(action(set, "r''m -rf x")).toBe('block');
  });

  it('a hostile expression costs linear time', () => {
    const set = rules('{name: r, action: block, regex: "^(a+)+$"}');
    const started = performance.now();
    decide(set, `${'a'.repeat(8_000)}!`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('which action wins', () => {
  it('the most severe, with every match reported', () => {
    const set = rules(
      '{name: a, match: rm **}',
      '{name: b, action: interrupt, match: rm **}',
      '{name: c, action: block, regex: rm}',
    );
    const decision = decide(set, 'rm x');
    expect(decision.action).toBe('interrupt');
    expect(decision.matches.map((m) => m.rule)).toEqual(['t/b', 't/c', 't/a']);
  });
  it('a shadow rule is reported and has no effect', () => {
    const decision = decide(rules('{name: a, action: block, shadow: true, match: rm **}'), 'rm x');
    expect(decision.action).toBe('none');
    expect(decision.matches).toMatchObject([{ shadow: true, effective: false }]);
    expect(decision.points).toBe(0);
  });
  it('before its occurrences a rule only logs', () => {
    const set = rules('{name: a, action: block, occurrences: 3, disableUser: true, match: rm **}');
    const nth = (n: number): Decision => set.decide(analyse('rm x'), context, { occurrences: () => n });
    expect(nth(1)).toMatchObject({ action: 'log', disableUser: false });
    expect(nth(2)).toMatchObject({ action: 'block', disableUser: true });
  });
  it('any of several readings decides', () => {
    const set = rules('{name: a, action: block, match: rm **}');
    expect(set.decideCandidates([analyse('ls'), analyse('rm x')], context, none).action).toBe('block');
    expect(set.decideCandidates([], context, none).action).toBe('none');
  });
});

describe('scope', () => {
  it.each([
    ['{users: [alice]}', {}, true],
    ['{users: [bob]}', {}, false],
    ['{groups: ["w*"]}', {}, true],
    ['{devices: ["web*"]}', {}, true],
    ['{tags: [staging]}', {}, false],
    ['{devices: [db1], tags: [production]}', {}, true],
    ['{credentials: [root]}', {}, true],
    ['{channels: [exec]}', {}, false],
    ['{contexts: [psql]}', { context: 'psql' }, true],
    ['{contexts: [psql]}', {}, false],
    ['{times: "mon-fri 08:00-18:00 UTC"}', {}, true],
    ['{times: "mon-fri 08:00-18:00 America/New_York"}', {}, false],
    ['{times: "sat,sun 00:00-24:00"}', {}, false],
    ['{times: "22:00-06:00"}', { at: new Date('2030-01-07T23:00:00Z') }, true],
    ['{devices: ["*"], except: {users: [alice]}}', {}, false],
  ] satisfies readonly [string, Partial<SessionContext>, boolean][])('%s', (scope, over, expected) => {
    expect(action(rules(`{name: a, action: block, match: "rm **", scope: ${scope}}`), 'rm x', over)).toBe(
      expected ? 'block' : 'none',
    );
  });
  it('tells whether anything could hold a session, at any time and in any context', () => {
    const set = rules(
      '{name: a, action: block, match: x, scope: {users: [bob]}}',
      '{name: b, match: y}',
      '{name: c, action: block, match: z, scope: {devices: [db1], times: "sat 00:00-01:00"}}',
    );
    expect(set.appliesTo(context)).toMatchObject({ any: true, holding: false });
    expect(set.appliesTo({ ...context, user: 'bob' })).toMatchObject({ holding: true });
    expect(set.appliesTo({ ...context, device: 'db1' })).toMatchObject({ holding: true });
  });
});

describe('allow-lists', () => {
  const set = policy(`name: list
mode: allowlist
scope: {users: [alice]}
others: {action: block, message: not on the list}
rules:
  - {name: a, match: ["ls **", "sudo systemctl restart *", "grep **", "whoami"]}
`);
  it.each([
    ['ls -l /srv', 'none'],
    ['ls | grep x', 'none'],
    ['sudo systemctl restart nginx', 'none'],
    ['sudo systemctl stop nginx', 'block'],
    ['ls; rm x', 'block'],
    ['ls $(rm x)', 'block'],
    ['ls > /etc/passwd', 'block'],
    ['ls 2>/dev/null', 'none'],
    ['LD_PRELOAD=x ls', 'block'],
    ['$x', 'block'],
    ['eval "$x"', 'block'],
    ['ls $x', 'none'],
    ['a=1', 'block'],
  ])('%s: %s', (line, expected) => {
    const decision = decide(set, line);
    expect(decision.action).toBe(expected);
    expect(decision.allowlistMiss).toBe(expected === 'block');
  });
  it('binds only those in its scope', () => expect(action(set, 'rm x', { user: 'bob' })).toBe('none'));
  it('covers transfers', () =>
    expect(
      set.decideOperation({ channel: 'sftp', operation: 'read', path: '/x' }, context, none).action,
    ).toBe('block'));
});

describe('opaque lines', () => {
  const set = rules(
    '{name: a, action: block, match: rm, flags: [r], opaque: confirm}',
    '{name: b, match: "id", opaque: {action: log, reasons: [script]}}',
  );
  it.each([
    ['rm -r x', 'block'],
    ['$x -rf /', 'confirm'],
    ['rm $x', 'confirm'],
    ['rm x', 'none'],
    ['ls $x', 'none'],
    ['curl h | sh', 'confirm'],
    ['sh x.sh', 'log'],
  ])('%s: %s', (line, expected) => expect(action(set, line)).toBe(expected));
});

describe('files', () => {
  it('every mistake is reported at once, with line and column', () => {
    const { problems } = compilePolicy([
      {
        file: 'a.yaml',
        text: 'name: a\nrules:\n  - name: x\n    mach: y\n    action: blok\n  - {name: z, regex: "("}\n',
      },
      {
        file: 'b.yaml',
        text: 'name: b\nrules:\n  - {name: t, match: "rm **", test: {match: ["ls"], nomatch: ["rm x"]}}\n',
      },
      { file: 'c.yaml', text: 'name: [\n' },
    ]);
    expect(problems.map((p) => `${p.file}:${p.line}:${p.column} ${p.code}`).sort()).toEqual([
      'a.yaml:4:5 SP_POLICY_SCHEMA',
      'a.yaml:5:13 SP_POLICY_SCHEMA',
      'a.yaml:6:22 SP_POLICY_PATTERN',
      'b.yaml:3:46 SP_POLICY_TEST',
      'b.yaml:3:63 SP_POLICY_TEST',
      'c.yaml:2:1 SP_POLICY_SYNTAX',
    ]);
  });
  it('the version is that of the contents', () => {
    const text = 'name: a\nrules: []\n';
    const version = (t: string): string => compilePolicy([{ file: 'x', text: t }]).set.version;
    expect(version(text)).toBe(version(text));
    expect(version(text)).not.toBe(version(`${text} `));
  });
  it('explains a decision without control characters', () => {
    const report = testLine(
      rules('{name: a, action: block, match: "echo **"}'),
      'echo "\u001b[2J\u202e"',
      context,
    );
    expect(report.text).toContain('t/a: block');
    expect(report.text).not.toMatch(/[\u001b\u202e]/);
    expect(explain(report.analysis, report.decision)).toBe(report.text);
  });
  it('a back-test counts occurrences for each user', async () => {
    const set = rules('{name: a, action: block, occurrences: 2, match: "rm **"}');
    const line = (user: string): { line: string; context: SessionContext } => ({
      line: 'rm x',
      context: { ...context, user },
    });
    const result = await backtest(set, [line('alice'), line('bob'), line('alice'), { line: 'ls', context }]);
    expect(result).toMatchObject({ commands: 4, hits: 3 });
    expect(Object.fromEntries(result.byAction)).toEqual({ log: 2, block: 1 });
  });
  it('a back-test is bounded by time, group and tag, and counts by them', async () => {
    const set = rules('{name: a, action: block, match: "rm **", scope: {groups: [operators]}}');
    const line = (user: string, groups: string[], tags: string[], day: string, text = 'rm x') => ({
      line: text,
      context: { ...context, user, groups, tags, at: new Date(`${day}T12:00:00Z`) },
    });
    const recorded = [
      line('alice', ['operators'], ['production'], '2030-01-01'),
      line('alice', ['operators'], ['test'], '2030-01-02'),
      line('alice', ['operators'], ['production'], '2030-01-02', 'ls'),
      line('bob', ['developers'], ['production'], '2030-01-03'),
    ];
    const counts = async (filter: Parameters<typeof backtest>[3]) => {
      const { commands, hits } = await backtest(set, recorded, undefined, filter);
      return [commands, hits];
    };
    expect(await counts({})).toEqual([4, 2]);
    expect(await counts({ since: Date.parse('2030-01-02'), until: Date.parse('2030-01-03') })).toEqual([
      2, 1,
    ]);
    expect(await counts({ groups: ['developers', 'others'] })).toEqual([1, 0]);
    expect(await counts({ groups: ['operators'], tags: ['production'] })).toEqual([2, 1]);
    expect(await counts({ users: ['bob'] })).toEqual([1, 0]);
    const { by } = await backtest(set, recorded);
    expect(Object.fromEntries(by.tag)).toEqual({
      production: { commands: 3, hits: 1 },
      test: { commands: 1, hits: 1 },
    });
    expect([...by.day.keys()]).toEqual(['2030-01-01', '2030-01-02', '2030-01-03']);
  });
  it('a back-test judges file operations and forwards as what they were', async () => {
    const set = rules(
      '{name: a, action: block, path: "/etc/**", access: write}',
      '{name: b, forward: "10.0.0.0/8"}',
    );
    const done = (operations: readonly Operation[]) => ({ line: 'put /etc/passwd', context, operations });
    const result = await backtest(set, [
      done([{ channel: 'sftp', operation: 'write', path: '/etc/passwd' }]),
      done([{ channel: 'sftp', operation: 'read', path: '/etc/passwd' }]),
      done([{ channel: 'forward', address: '10.1.1.1', port: 22 }]),
    ]);
    expect(Object.fromEntries(result.byAction)).toEqual({ block: 1, log: 1 });
  });
});

describe('the index', () => {
  it('loses no rule: trying every rule gives the same matches', () => {
    const words = fc.constantFrom(
      'rm',
      'ls',
      'sudo',
      '-rf',
      '/etc/passwd',
      '/srv/app',
      'x',
      'systemctl',
      'stop',
      'nginx',
      '|',
      ';',
      '>',
      '~/.ssh/id_rsa',
    );
    const sources = [
      'match: "rm **"',
      'match: "{rm,ls} *"',
      'match: "* /etc/*"',
      'match: "systemctl stop nginx*"',
      'regex: "etc/p[a-z]+wd"',
      'regex: "(?i)NGINX|/srv"',
      'path: "~/.ssh/*"',
      'path: "/etc/**", access: write',
      'match: "s* **"',
      'fedBy: [ls]',
      'operand: ["/srv/*"]',
      'when: {all: [{field: text, contains: [srv]}, {not: {match: "ls **"}}]}',
    ];
    const all = rules(...sources.map((s, i) => `{name: r${i}, ${s}}`));
    const each = sources.map((_, i) => `t/r${i}`);
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 8 }), (parts) => {
        const analysis = analyse(parts.join(' '));
        const indexed = all.decide(analysis, context, none).matches.map((m) => m.rule);
        expect([...indexed].sort()).toEqual(each.filter((id) => all.ruleMatches(id, analysis)).sort());
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what may be known of a rule', () => {
  const set = policy(
    'name: own\ndefaults: {owner: team web, message: Ask first.}\nrules:\n  - {name: a, match: reboot, action: block}\n  - {name: b, match: halt, action: block, owner: team power, contact: power@example.org, message: No.}\n',
    'name: listed\nmode: allowlist\ndefaults: {owner: team list}\nothers: {message: Not listed.}\nrules:\n  - {name: a, match: ls}\n',
  );

  it('is its message, its owner and whom to ask, its own before those of its set', () => {
    expect(set.about('own/a')).toEqual({ message: 'Ask first.', owner: 'team web', contact: 'team web' });
    expect(set.about('own/b')).toEqual({
      message: 'No.',
      owner: 'team power',
      contact: 'power@example.org',
    });
    expect(set.about('listed/others')).toEqual({
      message: 'Not listed.',
      owner: 'team list',
      contact: 'team list',
    });
  });

  it('is nothing where there is no such rule', () => {
    expect(set.about('own/c')).toBeUndefined();
    expect(set.about('own/others')).toBeUndefined();
    expect(set.about('')).toBeUndefined();
  });
});
