// A painted screen, fed to another emulator, is the screen that it was taken from, and goes on like it.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ScreenImage } from './screen-image.ts';

/** Two images that paint the same are the same screen, cursor and style included. */
async function paintedAgain(image: ScreenImage): Promise<ScreenImage> {
  const copy = new ScreenImage(image.columns, image.rows);
  await copy.feed('what was there before\r\n\u001b[31;1mmore');
  await copy.feed(image.paint());
  return copy;
}

const piece = fc.oneof(
  fc.stringMatching(/^[a-z0-9 ]{1,30}$/),
  fc.constantFrom('漢字', '🙂', 'e\u0301', '\r\n', '\n', '\r', '\b', '\t'),
  fc.constantFrom(
    '\u001b[1m',
    '\u001b[0m',
    '\u001b[38;5;200m',
    '\u001b[48;2;1;2;3m',
    '\u001b[7m',
    '\u001b[4;9m',
  ),
  fc.constantFrom(
    '\u001b[2;6r',
    '\u001b[r',
    '\u001b[?1049h',
    '\u001b[?1049l',
    '\u001b[2J',
    '\u001b[K',
    '\u001b[H',
  ),
  fc.constantFrom(
    '\u001b[?25l',
    '\u001b[?25h',
    '\u001b[3;4H',
    '\u001b[2L',
    '\u001b[M',
    '\u001bM',
    '\u001b[5P',
  ),
);

it('is the same screen, whatever drew it, and stays so as output goes on', async () => {
  const property = fc.asyncProperty(
    fc.array(piece, { maxLength: 60 }),
    fc.array(piece, { maxLength: 20 }),
    async (before, after) => {
      using image = new ScreenImage(30, 8);
      await image.feed(before.join(''));
      using copy = await paintedAgain(image);
      expect(copy.paint()).toBe(image.paint());
      // A cursor that waits behind the last column is at that column in the copy: whoever goes on says where.
      const rest = `\u001b[4;2H${after.join('')}`;
      await image.feed(rest);
      await copy.feed(rest);
      expect(copy.paint()).toBe(image.paint());
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

it('paints a resized screen in its new size', async () => {
  using image = new ScreenImage(20, 4);
  await image.feed('one\r\ntwo');
  image.resize(40, 10);
  await image.feed('\u001b[10;35Hthere');
  using copy = await paintedAgain(image);
  expect(copy.paint()).toBe(image.paint());
  expect(image.paint()).toContain('there');
});
