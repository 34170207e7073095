// Modes that would make a device read another text than the one typed never get there; a terminal's own ways otherwise do.
import { describe, expect, it } from 'vitest';
import { decodeTerminalModes } from '../transport/messages.ts';
import { passableModes, passableTerminalType, passableX11 } from './terminal-modes.ts';

const encode = (...modes: readonly (readonly [number, number])[]): Buffer =>
  Buffer.concat([
    ...modes.map(([opcode, value]) => Buffer.from([opcode, 0, 0, value >> 8, value & 255])),
    Buffer.from([0]),
  ]);
const passed = (held: boolean, ...modes: readonly (readonly [number, number])[]): [number, number][] => [
  ...decodeTerminalModes(passableModes(encode(...modes), held)),
];

describe('terminal modes', () => {
  it.each([33, 34, 35, 37, 52, 71])('mode %i, which translates bytes, is off on the device', (opcode) => {
    expect(passed(false, [opcode, 1], [53, 1])).toEqual([
      [opcode, 0],
      [53, 1],
    ]);
  });

  it('characters of a client’s own stay where no line is held, and are the usual ones where lines are', () => {
    const own: [number, number][] = [
      [1, 0x02],
      [3, 0x58],
      [7, 0x54],
      [14, 0x61],
      [4, 255],
      [13, 0],
    ];
    expect(passed(false, ...own)).toEqual(own);
    expect(passed(true, ...own)).toEqual([
      [1, 0x03],
      [3, 0x7f],
      [7, 255],
      [14, 0x16],
      [4, 255],
      [13, 0],
    ]);
  });

  it('of ordinary clients are passed on as the very bytes that came', () => {
    const modes = encode([128, 38400], [1, 3], [3, 0x7f], [36, 1], [53, 1], [70, 1]);
    expect(passableModes(modes, true)).toBe(modes);
  });

  it('that are cut short, or stand behind the end, are left alone', () => {
    const tail = Buffer.concat([encode([1, 3]), Buffer.from([33, 0, 0, 0, 1]), Buffer.from([37, 0])]);
    expect(passableModes(tail, true)).toBe(tail);
    expect(passableModes(Buffer.alloc(0), true).length).toBe(0);
  });
});

it('a terminal type is a name, never a path or an escape sequence', () => {
  expect(['xterm-256color', 'screen.xterm+x', ''].map(passableTerminalType)).toEqual([
    'xterm-256color',
    'screen.xterm+x',
    '',
  ]);
  for (const bad of ['../../home/x/evil', '/tmp/x', 'x\x1b[2J', 'a b', '-x', 'x'.repeat(65)]) {
    expect(passableTerminalType(bad)).toBe('dumb');
  }
});

it('what xauth is given holds no line ends and no options', () => {
  expect(passableX11({ protocol: 'MIT-MAGIC-COOKIE-1', cookie: 'ab01' })).toBe(true);
  expect(passableX11({ protocol: 'x\nsource /etc/shadow', cookie: 'ab' })).toBe(false);
  expect(passableX11({ protocol: 'x', cookie: 'zz' })).toBe(false);
});
