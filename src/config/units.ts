// Reads durations, sizes, socket addresses and lists as people write them in sallyport.yaml and in the environment.
// Pure. Every reader answers the value, or a sentence that says what would have been right.

export type Reading<T> = { readonly value: T } | { readonly problem: string };

export interface SocketAddress {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  readonly port: number;
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, ms: 0.001 };

const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
};

const quantity = (text: string, units: Readonly<Record<string, number>>): number | undefined => {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})$/i.exec(text.trim());
  if (match === null) return undefined;
  const factor = units[(match[2] ?? '').toLowerCase()];
  return factor === undefined ? undefined : Number(match[1]) * factor;
};

/** A duration in seconds: `90`, `90s`, `2m`, `1h`, `250ms`. */
export const readSeconds = (text: string | number): Reading<number> => {
  const value = quantity(String(text), SECONDS);
  return value === undefined
    ? { problem: `not a duration: write seconds, or a number with ms, s, m, h or d, such as 90s or 2m` }
    : { value };
};

/** A size in bytes: `4096`, `64k`, `1GiB`, `1GB`. */
export const readBytes = (text: string | number): Reading<number> => {
  const value = quantity(String(text), BYTES);
  return value === undefined
    ? { problem: 'not a size: write bytes, or a number with k, KiB, MiB, GiB (or kB, MB, GB), such as 1GiB' }
    : { value: Math.round(value) };
};

/** `2222`, `*:2222`, `127.0.0.1:2222`, `[::1]:2222`, `host:2222`. Port 0 asks the system for a free one. */
export const readSocketAddress = (text: string | number): Reading<SocketAddress> => {
  const problem = 'not an address: write ADDRESS:PORT, [IPV6]:PORT, or *:PORT for every address';
  const match = /^(?:(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]*)):)?(\d{1,5})$/.exec(String(text).trim());
  if (match === null) return { problem };
  const port = Number(match[3]);
  if (port > 65_535) return { problem: 'not a port: at most 65535' };
  const host = match[1] ?? match[2];
  return { value: { host: host === undefined || host === '' || host === '*' ? undefined : host, port } };
};

/** The words of an environment variable that holds a list: separated by commas or blanks. */
export const readList = (text: string): readonly string[] =>
  text.split(/[\s,]+/).filter((word) => word !== '');

export const formatSocketAddress = (address: {
  readonly host: string | undefined;
  readonly port: number;
}): string => {
  const host = address.host ?? '*';
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
};
