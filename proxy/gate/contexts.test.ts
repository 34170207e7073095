// Entering and leaving, by what was let through and by the prompts that come back.
import { expect, test } from 'vitest';
import { Contexts, entered } from './contexts.ts';
import { isUnfinished } from './continuation.ts';

test('nested contexts are left when the prompt under which they were entered is back', () => {
  const contexts = new Contexts();
  contexts.released('sudo -i', 'alice@dev$ ');
  contexts.released('/usr/bin/psql db', 'root@dev# ');
  contexts.released('select 1;', 'db=# ');
  expect(contexts.names).toEqual(['sudo', 'psql']);
  expect(contexts.inside('psql')).toBe(true);
  contexts.promptSeen('root@dev# ');
  expect(contexts.names).toEqual(['sudo']);
  contexts.promptSeen('alice@dev$ ');
  expect(contexts.names).toEqual([]);
});

test('a shell that is given its command reads no further lines', () => {
  expect(entered('bash -c "ls"')).toBeUndefined();
  expect(entered('bash --norc')).toBe('bash');
  expect(entered('ls')).toBeUndefined();
});

test.each([
  ['echo "abc', true],
  ["echo 'abc", true],
  ['echo a \\', true],
  ['cat <<EOF', true],
  ['cat <<EOF\nbody', true],
  ['cat <<EOF\nbody\nEOF', false],
  ['for i in 1 2', true],
  ['for i in 1 2\ndo echo $i', true],
  ['for i in 1 2\ndo echo $i\ndone', false],
  ['f() {', true],
  ['true &&', true],
  ['ls |', true],
  ['if true; then echo x; fi', false],
  ['echo done for if', false],
  ['echo "a" b', false],
  ['echo it # "quoted', false],
])('%j unfinished: %j', (text, unfinished) => {
  expect(isUnfinished(text)).toBe(unfinished);
});
