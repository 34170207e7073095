// What of a client's terminal modes (RFC 4254 section 8) and terminal type may reach a device. Modes that change bytes on
// their way in or out never do: what the device reads would be another text than the one that was typed and shown. Where
// lines are held, the characters that edit, interrupt or end a line are the usual ones, for the gate reads and takes back
// lines by them. Everything else goes through as it came. Pure.

/** Opcodes that translate input or output: ISTRIP, INLCR, IGNCR, IUCLC, XCASE, OLCUC. */
const TRANSLATING: ReadonlySet<number> = new Set([33, 34, 35, 37, 52, 71]);

/** Of each special character's opcode, what it may be; the first is what anything else becomes. */
const CHARACTERS: ReadonlyMap<number, readonly number[]> = new Map([
  // VINTR, VQUIT, VERASE, VKILL, VEOF
  [1, [0x03]],
  [2, [0x1c, 255]],
  [3, [0x7f, 0x08]],
  [4, [0x15, 255]],
  [5, [0x04, 255]],
  // VEOL, VEOL2: none
  [6, [255]],
  [7, [255]],
  // VSTART, VSTOP, VSUSP, VDSUSP, VREPRINT, VWERASE, VLNEXT, VFLUSH, VSWTCH, VSTATUS, VDISCARD
  [8, [0x11, 255]],
  [9, [0x13, 255]],
  [10, [0x1a, 255]],
  [11, [0x19, 255]],
  [12, [0x12, 255]],
  [13, [0x17, 255]],
  [14, [0x16, 255]],
  [15, [255, 0x0f]],
  [16, [255]],
  [17, [255, 0x14]],
  [18, [0x0f, 255]],
]);
/** Linux also takes NUL for "none". */
const NONE: ReadonlySet<number> = new Set([0, 255]);
const ARGUMENT = 4;

/** `held`: lines of this terminal are, or may be, held. The same buffer when nothing had to be changed. */
export const passableModes = (modes: Buffer, held: boolean): Buffer => {
  let changed: Buffer | undefined;
  for (let at = 0; at + 1 + ARGUMENT <= modes.length; at += 1 + ARGUMENT) {
    const opcode = modes[at] ?? 0;
    // TTY_OP_END, and what section 8 leaves undefined: nobody reads on behind it.
    if (opcode === 0 || opcode >= 160) break;
    const value = modes.readUInt32BE(at + 1);
    const wanted = TRANSLATING.has(opcode) ? 0 : held ? usual(opcode, value) : value;
    if (wanted === value) continue;
    changed ??= Buffer.from(modes);
    changed.writeUInt32BE(wanted, at + 1);
  }
  return changed ?? modes;
};

const usual = (opcode: number, value: number): number => {
  const allowed = CHARACTERS.get(opcode);
  const [first] = allowed ?? [];
  if (allowed === undefined || first === undefined || allowed.includes(value)) return value;
  return allowed.includes(255) && NONE.has(value) ? value : first;
};

/** Names that terminfo has; a path or an escape sequence is none. */
const TERMINAL_TYPE = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;

export const passableTerminalType = (name: string): string =>
  name === '' || TERMINAL_TYPE.test(name) ? name : 'dumb';

/** xauth on the device is given these words. */
export const passableX11 = ({
  protocol,
  cookie,
}: {
  readonly protocol: string;
  readonly cookie: string;
}): boolean => /^[A-Za-z0-9._-]{0,64}$/.test(protocol) && /^(?:[0-9a-fA-F]{2}){0,256}$/.test(cookie);
