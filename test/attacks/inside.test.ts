// Attacks from within what a terminal runs: the shell escapes of database clients (row 22), and multiplexers whose
// terminal is left and taken up again from another session (row 27), or whose shell has a key of its own for Enter (row
// 18). The servers are real, and end with the tests.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { endProcess } from '../harness/scratch.ts';
import type { TypedTerminal } from '../harness/terminal.ts';
import { PostgresServer, postgresPrograms } from '../store/postgres.ts';
import { PROMPT, Stage, untilDone, untilStopped } from './stage.ts';

const able = isRoot && haveSshd;
let stage: Stage;
let number = 0;
const canaryName = (): string => `h${++number}x`;
const touching = (canary: string): RegExp => new RegExp(`touch.*${canary}`, 's');

describe.skipIf(!able)('attacks from within', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  /** Tries each line in a client of a database, and leaves it. */
  const inClient = async (
    start: string,
    prompt: string,
    lines: (canary: string) => readonly string[],
    quit: string,
  ) => {
    using terminal = await stage.shell('alice', 'bash');
    terminal.type(`${start}\r`);
    await terminal.until(prompt);
    for (const line of lines('').map((_, index) => index)) {
      const canary = canaryName();
      terminal.type(`${lines(canary)[line]}\r`);
      await untilStopped(terminal);
      await terminal.until(prompt);
      stage.expectStopped('bash', canary, touching(canary));
    }
    terminal.type(`${quit}\r`);
    await terminal.until(PROMPT);
    await untilDone(terminal, 'fin');
  };

  describe.skipIf(postgresPrograms() === undefined || !have('psql'))(
    'psql (Debian package postgresql)',
    () => {
      let server: PostgresServer | undefined;
      afterAll(() => server?.stop());

      it('22: its shell escapes', async () => {
        server = await PostgresServer.start();
        const url = await server.database();
        await inClient(
          `PSQLRC=/dev/null PSQL_PAGER=cat psql '${url}'`,
          '=# ',
          (c) => [
            `\\! touch ${c}`,
            `select 1; \\! touch ${c}`,
            `select 1 \\g |touch ${c}`,
            `\\o |touch ${c}`,
            `\\copy (select 1) to program 'touch ${c}'`,
            `\\set x \`touch ${c}\``,
            `\\setenv PAGER 'touch ${c}'`,
          ],
          '\\q',
        );
      });
    },
  );

  describe.skipIf(!have('mariadbd', 'mariadb', 'mariadb-install-db'))(
    'mysql (Debian package mariadb-server)',
    () => {
      let server: ChildProcess | undefined;
      afterAll(() => (server === undefined ? undefined : endProcess(server)));

      it('22: its shell escapes', async () => {
        const folder = stage.scratch.path('mariadb');
        mkdirSync(folder, { mode: 0o755 });
        const own = ['--no-defaults', `--datadir=${join(folder, 'data')}`, '--user=root'];
        execFileSync('mariadb-install-db', [...own, '--auth-root-authentication-method=normal'], {
          stdio: 'ignore',
        });
        const socket = join(folder, 'socket');
        server = spawn(
          'mariadbd',
          [...own, `--socket=${socket}`, '--skip-networking', '--skip-grant-tables'],
          { stdio: 'ignore' },
        );
        await eventually('the socket of MariaDB', () => existsSync(socket), 60_000);
        await inClient(
          `mariadb --no-defaults --silent --prompt='db> ' --socket=${socket}`,
          'db> ',
          (c) => [
            `\\! touch ${c}`,
            `system touch ${c}`,
            `select 1; \\! touch ${c}`,
            `pager touch ${c}`,
            `\\P touch ${c}`,
          ],
          '\\q',
        );
      });
    },
  );

  const multiplexers = [
    {
      program: 'tmux',
      start: 'tmux -f ~/.mux new -s left',
      back: 'tmux attach -t left',
      again: 'tmux attach -d -t left',
      config: 'set -g status off\n',
      file: '.mux',
      detach: '\x02d',
      end: 'tmux kill-server',
      prompts: ["\x02:new-window 'touch CANARY'\r", "\x02:run-shell 'touch CANARY'\r"],
    },
    {
      program: 'screen',
      start: 'screen -c ~/.screenmux -S left',
      back: 'screen -r left',
      again: 'screen -d -r left',
      config: 'startup_message off\nvbell off\n',
      file: '.screenmux',
      detach: '\x01d',
      end: 'screen -S left -X quit',
      prompts: ['\x01:screen touch CANARY\r', '\x01:exec touch CANARY\r'],
    },
  ] as const;
  for (const { program, start, back, again, config, file, detach, end, prompts } of multiplexers) {
    it.skipIf(!have(program))(`27: ${program}, left and taken up again from another session`, async () => {
      writeFileSync(join(stage.home('bash'), file), config);
      const attempt = async (terminal: TypedTerminal): Promise<void> => {
        const canary = canaryName();
        terminal.type(`touch ${canary}\r`);
        // A multiplexer paints what it showed before: only this very command's notice counts.
        await terminal.until(new RegExp(`Not run\\. .{0,4}touch ${canary}|could not be read`), 30_000);
        await untilDone(terminal, `fin${canary}`);
        stage.expectStopped('bash', canary, touching(canary));
      };
      using first = await stage.shell('alice', 'bash');
      first.type(`${start}\r`);
      await first.until(PROMPT);
      await attempt(first);
      first.type(detach);
      await first.until(/detached/);
      await first.until(PROMPT);
      await attempt(first);
      first.type(`${back}\r`);
      await first.until(PROMPT);
      await attempt(first);
      using second = await stage.shell('alice', 'bash');
      second.type(`${again}\r`);
      await second.until(PROMPT);
      await attempt(second);
      // Taken away from the first, which is still a terminal like any other; and then its terminal is hung up.
      await first.until(/detached/);
      await first.until(PROMPT);
      await attempt(first);
      second[Symbol.dispose]();
      using third = await stage.shell('alice', 'bash');
      third.type(`${again}\r`);
      await third.until(PROMPT);
      // The multiplexer's own command line.
      for (const keys of prompts) {
        const canary = canaryName();
        third.type(keys.replace('CANARY', canary));
        await untilDone(third, `fin${canary}`, true).catch(() => 'ended');
        expect(stage.exists('bash', canary), keys).toBe(false);
      }
      const over = await stage.user('alice', 'bash').ssh([end]);
      expect(over.timedOut).toBe(false);
    });
  }

  describe('18: a key that its owner has made submit', () => {
    const unjudged = /A command ran without having been judged/;
    beforeAll(() => writeFileSync(join(stage.home('bash'), '.inputrc'), '"\\C-y": accept-line\n'));
    afterAll(() => rmSync(join(stage.home('bash'), '.inputrc')));

    it('ends the session', async () => {
      using terminal = await stage.shell('alice', 'bash');
      terminal.type('true\x19');
      await terminal.until(unjudged);
      await terminal.ended();
    });

    it.skipIf(!have('tmux'))('ends it inside a multiplexer that has just been resized', async () => {
      writeFileSync(join(stage.home('bash'), '.mux18'), 'set -g status off\n');
      using terminal = await stage.shell('alice', 'bash');
      terminal.type('tmux -L own -f ~/.mux18 new\r');
      await terminal.until(PROMPT);
      terminal.resize(90, 30);
      terminal.type('tee');
      await terminal.until('tee');
      // It runs until the session ends: tmux has the time to tell that no editor reads.
      terminal.type('\x19');
      await terminal.until(unjudged);
      await terminal.ended();
      await stage.user('alice', 'bash').ssh(['tmux -L own kill-server']);
    });
  });

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});
