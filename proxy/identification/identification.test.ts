// A session that waits for its user: what its terminals show, when it is decided, and that time runs out.
import { describe, expect, it } from 'vitest';
import { Identification, type SeizedTerminal } from './identification.ts';
import type { IdentificationOutcome, IdentificationRequest } from './ports.ts';

class Screen implements SeizedTerminal {
  shown = '';
  released = false;
  readonly alternate: boolean;
  #told: (() => void) | undefined;

  constructor(alternate = false) {
    this.alternate = alternate;
  }

  show(text: string): void {
    this.shown += text;
    this.#told?.();
  }

  paint(): string {
    return '<as it was>';
  }

  release(): void {
    this.released = true;
  }

  async until(text: string): Promise<void> {
    while (!this.shown.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }
}

const request = (
  over: Partial<IdentificationRequest> = {},
): IdentificationRequest & { decision: Promise<[IdentificationOutcome, string]> } => {
  const { promise, resolve } = Promise.withResolvers<[IdentificationOutcome, string]>();
  return {
    id: 'demand',
    because: 'it must be',
    contact: 'somebody',
    patience: 60_000,
    tries: 2,
    questions: async () => [{ name: 'password', text: 'Your password:' }],
    check: async (answers) => (answers.get('password') === 'right' ? 'right' : 'wrong'),
    decided: (outcome, method) => resolve([outcome, method]),
    decision: promise,
    ...over,
  };
};

const type = (identification: Identification, screen: Screen, text: string): void =>
  identification.keys(screen, Buffer.from(text));

describe('a session that waits for its user', () => {
  it('asks on every terminal, also on one that comes later, and gives each back as it was', async () => {
    const asked = request();
    const identification = new Identification(asked);
    const shell = new Screen();
    const editor = new Screen(true);
    identification.add(shell);
    await shell.until('Your password: ');
    identification.add(editor);
    await editor.until('Your password: ');
    expect(shell.shown).toContain('it must be');
    expect(shell.shown.startsWith('\x1b[?1049h')).toBe(true);
    expect(editor.shown).not.toContain('\x1b[?1049h');
    type(identification, editor, 'right\r');
    expect(await asked.decision).toEqual(['passed', 'password']);
    expect(editor.shown).not.toContain('right');
    expect(shell.released).toBe(false);
    identification[Symbol.dispose]();
    expect(shell.shown.endsWith('\x1b[?1049l')).toBe(true);
    expect(editor.shown.endsWith('<as it was>')).toBe(true);
    expect([shell.released, editor.released]).toEqual([true, true]);
  });

  it('fails after as many wrong answers as there may be', async () => {
    const asked = request();
    using identification = new Identification(asked);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    type(identification, shell, 'wrong\r');
    await shell.until('That was not right.');
    type(identification, shell, 'wrong again\r');
    expect(await asked.decision).toEqual(['failed', '']);
  });

  it('fails at once while failures are locked', async () => {
    const asked = request({ check: async () => 'locked' });
    using identification = new Identification(asked);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    type(identification, shell, 'right\r');
    expect(await asked.decision).toEqual(['failed', 'locked']);
  });

  it('counts nothing against the user when answers cannot be checked', async () => {
    let failing = true;
    const asked = request({
      tries: 1,
      check: async () => {
        if (!failing) return 'right';
        throw new Error('the store is away');
      },
    });
    using identification = new Identification(asked);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    type(identification, shell, 'right\r');
    await shell.until('cannot be checked');
    failing = false;
    type(identification, shell, 'right\r');
    expect(await asked.decision).toEqual(['passed', 'password']);
  });

  it('runs out of time, with or without a terminal', async () => {
    const asked = request({ patience: 5 });
    using identification = new Identification(asked);
    expect(identification.asks).toBe(false);
    expect(await asked.decision).toEqual(['timed-out', '']);
  });

  it('tells whoever has nothing to prove with whom to ask, and takes no keys', async () => {
    const asked = request({ questions: async () => [] });
    using identification = new Identification(asked);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('neither a password nor one-time codes. Ask somebody.');
    const before = shell.shown;
    type(identification, shell, 'anything\r');
    expect(shell.shown).toBe(before);
  });
});
