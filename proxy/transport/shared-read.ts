// Lets all sockets of the process read into one buffer: what is read is decrypted and passed on, or copied, before the
// next read, so a buffer for each read would only be garbage. Node has this for sockets that are made here (`onread`),
// not for those that come from another process; so it is switched on by the same inner fields. A Node without them reads
// as ever: `shareReads` says so, and the owner listens for 'data'.
import type { Socket } from 'node:net';

/**
 * Bytes of one read at most. Twice libuv's own size: a transfer takes up to a third less processor time than with that, and
 * whoever else is served by the process waits for a fraction of a millisecond.
 */
export const SHARED_READ = 128 * 1024;

const shared = Buffer.allocUnsafeSlow(SHARED_READ);

/**
 * From now on `take` gets what comes, in bytes that are used again when it returns. What the socket holds already still
 * comes as 'data'. False: nothing has changed.
 */
export function shareReads(socket: Socket, take: (chunk: Buffer) => void): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return false;
  const useUserBuffer: unknown = Reflect.get(handle, 'useUserBuffer');
  const [buffer, callback, next] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
    Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === name),
  );
  if (typeof useUserBuffer !== 'function' || !buffer || !callback || !next) return false;
  if (Reflect.get(socket, buffer) !== null) return false;
  Reflect.apply(useUserBuffer, handle, [shared]);
  Reflect.set(socket, buffer, shared);
  Reflect.set(socket, next, null);
  Reflect.set(socket, callback, (bytes: number): boolean => {
    take(shared.subarray(0, bytes));
    return true;
  });
  return true;
}
