// A process of its own that appends refusals as fast as it can and prints the id of each one when, and only when, the
// store has acknowledged it. Tests kill it, or run two at once. Arguments: the store's URL, a label, how many at most.
import { writeSync } from 'node:fs';
import { newId } from '../../src/store/id.ts';
import { openStore } from '../../src/store/store.ts';

const [url = '', label = '', most = '1000000'] = process.argv.slice(2);
const WRITERS = 20;

const store = await openStore(url);
writeSync(1, 'open\n');
let left = Number(most);
const write = async (): Promise<void> => {
  while (left > 0) {
    left -= 1;
    const id = newId();
    await store.append('refusals', [
      { id, at: Date.now(), user_name: label, source_address: '', wanted: '', code: '', detail: '' },
    ]);
    writeSync(1, `${id}\n`);
  }
};
await Promise.all(Array.from({ length: WRITERS }, write));
await store.close();
