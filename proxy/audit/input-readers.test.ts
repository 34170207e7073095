import { describe, expect, it } from 'vitest';
import { analyse } from '../../policies/analysis/analyse.ts';
import { interpreterOnInput, shellOnInput } from './input-gate.ts';

const seen = (command: string): string => {
  const analysis = analyse(command);
  if (shellOnInput(analysis)) return 'shell';
  return interpreterOnInput(analysis) ?? 'nothing';
};

describe('what reads commands from standard input without saying so', () => {
  it.each([
    ['bash', 'shell'],
    ['bash /dev/stdin', 'shell'],
    ['bash /dev/fd/0', 'shell'],
    ['sh /proc/self/fd/0', 'shell'],
    ['awk -f -', 'awk'],
    ['awk -f /dev/stdin /etc/passwd', 'awk'],
    ['sed -f- /etc/passwd', 'sed'],
    ['sed --file=/dev/fd/0 x', 'sed'],
    ['psql -f -', 'psql'],
    ['python3 /dev/fd/0', 'python3'],
    ['script -q /dev/null', 'script'],
    ['newgrp wheel', 'newgrp'],
    ['unshare -r', 'unshare'],
    ['nsenter -t 1 -a', 'nsenter'],
    ['doas -s', 'doas'],
    ['runuser -u bob', 'runuser'],
    ['dc', 'dc'],
    ['m4', 'm4'],
    ['lftp', 'lftp'],
    ['ipython3', 'ipython3'],
  ])('%s: %s', (command, reader) => {
    expect(seen(command)).toBe(reader);
  });

  it.each([
    'ls',
    'cat',
    "awk '{print $1}'",
    'sed s/a/b/',
    'tee log',
    'xargs rm -f',
    'tar -xf -',
    'grep -f - x',
    'python3 x.py',
    'bash x.sh',
  ])('is not suspected of %s', (command) => {
    expect(seen(command)).toBe('nothing');
  });
});
