import { describe, expect, it } from 'vitest';
import type { AuditedCommand } from '../../proxy/audit/ports.ts';
import { RedactionRules } from '../../recordings/redaction-rules.ts';
import { commandRedaction } from './command-redaction.ts';

const rules = new RedactionRules([
  { name: 'quoted', pattern: "secret='[^']*'" },
  { name: 'token', pattern: 'tok-[a-z0-9]+' },
  { name: 'pem', pattern: '-----BEGIN KEY-----', until: '-----END KEY-----' },
]);

const row = (command: string, more: Partial<AuditedCommand> = {}): AuditedCommand => ({
  id: '1',
  source: {
    sessionId: 's',
    channel: 0,
    startedAt: 0,
    user: { id: 'u', name: 'alice' },
    device: { id: 'd', name: 'web1' },
    credential: { id: 'c', name: 'c', username: 'root' },
    sourceAddress: '192.0.2.1',
  },
  at: 0,
  channelKind: 'shell',
  context: 'shell',
  typed: command,
  command,
  candidates: [],
  analysed: {},
  word: '',
  how: 'exact',
  confidence: 1,
  hidden: false,
  decision: 'log',
  outcome: 'ran',
  detail: '',
  rules: [],
  points: 0,
  policyVersion: '1',
  ...more,
});

const redaction = () => {
  const made = commandRedaction(rules);
  if (made === undefined) throw new Error('no redaction');
  return made;
};

describe('a row of the log of commands', () => {
  it('is as it was where no rule matches', () => {
    const plain = row('sudo ls', { analysed: { commands: [{ text: 'ls', name: 'ls', via: ['sudo'] }] } });
    expect(redaction().row(plain)).toEqual(plain);
    expect(commandRedaction(undefined)).toBeUndefined();
  });

  it('holds what a rule matches in none of its fields, in whatever words', () => {
    const why = { rule: 'r', action: 'log', criticality: 'low', points: 0, effective: true } as const;
    const kept = redaction().row(
      row(`sudo login secret='hun ter2'`, {
        typed: `sudo login secret='hun ter2' tok-1`,
        candidates: [`login secret='hun ter2'`],
        analysed: {
          grammar: 'sh',
          commands: [
            { text: 'login secret=hun ter2', name: 'login', via: ['sudo'], redirections: ['> ter2'] },
          ],
          opaque: [{ why: 'variable', where: 'word', text: 'hun ter2' }],
          environment: { KEY: 'ter2' },
        },
        word: 'login',
        detail: 'its end "ter2\'", which a shell could read, is not allowed (rule r)',
        rules: [{ ...why, shadow: false, occurrence: 1, why: 'secret=hun ter2 matches' }],
      }),
    );
    expect(JSON.stringify(kept)).not.toMatch(/hun|ter2|tok-1/);
    expect(kept.typed).toBe('sudo login [redacted quoted] [redacted token]');
    expect(kept.detail).toContain('(rule r)');
    // Whose rights it uses is still told.
    expect(kept.analysed).toMatchObject({ commands: [{ name: 'login', via: ['sudo'] }] });
  });

  it('holds no word that matches without its quotes', () => {
    const analysed = { commands: [{ text: 'echo tok-12', name: 'echo' }] };
    expect(JSON.stringify(redaction().row(row(`echo to'k-12'`, { analysed })).analysed)).not.toContain('12');
  });

  it('is cut within itself only: the beginning of a long secret hides no command behind it', () => {
    const channel = redaction();
    const kept = ['echo -----BEGIN KEY----- MIIE', 'rm -rf /srv'].map(
      (line) => channel.row(row(line)).command,
    );
    expect(kept).toEqual(['echo [redacted pem]', 'rm -rf /srv']);
  });

  it('is noted of later without it', () => {
    expect(redaction().detail('gave tok-9 away')).toBe('gave [redacted token] away');
  });
});
