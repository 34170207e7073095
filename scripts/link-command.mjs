// Puts `sallyport` into node_modules/.bin, so that `npx sallyport` runs this checkout's command.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';

const link = 'node_modules/.bin/sallyport';
mkdirSync('node_modules/.bin', { recursive: true });
if (!existsSync(link)) symlinkSync('../../bin/sallyport', link);
