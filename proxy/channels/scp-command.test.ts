import { describe, expect, it } from 'vitest';
import { parseScpCommand } from './scp-command.ts';

describe('what scp clients send', () => {
  it.each([
    ['scp -t /tmp', 'to-device'],
    ['scp -f file', 'from-device'],
    ['scp -v -r -p -d -t -- dir', 'to-device'],
    ['scp -rp -f ~/a*.txt', 'from-device'],
    ["scp -t '/tmp/with space; not a command'", 'to-device'],
    ['scp -f "/tmp/quoted name"', 'from-device'],
    ['scp -f a\\ b', 'from-device'],
    ['scp -f one two', 'from-device'],
    ['scp -t -- -odd', 'to-device'],
    ['/usr/bin/scp -q -t .', 'to-device'],
    ['scp -f übung', 'from-device'],
  ])('%s is taken for it', (command, direction) => {
    expect(parseScpCommand(command)).toEqual({ direction });
  });

  it.each([
    'scp -t /tmp; id',
    'scp -t /tmp && id',
    'scp -t /tmp | id',
    'scp -t $(id)',
    'scp -t `id`',
    'scp -t "$(id)"',
    'scp -t "`id`"',
    'scp -t $IFS',
    'scp -t /tmp > /etc/passwd',
    'scp -t x\nid',
    "scp -t $'x'",
    'scp -t {a,b}',
    'scp -t (id)',
    'scp -S /tmp/evil -t x',
    'scp -o ProxyCommand=id -t x',
    'scp -t x -S /tmp/evil',
    "scp -t x '-S' /tmp/evil",
    'scp -t a b',
    'scp file host:',
    'scp -t -f x',
    'scp -t',
    'scp',
    'scpx -t x',
    'X=1 scp -t x',
    'sudo scp -t x',
    "scp -t 'unfinished",
    'scp -t !x',
    'scp -t #x',
    '',
  ])('%j is not', (command) => {
    expect(parseScpCommand(command)).toBeUndefined();
  });
});
