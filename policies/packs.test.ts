// The packs that ship load, pass their own tests, and hold to the rules of the house.
import { describe, expect, it } from 'vitest';
import { analyse } from './analysis/analyse.ts';
import { scriptReader } from './analysis/script.ts';
import { compilePolicy } from './check.ts';
import { loadPolicies, packsDirectory } from './load.ts';
import { importSigmaRule, sigmaPolicy } from './sigma.ts';

const context = {
  user: 'alice',
  groups: [],
  device: 'web1',
  tags: [],
  credential: 'root',
  channel: 'shell',
  at: new Date(0),
} as const;
const none = { occurrences: (): number => 0 };

describe('packs', () => {
  it('load without a problem', async () => {
    const loaded = await loadPolicies([packsDirectory]);
    expect(loaded.problems).toEqual([]);
    expect(loaded.rules).toBeGreaterThan(120);
    expect(loaded.tests).toBeGreaterThan(500);
  });
  it('block nothing of an ordinary day', async () => {
    const { set } = await loadPolicies([packsDirectory]);
    for (const line of [
      'ls -la',
      'cd /srv && git pull',
      'sudo systemctl restart nginx',
      'tail -f /var/log/syslog',
      'vim notes.txt',
      'rm -rf ./build',
      'docker ps',
      'ssh web2',
      'kubectl get pods -A',
      'make test',
    ]) {
      expect(['none', 'log'], line).toContain(set.decide(analyse(line), context, none).action);
    }
  });
  it('a missing folder is a problem with its name', async () => {
    const loaded = await loadPolicies(['/nonexistent/policies']);
    expect(loaded.problems).toMatchObject([{ code: 'SP_POLICY_FILE', file: '/nonexistent/policies' }]);
  });
});

describe('scripts', () => {
  it('are read command by command, here-documents included', () => {
    const reader = scriptReader();
    const lines = [
      'a=rm',
      '',
      'cat > f <<EOF',
      'rm -rf /',
      'EOF',
      'if true',
      'then',
      '  $a -rf /srv',
      'fi',
      'sh f',
      'echo "x',
    ];
    const done = lines.map((l) => reader.push(l)?.commands.map((c) => c.text));
    expect(done).toEqual([
      [''],
      undefined,
      undefined,
      undefined,
      ['cat'],
      undefined,
      undefined,
      undefined,
      ['true', 'rm -rf /srv'],
      ['sh f', 'rm -rf /'],
      undefined,
    ]);
    expect(reader.pending).toBe(true);
    expect(reader.end()?.incomplete).toBe('quote');
    expect(reader.pending).toBe(false);
  });
  it('an endless here-document is handed out as opaque in the end', () => {
    const reader = scriptReader();
    reader.push('cat <<EOF');
    let analysis = reader.push('x');
    for (let i = 0; i < 6_000 && analysis === undefined; i++) analysis = reader.push('y'.repeat(1_000));
    expect(analysis?.opaque.map((o) => o.why)).toEqual(['length']);
  });
});

describe('Sigma', () => {
  const rule = (detection: string, more = ''): string =>
    `title: Test Rule\nid: 11111111-2222-3333-4444-555555555555\nauthor: Carol\nlevel: high\nlogsource:\n  product: linux\n  category: process_creation\n${more}detection:\n${detection}`;
  const matches = (text: string, line: string): boolean => {
    const result = importSigmaRule(text);
    if (result.kind !== 'imported') throw new Error(result.reason);
    const { set, problems } = compilePolicy([{ file: 's', text: sigmaPolicy('s', [result.rule]) }]);
    expect(problems).toEqual([]);
    return set
      .decide(analyse(line), context, none)
      .matches.some(
        (m) => m.author === 'Carol' && m.license?.startsWith('Detection Rule') === true && m.action === 'log',
      );
  };
  it.each([
    [
      "  a:\n    Image|endswith: '/rm'\n    CommandLine|contains: ' -rf '\n  condition: a",
      'sudo rm -rf /x',
      true,
    ],
    [
      "  a:\n    Image|endswith: '/rm'\n    CommandLine|contains: ' -rf '\n  condition: a",
      'ls -rf /x',
      false,
    ],
    ['  a:\n    CommandLine|contains|all: [one, two]\n  condition: a', 'echo two one', true],
    ['  a:\n    CommandLine|contains|all: [one, two]\n  condition: a', 'echo two', false],
    [
      '  a1:\n    CommandLine|contains: [x1]\n  a2:\n    CommandLine|contains: [x2]\n  condition: all of a*',
      'echo x1 x2',
      true,
    ],
    [
      '  a1:\n    CommandLine|contains: [x1]\n  a2:\n    CommandLine|contains: [x2]\n  condition: 1 of a* and not (a1 and a2)',
      'echo x1 x2',
      false,
    ],
    ['  a:\n    CommandLine|re: "x[0-9]+y"\n  condition: a', 'echo x12y', true],
    ["  a:\n    CommandLine: 'echo *x?'\n  condition: a", 'echo a xy', true],
    ["  a:\n    - Image|endswith: '/id'\n    - CommandLine|startswith: who\n  condition: a", 'whoami', true],
    ["  a:\n    ParentImage|endswith: '/sudo'\n    Image|endswith: '/id'\n  condition: a", 'sudo id', true],
    ["  a:\n    ParentImage|endswith: '/sudo'\n    Image|endswith: '/id'\n  condition: a", 'id', false],
  ])('%s', (detection, line, expected) => expect(matches(rule(detection), line)).toBe(expected));
  it.each([
    ['  a:\n    LogonId: 1\n  condition: a', 'field LogonId'],
    ['  a:\n    CommandLine|base64: x\n  condition: a', 'modifier base64'],
    ['  a:\n    CommandLine: x\n  condition: a | count() > 3', 'aggregation'],
    ['  a:\n    CommandLine: x\n  condition: b', 'no selection named b'],
    ['  a:\n    CommandLine|re: "(?=x)"\n  condition: a', 'look-around'],
  ])('says what it cannot import: %s', (detection, reason) => {
    expect(importSigmaRule(rule(detection))).toMatchObject({
      kind: 'unsupported',
      reason: expect.stringContaining(reason),
    });
  });
});
