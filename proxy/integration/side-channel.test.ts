// The side channel's loop in a real sh beside a real terminal: this process stands for sshd, whose children both are.
import { spawn } from 'node:child_process';
import { spawn as spawnTerminal } from 'node-pty';
import { expect, test } from 'vitest';
import type { OpenAside } from '../channels/gate-port.ts';
import { SideChannel, type TerminalFact } from './side-channel.ts';

const open: OpenAside = (command, handlers) => {
  const child = spawn('/bin/sh', ['-c', command.toString()], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdout.on('data', handlers.data);
  child.on('close', handlers.closed);
  child.stdin.on('error', () => {});
  return {
    write: (data) => void child.stdin.write(data),
    [Symbol.dispose]: () => child.stdin.end(),
  };
};

/** Asks until the answer is the one that is waited for. */
const comes = async (
  side: SideChannel,
  wanted: (fact: TerminalFact) => boolean,
): Promise<TerminalFact | undefined> => {
  for (const until = performance.now() + 20_000; performance.now() < until; ) {
    const fact = await side.ask();
    if (fact !== undefined && wanted(fact)) return fact;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
};

test('tells who is in the foreground and whether the terminal echoes', async () => {
  const terminal = spawnTerminal('/bin/bash', ['--norc', '--noprofile', '-i'], {
    env: { PATH: '/usr/bin:/bin', TERM: 'xterm' },
  });
  const ready = Promise.withResolvers<string>();
  using side = new SideChannel(open, 100, (what) => ready.resolve(what));
  await ready.promise;
  expect(await comes(side, ({ shellReads, byLine }) => shellReads && byLine === false)).toMatchObject({
    foreground: 'bash',
  });
  terminal.write('cat\r');
  expect(await comes(side, ({ foreground, byLine }) => foreground === 'cat' && byLine === true)).toEqual({
    shellReads: false,
    echo: true,
    byLine: true,
    foreground: 'cat',
  });
  side[Symbol.dispose]();
  expect(await side.ask()).toBeUndefined();
  terminal.kill('SIGKILL');
}, 60_000);

test('that can’t be opened is gone, and answers nothing', async () => {
  const gone = Promise.withResolvers<string>();
  const refusing: OpenAside = (_command, { closed }) => {
    queueMicrotask(closed);
    return { write: () => {}, [Symbol.dispose]: () => {} };
  };
  using side = new SideChannel(refusing, 0, (what) => gone.resolve(what));
  expect(await gone.promise).toBe('gone');
  expect(await side.ask()).toBeUndefined();
});

test('does not listen to what start-up files print', async () => {
  let answer: ((data: Buffer) => void) | undefined;
  let asked = '';
  const talking: OpenAside = (command, { data }) => {
    answer = data;
    asked = command.toString();
    return { write: () => {}, [Symbol.dispose]: () => {} };
  };
  using side = new SideChannel(talking, 0, () => {});
  answer?.(Buffer.from('welcome\nsome ready\n'));
  expect(side.ready).toBe(false);
  const tag = /echo "([0-9a-f]+) ready"/.exec(asked)?.[1] ?? '';
  answer?.(Buffer.from(`${tag} rea`));
  answer?.(Buffer.from('dy\n'));
  expect(side.ready).toBe(true);
  const first = side.ask();
  answer?.(Buffer.from(`1 1 1 1 bash\n${tag} 1 0 1 1 a\x1b[2J b\n`));
  expect(await first).toEqual({ shellReads: false, echo: true, byLine: true, foreground: 'a??2J?b' });
});
