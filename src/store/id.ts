// Ids that sort by the time at which they were made: UUID version 7 (RFC 9562, 5.7). Within one process they only
// ever go up, even when the clock steps back or many are made in one millisecond. They are not secrets.
import { randomFillSync } from 'node:crypto';

const COUNTER_LIMIT = 0xfff;

/** A source of ids on its own clock, in milliseconds since the epoch. */
export const idSource = (clock: () => number): (() => string) => {
  const random = Buffer.alloc(10);
  let last = -1;
  let counter = 0;
  return () => {
    randomFillSync(random);
    const now = Math.floor(clock());
    if (now > last) {
      last = now;
      // Starts low in its range so that a busy millisecond has room to count.
      counter = random.readUInt16BE(8) & 0x3ff;
    } else if (counter < COUNTER_LIMIT) {
      counter += 1;
    } else {
      last += 1;
      counter = 0;
    }
    const time = last.toString(16).padStart(12, '0');
    const variant = ((random.readUInt8(0) & 0x3f) | 0x80).toString(16);
    const tail = random.toString('hex', 1, 8);
    const version = `7${counter.toString(16).padStart(3, '0')}`;
    return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}${tail.slice(0, 2)}-${tail.slice(2, 14)}`;
  };
};

/** A new time-ordered id. */
export const newId: () => string = idSource(Date.now);

/** When an id was made, in milliseconds since the epoch; undefined when it isn't one of ours. */
export const timeOfId = (id: string): number | undefined =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    : undefined;
