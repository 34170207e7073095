// A session that waits for its user: what its terminals show, when it is decided, and that time runs out.
import { describe, expect, it } from 'vitest';
import { Identification, type SeizedTerminal } from './identification.ts';
import type { IdentificationOutcome, IdentificationRequest, TouchProof, TouchResult } from './ports.ts';

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

describe('a touch in place of answers', () => {
  const agent = (offered = true) => {
    const opened: { closed: boolean }[] = [];
    return {
      offered,
      opened,
      open: () => {
        const state = { closed: false };
        opened.push(state);
        return {
          identities: async () => [],
          sign: async () => undefined,
          [Symbol.dispose]: () => {
            state.closed = true;
          },
        };
      },
    };
  };
  const touch = (...results: TouchResult[]): TouchProof => ({
    possible: async () => true,
    prove: async () => results.shift() ?? 'none',
  });

  it('is asked for by Enter alone, again when none came, and frees the session', async () => {
    const offered = agent();
    const asked = request({ touch: touch('none', 'right') });
    using identification = new Identification(asked, offered);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    expect(shell.shown).toContain('Enter alone: touch your security key');
    type(identification, shell, '\r');
    await shell.until('No touch of a key of yours came.');
    type(identification, shell, '\r');
    expect(await asked.decision).toEqual(['passed', 'touch']);
    expect(offered.opened.map(({ closed }) => closed)).toEqual([true, true]);
  });

  it('leaves the answers as they are, and wrong touches count as wrong answers', async () => {
    const asked = request({ touch: touch('wrong') });
    using identification = new Identification(asked, agent());
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    type(identification, shell, '\r');
    await shell.until('That was not right.');
    type(identification, shell, 'wrong\r');
    expect(await asked.decision).toEqual(['failed', '']);
  });

  it('is all that there is to ask for where an account has nothing else', async () => {
    const asked = request({ questions: async () => [], touch: touch('right') });
    using identification = new Identification(asked, agent());
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Press Enter, then touch your security key.');
    type(identification, shell, 'some words\r');
    type(identification, shell, '\r');
    expect(await asked.decision).toEqual(['passed', 'touch']);
  });

  it('is not offered without an agent of the client’s, and it is told why', async () => {
    const asked = request({ questions: async () => [], touch: touch('right') });
    using identification = new Identification(asked, agent(false));
    const shell = new Screen();
    identification.add(shell);
    await shell.until('your client forwards no agent');
    const other = new Screen();
    using withPassword = new Identification(request({ touch: touch('right') }), agent(false));
    withPassword.add(other);
    await other.until('Your password: ');
    expect(other.shown).not.toContain('security key');
  });

  it('is given up when the session goes on or ends meanwhile', async () => {
    const offered = agent();
    const { promise, resolve } = Promise.withResolvers<TouchResult>();
    const asked = request({ touch: { possible: async () => true, prove: () => promise } });
    const identification = new Identification(asked, offered);
    const shell = new Screen();
    identification.add(shell);
    await shell.until('Your password: ');
    type(identification, shell, '\r');
    await shell.until('Touch your security key now.');
    identification[Symbol.dispose]();
    expect(offered.opened.map(({ closed }) => closed)).toEqual([true]);
    const shown = shell.shown;
    resolve('right');
    await promise;
    expect(shell.shown).toBe(shown);
  });
});
