// Writes what follows from the API's routes: docs/openapi.json, and console/src/api/schema.ts, the types with which the
// console calls them. Run by `npm run generate`; a test fails while either differs from the routes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { consoleTypes, openApiText } from '../src/api/generated.ts';
import { openParts } from '../src/api/open.ts';
import { routesOf } from '../src/api/routes.ts';
import { loadConfig } from '../src/config/load.ts';
import { createLog } from '../src/gateway/log.ts';
import { createNotices } from '../src/gateway/notices.ts';

const place = (path: string): URL => new URL(`../${path}`, import.meta.url);

const data = mkdtempSync(join(tmpdir(), 'sallyport-generate-'));
try {
  await using opened = await openParts(loadConfig({ cwd: data, env: { SALLYPORT_DATA: data } }), {
    log: createLog({ level: 'error', pretty: false }),
    notices: createNotices(() => {}),
    version: '',
  });
  const routes = routesOf(opened.parts);
  mkdirSync(place('console/src/api'), { recursive: true });
  writeFileSync(place('docs/openapi.json'), openApiText(routes));
  writeFileSync(place('console/src/api/schema.ts'), consoleTypes(routes));
} finally {
  rmSync(data, { recursive: true, force: true });
}
