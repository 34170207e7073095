import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTurns, type Turns } from './turns.ts';

const LIMITS = { atOnce: 2, waiting: 6, waitingFromOneSource: 3, keptForProven: 2 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Asks, and notes the source when it gets its turn, or `-source` when it gets none. */
function ask(turns: Turns, source: string, noted: string[]): Promise<Disposable | undefined> {
  return turns.take(source).then((turn) => {
    noted.push(turn === undefined ? `-${source}` : source);
    return turn;
  });
}

async function busy(turns: Turns): Promise<Disposable[]> {
  const taken = await Promise.all([turns.take('busy'), turns.take('busy')]);
  return taken.filter((turn) => turn !== undefined);
}

describe('turns', () => {
  it('run no more at once than allowed, in the order of asking', async () => {
    const turns = createTurns(LIMITS);
    const noted: string[] = [];
    const [first, second] = await busy(turns);
    void ask(turns, 'b', noted);
    void ask(turns, 'c', noted);
    await settled();
    expect(noted).toEqual([]);
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    await settled();
    expect(noted).toEqual(['b']);
    second?.[Symbol.dispose]();
    await settled();
    expect(noted).toEqual(['b', 'c']);
  });

  it('go round among sources, however many tries one of them has waiting', async () => {
    const turns = createTurns(LIMITS);
    const noted: string[] = [];
    const running = await busy(turns);
    const asked = ['flood', 'flood', 'flood', 'other'].map((source) => ask(turns, source, noted));
    for (const turn of running) turn[Symbol.dispose]();
    for (const turn of asked) (await turn)?.[Symbol.dispose]();
    expect(noted).toEqual(['flood', 'other', 'flood', 'flood']);
  });

  it('let one source fill only its share of the queue', async () => {
    const turns = createTurns(LIMITS);
    const noted: string[] = [];
    await busy(turns);
    for (let n = 0; n < 4; n += 1) void ask(turns, 'flood', noted);
    await settled();
    expect(noted).toEqual(['-flood']);
  });

  it('let who waits least push out the last of who waits most, and nobody else', async () => {
    const turns = createTurns(LIMITS);
    const noted: string[] = [];
    await busy(turns);
    for (const source of ['flood', 'flood', 'flood', 'other']) void ask(turns, source, noted);
    void ask(turns, 'third', noted);
    await settled();
    expect(noted).toEqual(['-flood']);
    void ask(turns, 'other', noted);
    await settled();
    expect(noted).toEqual(['-flood', '-other']);
  });

  it('keep places for sources from which somebody has signed in, whatever the others do', async () => {
    const turns = createTurns(LIMITS);
    const noted: string[] = [];
    await busy(turns);
    turns.proven('office');
    for (let n = 0; n < 50; n += 1) void ask(turns, `bot-${n}`, noted);
    await settled();
    expect(noted).toHaveLength(46);
    void ask(turns, 'office', noted);
    void ask(turns, 'office', noted);
    await settled();
    expect(noted).toHaveLength(46);
  });

  it('are all given back: whatever is asked for and proven, the next one gets its turn at once', async () => {
    const source = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
    const step = fc.oneof(
      source.map((name) => ({ kind: 'take' as const, name })),
      source.map((name) => ({ kind: 'proven' as const, name })),
      fc.constant({ kind: 'done' as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const turns = createTurns(LIMITS);
        const held: Disposable[] = [];
        let most = 0;
        for (const one of steps) {
          if (one.kind === 'proven') turns.proven(one.name);
          else if (one.kind === 'done') held.shift()?.[Symbol.dispose]();
          else void turns.take(one.name).then((turn) => turn && held.push(turn));
          await settled();
          most = Math.max(most, held.length);
        }
        for (let turn = held.shift(); turn !== undefined; turn = held.shift()) {
          turn[Symbol.dispose]();
          await settled();
        }
        expect(most).toBeLessThanOrEqual(2);
        expect(await turns.take('last')).toBeDefined();
        expect(await turns.take('last')).toBeDefined();
        // The queue is empty, and knows it.
        const noted: string[] = [];
        for (const name of ['h', 'i', 'j', 'k', 'l']) void ask(turns, name, noted);
        await settled();
        expect(noted).toEqual(['-l']);
      }),
      { numRuns: 100 },
    );
  });
});
