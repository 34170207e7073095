import { describe, expect, it } from 'vitest';
import type { Target } from '../login/ports.ts';
import { matchJump } from './connection-jump.ts';

function target(name: string, host: string, port: number): Target {
  return {
    device: { id: name, name, host, port, tags: [], os: undefined },
    credential: { id: 'c', name: 'c', username: 'root' },
    grant: { id: 'g', name: 'g', channels: [], subsystems: [], recording: 'strict', endsAt: undefined },
  };
}

const TARGETS = [
  target('web1', '10.0.0.1', 22),
  target('web2', '10.0.0.2', 2200),
  target('nat1', '10.0.0.9', 2201),
  target('nat2', '10.0.0.9', 2202),
];

describe('a jump', () => {
  it.each([
    ['web1', 22, 'web1'],
    ['WEB1', 22, 'web1'],
    ['web2', 22, 'web2'],
    ['web2', 2200, 'web2'],
    ['10.0.0.2', 2200, 'web2'],
    ['10.0.0.9', 2202, 'nat2'],
  ])('to %s:%i means the device %s', (host, port, name) => {
    expect(matchJump(TARGETS, host, port)).toEqual({ kind: 'device', name });
  });

  it.each([
    ['web1', 80],
    ['10.0.0.3', 22],
    ['', 22],
    ['localhost', 22],
  ])('to %s:%i is nowhere', (host, port) => {
    expect(matchJump(TARGETS, host, port)).toEqual({ kind: 'none' });
  });

  it('to an address that several devices have must name one', () => {
    expect(matchJump(TARGETS, '10.0.0.9', 22)).toEqual({ kind: 'ambiguous', names: ['nat1', 'nat2'] });
  });
});
