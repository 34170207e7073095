import { describe, expect, it } from 'vitest';
import { createTurns } from './turns.ts';

const LIMITS = { atOnce: 2, waiting: 4, waitingFromOneSource: 2 };

describe('turns', () => {
  it('run no more at once than allowed, in the order of asking', async () => {
    const turns = createTurns(LIMITS);
    const order: string[] = [];
    const first = await turns.take('a');
    const second = await turns.take('a');
    const third = turns.take('b').then((turn) => {
      order.push('third');
      return turn;
    });
    const fourth = turns.take('c').then((turn) => {
      order.push('fourth');
      return turn;
    });
    await Promise.resolve();
    expect(order).toEqual([]);
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    await third;
    expect(order).toEqual(['third']);
    second?.[Symbol.dispose]();
    await fourth;
    expect(order).toEqual(['third', 'fourth']);
  });

  it('let one source fill only its share of the queue', async () => {
    const turns = createTurns(LIMITS);
    await turns.take('flood');
    await turns.take('flood');
    void turns.take('flood');
    void turns.take('flood');
    expect(await turns.take('flood')).toBeUndefined();
    void turns.take('other');
    void turns.take('third');
    expect(await turns.take('fourth')).toBeUndefined();
  });
});
