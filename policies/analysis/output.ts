// What simple text commands would print, computed without running anything: echo, printf, base64, xxd, rev, tr and
// the like. It exists to see through `echo … | base64 -d | sh`. Whatever is not certain answers undefined.

const MAX_OUTPUT = 16 * 1024;

/** Standard output of `argv` with `stdin`, or undefined when it can't be told. `argv` must be fully known. */
export function staticOutput(
  argv: readonly string[],
  name: string,
  stdin: string | undefined,
): string | undefined {
  const out = compute(argv, name, stdin);
  return out !== undefined && out.length <= MAX_OUTPUT ? out : undefined;
}

function compute(argv: readonly string[], name: string, stdin: string | undefined): string | undefined {
  const args = argv.slice(1);
  switch (name) {
    case 'true':
    case ':':
    case 'cd':
      return '';
    case 'echo':
      return echo(args);
    case 'printf':
      return printf(args);
    case 'cat':
    case 'tee':
      return args.every((a) => a === '-' || (a.startsWith('-') && a.length > 1) || name === 'tee')
        ? stdin
        : undefined;
    case 'base64':
    case 'base32':
    case 'b64decode':
      return base(name, args, stdin);
    case 'openssl':
      if ((args[0] === 'base64' || (args[0] === 'enc' && args.includes('-base64'))) && stdin !== undefined) {
        return args.includes('-d') ? decodeBase64(stdin) : encodeBase64(stdin);
      }
      return undefined;
    case 'xxd':
      return xxd(args, stdin);
    case 'rev':
      return stdin === undefined || args.length > 0
        ? undefined
        : stdin
            .split('\n')
            .map((line) => [...line].reverse().join(''))
            .join('\n');
    case 'tac':
      return stdin === undefined || args.length > 0
        ? undefined
        : `${stdin.replace(/\n$/, '').split('\n').reverse().join('\n')}\n`;
    case 'tr':
      return tr(args, stdin);
    case 'sed':
      return sed(args, stdin);
    case 'cut':
      return cut(args, stdin);
    case 'head':
    case 'tail':
    case 'grep':
    case 'awk':
      return undefined;
    case 'which':
    case 'type':
      return undefined;
    default:
      return undefined;
  }
}

function echo(args: readonly string[]): string {
  let newline = true;
  let escapes = false;
  let i = 0;
  for (; i < args.length; i++) {
    const a = args[i] ?? '';
    if (!/^-[neE]+$/.test(a)) break;
    if (a.includes('n')) newline = false;
    if (a.includes('e')) escapes = true;
    if (a.includes('E')) escapes = false;
  }
  const text = args.slice(i).join(' ');
  return (escapes ? unescapeBackslashes(text) : text) + (newline ? '\n' : '');
}

/** `\n`, `\t`, octal and hex escapes as echo -e and printf know them. */
export function unescapeBackslashes(text: string): string {
  if (!text.includes('\\')) return text;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c !== '\\' || i + 1 >= text.length) {
      out += c;
      continue;
    }
    const n = text[++i] ?? '';
    const simple = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', e: '\x1b', '\\': '\\' }[
      n
    ];
    if (simple !== undefined) out += simple;
    else if (n === 'c') return out;
    else if (n === 'x' || n === 'u' || n === 'U') {
      const most = n === 'x' ? 2 : n === 'u' ? 4 : 8;
      let digits = '';
      while (digits.length < most && /[0-9a-fA-F]/.test(text[i + 1] ?? '')) digits += text[++i];
      const code = digits === '' ? -1 : Number.parseInt(digits, 16);
      out += code < 0 || code > 0x10ffff ? `\\${n}${digits}` : String.fromCodePoint(code);
    } else if (n >= '0' && n <= '7') {
      let digits = n;
      const most = n === '0' ? 4 : 3;
      while (digits.length < most && /[0-7]/.test(text[i + 1] ?? '')) digits += text[++i];
      out += String.fromCharCode(Number.parseInt(digits, 8) & 255);
    } else out += `\\${n}`;
  }
  return out;
}

/** The text that printf prints, or undefined when the format asks for more than %s %b %c %d %x %%. */
export function printf(args: readonly string[]): string | undefined {
  let i = 0;
  if (args[0] === '-v') return '';
  if (args[0] === '--') i++;
  const format = args[i++];
  if (format === undefined) return '';
  const values = args.slice(i);
  let used = 0;
  let out = '';
  for (let round = 0; round < 64; round++) {
    const before = used;
    const piece = printfOnce(format, () => values[used++] ?? '');
    if (piece === undefined) return undefined;
    out += piece;
    if (used >= values.length || used === before) break;
  }
  return out;
}

function printfOnce(format: string, next: () => string): string | undefined {
  let out = '';
  let plain = '';
  for (let i = 0; i < format.length; i++) {
    if (format[i] !== '%') {
      plain += format[i];
      if (format[i] === '\\' && i + 1 < format.length) plain += format[++i];
      continue;
    }
    out += unescapeBackslashes(plain);
    plain = '';
    const m = /^%[-+ 0#]*\d{0,3}(?:\.\d{0,3})?([a-zA-Z%])/.exec(format.slice(i, i + 16));
    if (m === null) return undefined;
    i += m[0].length - 1;
    const conversion = m[1];
    if (conversion === '%') out += '%';
    else if (conversion === 's' || conversion === 'q') out += next();
    else if (conversion === 'b') out += unescapeBackslashes(next());
    else if (conversion === 'c') out += next().slice(0, 1);
    else if (conversion === 'd' || conversion === 'i' || conversion === 'u')
      out += String(Number(next()) || 0);
    else if (conversion === 'x') out += (Number(next()) || 0).toString(16);
    else if (conversion === 'o') out += (Number(next()) || 0).toString(8);
    else return undefined;
  }
  return out + unescapeBackslashes(plain);
}

function base(name: string, args: readonly string[], stdin: string | undefined): string | undefined {
  if (stdin === undefined) return undefined;
  const operands = args.filter((a) => !a.startsWith('-'));
  if (operands.length > 0 && !(operands.length === 1 && args.includes('-w'))) return undefined;
  const decode =
    name === 'b64decode' ||
    args.some((a) => /^-[a-zA-Z]*[dD]/.test(a) || ('--decode'.startsWith(a) && a.length > 3));
  if (name === 'base32') return decode ? decodeBase32(stdin) : undefined;
  return decode ? decodeBase64(stdin) : encodeBase64(stdin);
}

function decodeBase64(text: string): string | undefined {
  const clean = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(clean)) return undefined;
  return Buffer.from(clean, 'base64').toString('utf8');
}

function encodeBase64(text: string): string {
  return `${Buffer.from(text, 'utf8').toString('base64')}\n`;
}

function decodeBase32(text: string): string | undefined {
  const clean = text.replace(/[\s=]+/g, '').toUpperCase();
  let bits = 0;
  let value = 0;
  const bytes: number[] = [];
  for (const c of clean) {
    const at = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c);
    if (at < 0) return undefined;
    value = ((value << 5) | at) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 255);
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

function xxd(args: readonly string[], stdin: string | undefined): string | undefined {
  if (stdin === undefined) return undefined;
  const flags = args.join(' ');
  if (args.some((a) => !a.startsWith('-') && a !== '')) return undefined;
  const plain = /-(ps|p|plain|postscript|rp|pr)\b/.test(flags);
  if (!plain) return undefined;
  if (/-(r|revert|rp|pr)\b/.test(flags)) {
    const hex = stdin.replace(/[^0-9a-fA-F]/g, '');
    return Buffer.from(hex.slice(0, hex.length & ~1), 'hex').toString('utf8');
  }
  return `${Buffer.from(stdin, 'utf8').toString('hex')}\n`;
}

function expandSet(set: string): string | undefined {
  const classes: Record<string, string> = {
    '[:lower:]': 'abcdefghijklmnopqrstuvwxyz',
    '[:upper:]': 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    '[:digit:]': '0123456789',
    '[:space:]': ' \t\n\v\f\r',
  };
  const known = classes[set];
  if (known !== undefined) return known;
  if (set.includes('[:') || set.includes('[=')) return undefined;
  const text = [...unescapeBackslashes(set)];
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const from = text[i] ?? '';
    const to = text[i + 2];
    if (text[i + 1] === '-' && to !== undefined) {
      const a = from.codePointAt(0) ?? 0;
      const b = to.codePointAt(0) ?? 0;
      if (b < a || b - a > 255) return undefined;
      for (let c = a; c <= b; c++) out += String.fromCodePoint(c);
      i += 2;
    } else out += from;
  }
  return out;
}

function tr(args: readonly string[], stdin: string | undefined): string | undefined {
  if (stdin === undefined) return undefined;
  const flags = args.filter((a) => /^-[a-zA-Z]+$/.test(a)).join('');
  const sets = args.filter((a) => !/^-[a-zA-Z]+$/.test(a));
  const first = expandSet(sets[0] ?? '');
  if (first === undefined || /[cC]/.test(flags)) return undefined;
  if (flags.includes('d')) return [...stdin].filter((c) => !first.includes(c)).join('');
  if (flags.includes('s') && sets.length === 1) return undefined;
  const second = expandSet(sets[1] ?? '');
  if (second === undefined || second === '') return undefined;
  return [...stdin]
    .map((c) => {
      const at = first.indexOf(c);
      return at < 0 ? c : (second[Math.min(at, second.length - 1)] ?? c);
    })
    .join('');
}

function sed(args: readonly string[], stdin: string | undefined): string | undefined {
  if (stdin === undefined || args.length !== 1) return undefined;
  const m = /^s([/|#,:])((?:(?!\1)[^\\.*[\]^$])*)\1((?:(?!\1)[^\\&])*)\1(g?)$/.exec(args[0] ?? '');
  if (m === null || m[2] === undefined || m[3] === undefined || m[2] === '') return undefined;
  const [from, to, all] = [m[2], m[3], m[4] === 'g'];
  return stdin
    .split('\n')
    .map((line) => (all ? line.split(from).join(to) : line.replace(from, () => to)))
    .join('\n');
}

function cut(args: readonly string[], stdin: string | undefined): string | undefined {
  if (stdin === undefined) return undefined;
  const m = /^-c ?(\d+)-(\d*)$/.exec(args.join(' '));
  if (m === null) return undefined;
  const from = Number(m[1]) - 1;
  const to = m[2] === '' ? undefined : Number(m[2]);
  return stdin
    .split('\n')
    .map((line) => line.slice(from, to))
    .join('\n');
}
