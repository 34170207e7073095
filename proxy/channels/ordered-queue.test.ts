import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderedQueue } from './ordered-queue.ts';

const push = fc.record({
  borrowed: fc.boolean(),
  stream: fc.constantFrom('stdout' as const, 'stderr' as const),
  size: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 40_000 })),
});
const action = fc.oneof(
  push.map((value) => ({ kind: 'push' as const, ...value })),
  fc.constant({ kind: 'mark' as const }),
  fc.integer({ min: 1, max: 9_000 }).map((limit) => ({ kind: 'take' as const, limit })),
);

describe('an ordered queue', () => {
  it('gives back every byte and mark in order, whatever is taken in between', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const queue = new OrderedQueue<number>();
        const expected: string[] = [];
        const got: string[] = [];
        let count = 0;
        const note = (list: string[], word: string): void => {
          list.push(word);
        };
        const take = (limit: number): boolean => {
          const next = queue.take(limit);
          if (next === undefined) return false;
          if (next.kind === 'mark') note(got, `mark ${next.mark}`);
          else {
            expect(next.data.length).toBeGreaterThan(0);
            expect(next.data.length).toBeLessThanOrEqual(limit);
            for (const byte of next.data) note(got, `${next.stream} ${byte}`);
          }
          return true;
        };
        for (const step of actions) {
          count += 1;
          switch (step.kind) {
            case 'push': {
              const data = Buffer.alloc(step.size, count % 256);
              if (step.borrowed) queue.pushCopy(step.stream, data);
              else queue.pushData(step.stream, data);
              if (step.borrowed) data.fill(0xee);
              for (let at = 0; at < step.size; at += 1) note(expected, `${step.stream} ${count % 256}`);
              break;
            }
            case 'mark':
              queue.pushMark(count);
              note(expected, `mark ${count}`);
              break;
            case 'take':
              take(step.limit);
              break;
          }
        }
        while (take(1_000));
        expect(got).toEqual(expected);
        expect(queue).toMatchObject({ bytes: 0, marks: 0, empty: true, next: undefined });
      }),
      { numRuns: 60 },
    );
  });

  it('keeps a window of single bytes of both streams in a few windows of memory', () => {
    const queue = new OrderedQueue<number>();
    const byte = Buffer.from('x');
    const before = process.memoryUsage();
    for (let count = 0; count < 1_000_000; count += 1) {
      queue.pushData('stdout', byte);
      queue.pushData('stderr', byte);
    }
    const after = process.memoryUsage();
    expect(queue.bytes).toBe(2_000_000);
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(60_000_000);
  });
});
