// How many bytes the kernel still keeps because the other side has not acknowledged them: Linux tells in /proc/net/tcp.
// A write that has "succeeded" has only reached the kernel; a collector that fell off the network takes nothing.
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** The bytes of `tx_queue` for a connection's ports; undefined: not found. */
export const unacknowledgedIn = (table: string, local: number, remote: number): number | undefined => {
  for (const line of table.split('\n')) {
    const [, from, to, , queues] = line.trim().split(/\s+/);
    if (from?.endsWith(`:${hexPort(local)}`) !== true || to?.endsWith(`:${hexPort(remote)}`) !== true)
      continue;
    const waiting = queues?.split(':')[0];
    if (waiting !== undefined && /^[0-9A-Fa-f]+$/.test(waiting)) return Number.parseInt(waiting, 16);
  }
  return undefined;
};

/** Undefined: the system does not tell. */
export const unacknowledged = async (socket: Socket): Promise<number | undefined> => {
  const { localPort, remotePort, localAddress } = socket;
  if (localPort === undefined || remotePort === undefined) return undefined;
  // An IPv4 connection of a dual-stack socket stands in the table of IPv6.
  const files = localAddress?.includes(':') === true ? ['tcp6', 'tcp'] : ['tcp', 'tcp6'];
  for (const file of files) {
    const table = await readFile(`/proc/net/${file}`, 'latin1').catch(() => undefined);
    const found = table === undefined ? undefined : unacknowledgedIn(table, localPort, remotePort);
    if (found !== undefined) return found;
  }
  return undefined;
};
