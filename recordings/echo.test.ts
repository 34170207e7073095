// What may be stored of typed keys: the matcher alone, and against real programs on a real pty.
import { existsSync } from 'node:fs';
import * as pty from 'node-pty';
import { describe, expect, it } from 'vitest';
import { EchoMatcher, type EchoVerdict } from './echo.ts';

function stored(verdicts: readonly EchoVerdict[]): string {
  return verdicts.map((verdict) => (verdict.kind === 'echoed' ? verdict.text : '')).join('');
}

describe('a line typed key by key', () => {
  it('is stored when each key comes back', () => {
    const matcher = new EchoMatcher();
    for (const key of 'ls -l') {
      matcher.typed(key);
      matcher.shown(key);
    }
    expect(matcher.typed('\r')).toEqual([{ kind: 'echoed', text: 'ls -l\r' }]);
  });

  it('is stored when the editor colours and repaints it, and suggests more', () => {
    const matcher = new EchoMatcher();
    matcher.typed('l');
    matcher.shown('\u001b[1m\u001b[31ml\u001b[0m\u001b[39m');
    matcher.typed('s');
    matcher.shown('\b\u001b[32ml\u001b[32ms\u001b[39m');
    matcher.typed(' ');
    matcher.shown(' \u001b[90m-la /etc\u001b[39m\u001b[8D');
    expect(stored(matcher.typed('\r'))).toBe('ls \r');
  });

  it('is hidden whole when one key did not come back', () => {
    const matcher = new EchoMatcher();
    matcher.typed('a');
    matcher.shown('a');
    matcher.typed('b');
    expect(matcher.typed('\r')).toEqual([]);
    expect(matcher.shown('\r\nb is what follows')).toEqual([{ kind: 'hidden', keys: 2 }]);
  });

  it('is hidden when stars come back', () => {
    const matcher = new EchoMatcher();
    for (const key of 'secret') {
      matcher.typed(key);
      matcher.shown('*');
    }
    expect(matcher.typed('\r')).toEqual([{ kind: 'hidden', keys: 6 }]);
  });

  it('is hidden when its keys come as codes: nothing tells whether what they spell was shown', () => {
    const spelled = [(code: number) => `\u001b[${code}u`, (code: number) => `\u001b[${code};1:1u`];
    const windows = (code: number) => `\u001b[65;30;${code};1;0;1_`;
    for (const spell of [...spelled, (code: number) => `\u001b[27;1;${code}~`, windows]) {
      const matcher = new EchoMatcher();
      for (const key of 'hunter2') matcher.typed(spell(key.charCodeAt(0)));
      expect(matcher.typed('\r')).toEqual([{ kind: 'hidden', keys: 7 }]);
    }
    // Keys that only move are no text.
    const matcher = new EchoMatcher();
    matcher.typed('l');
    matcher.shown('l');
    expect(stored(matcher.typed('\u001b[3~\u001b[D\u001b[1;5C\r'))).toBe('l\u001b[3~\u001b[D\u001b[1;5C\r');
  });

  it('is hidden when a background program writes amid it, even text that starts alike', () => {
    const matcher = new EchoMatcher();
    matcher.typed('h');
    matcher.shown('hello from a job\r\n');
    for (const key of 'unter2') matcher.typed(key);
    matcher.typed('\r');
    expect(stored([...matcher.shown('\r\nunter2 is not what this is\r\n'), ...matcher.finish()])).toBe('');
  });
});

describe('a line that comes in one piece', () => {
  it('is stored when its echo follows', () => {
    const matcher = new EchoMatcher();
    expect(matcher.typed('uptime\rid\r')).toEqual([]);
    expect(matcher.shown('uptime\r\nid\r\n')).toEqual([
      { kind: 'echoed', text: 'uptime\r' },
      { kind: 'echoed', text: 'id\r' },
    ]);
  });

  it('is hidden when a new line comes first, as at a password prompt', () => {
    const matcher = new EchoMatcher();
    matcher.typed('root\r');
    expect(matcher.shown('\r\nroot@web1:~# ')).toEqual([{ kind: 'hidden', keys: 4 }]);
  });

  it('does not vouch for the line before it', () => {
    const matcher = new EchoMatcher();
    matcher.typed('hunter2\r');
    matcher.typed('ls\r');
    const verdicts = matcher.shown('\r\nls\r\n');
    expect(stored([...verdicts, ...matcher.finish()])).not.toContain('hunter2');
  });
});

describe('bounds', () => {
  it('hides a line that is too long and forgets it', () => {
    const matcher = new EchoMatcher();
    const long = 'x'.repeat(10_000);
    matcher.typed(long);
    matcher.shown(long);
    expect(matcher.typed('\r')).toEqual([{ kind: 'hidden', keys: 10_000 }]);
  });

  it('hides lines when too many wait for an echo', () => {
    const matcher = new EchoMatcher();
    const verdicts = matcher.typed('x\r'.repeat(100));
    expect(verdicts.length).toBe(100);
    expect(stored(verdicts)).toBe('');
  });

  it('stores nothing of a line that was never submitted', () => {
    const matcher = new EchoMatcher();
    matcher.typed('half a line');
    expect(matcher.finish()).toEqual([{ kind: 'hidden', keys: 11 }]);
  });
});

/** Types on a real pty, each step after its prompt has come, and feeds both directions to a matcher. */
async function converse(
  file: string,
  args: string[],
  steps: readonly { readonly after: string; readonly type: string; readonly byKey: boolean }[],
): Promise<{ kept: string; seen: string }> {
  const matcher = new EchoMatcher();
  const terminal = pty.spawn(file, args, {
    cols: 80,
    rows: 24,
    env: { PATH: process.env['PATH'], TERM: 'xterm', PS1: 'ready> ' },
  });
  let seen = '';
  let kept = '';
  let searched = 0;
  let step = 0;
  await new Promise<void>((resolve, reject) => {
    const bound = setTimeout(
      () => reject(new Error(`stuck at step ${step}: ${JSON.stringify(seen)}`)),
      30_000,
    );
    terminal.onExit(() => {
      clearTimeout(bound);
      resolve();
    });
    terminal.onData((data) => {
      seen += data;
      kept += stored(matcher.shown(data));
      const next = steps[step];
      if (next === undefined) return;
      const found = seen.indexOf(next.after, searched);
      if (found < 0) return;
      searched = found + next.after.length;
      step += 1;
      for (const piece of next.byKey ? next.type : [next.type]) {
        kept += stored(matcher.typed(piece));
        terminal.write(piece);
      }
    });
  });
  kept += stored(matcher.finish());
  return { kept, seen };
}

describe('real programs on a pty', () => {
  const secret = 'Tr0ub4dor&3';
  const ask =
    'stty -echo; printf \'Password: \'; IFS= read -r p; stty echo; echo; printf \'checked %s\' "$(printf %s "$p" | wc -c)"; echo';
  for (const byKey of [true, false]) {
    it(`keep no password asked for without echo, typed ${byKey ? 'key by key' : 'in one piece'}`, async () => {
      const { kept, seen } = await converse(
        '/bin/sh',
        ['-c', `printf 'name: '; read n; ${ask}; printf 'again: '; read n`],
        [
          { after: 'name: ', type: 'alice\r', byKey },
          { after: 'Password: ', type: `${secret}\r`, byKey },
          { after: 'again: ', type: 'bob\r', byKey },
        ],
      );
      expect(seen).toContain(`checked ${secret.length}`);
      expect(kept).toContain('alice\r');
      expect(kept).toContain('bob\r');
      for (let n = 2; n <= secret.length; n += 1) expect(kept).not.toContain(secret.slice(0, n));
    });
  }

  it.skipIf(!existsSync('/bin/bash'))('keep what readline echoes, and no silent read', async () => {
    const { kept } = await converse(
      '/bin/bash',
      ['--norc', '--noprofile', '-i'],
      [
        { after: 'ready> ', type: 'echo one two\r', byKey: true },
        { after: 'ready> ', type: `read -rsp "pin: " p\r`, byKey: true },
        { after: '\rpin: ', type: `${secret}\r`, byKey: true },
        { after: 'ready> ', type: 'exit\r', byKey: true },
      ],
    );
    expect(kept).toContain('echo one two\r');
    expect(kept).toContain('exit\r');
    expect(kept).not.toContain(secret.slice(0, 3));
  });

  it.skipIf(!existsSync('/usr/bin/sudo'))('keep no password given to sudo', { timeout: 40_000 }, async () => {
    const user = 'nobody';
    const { kept, seen } = await converse(
      '/usr/bin/setpriv',
      [
        '--reuid',
        user,
        '--regid',
        'nogroup',
        '--clear-groups',
        '/usr/bin/sudo',
        '-k',
        '-p',
        'sudo asks: ',
        'true',
      ],
      [
        { after: 'sudo asks: ', type: `${secret}\r`, byKey: true },
        { after: 'sudo asks: ', type: `${secret}\r`, byKey: false },
        // The third wrong one ends it; an interrupt could come before sudo listens for one.
        { after: 'sudo asks: ', type: `${secret}\r`, byKey: true },
      ],
    );
    expect(seen).toContain('sudo asks: ');
    for (let n = 2; n <= secret.length; n += 1) expect(kept).not.toContain(secret.slice(0, n));
  });
});
