// Builds the console into console/dist and compresses its files once, so that the API need not. With `--if-changed` it does
// nothing when what is there was built from these sources; where Vite is not installed, it says so and fails nothing.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'console');
const dist = join(folder, 'dist');
const stamp = join(dist, 'built-from');

const filesIn = (path) =>
  readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(dist))
    .sort();

const sources = () => {
  const hash = createHash('sha256');
  for (const file of [...filesIn(folder), join(root, 'package-lock.json')]) {
    hash.update(file.slice(root.length)).update('\0').update(readFileSync(file));
  }
  return hash.digest('hex');
};

const compress = () => {
  for (const name of readdirSync(join(dist, 'assets'))) {
    const file = join(dist, 'assets', name);
    if (!/\.(js|css|svg|json)$/.test(name) || statSync(file).size < 1024) continue;
    const bytes = readFileSync(file);
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    const quality = { [constants.BROTLI_PARAM_QUALITY]: 9 };
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: quality }));
  }
};

const wanted = sources();
const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
if (!(process.argv.includes('--if-changed') && fresh)) {
  // Whoever runs this may have another mode in mind for itself.
  process.env.NODE_ENV = 'production';
  const vite = await import('vite').catch(() => undefined);
  if (vite === undefined) {
    process.stderr.write('the console is not built: Vite is not installed (npm ci without --omit=dev)\n');
  } else {
    await vite.build({ configFile: join(folder, 'vite.config.ts'), root: folder, logLevel: 'error' });
    compress();
    writeFileSync(stamp, wanted);
  }
}
