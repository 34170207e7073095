// The first administrator of a gateway whose directory has none: a link, good for one use and one day, in a file that only
// the gateway's owner can read. The log names the file, never the link.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listUsers } from '../directory/users.ts';
import type { ApiParts } from './parts.ts';

const VALID_FOR = 24 * 3_600_000;

export const setupLinkFile = (data: string): string => join(data, 'first-administrator');

const hasAdministrator = async (parts: ApiParts): Promise<boolean> =>
  (await listUsers(parts.store)).some((user) => user.roles.includes('administrator'));

export const leaveSetupLink = async (parts: ApiParts, url: string): Promise<void> => {
  const file = setupLinkFile(parts.config.data);
  await rm(file, { force: true });
  if (url === '' || (await hasAdministrator(parts))) return;
  const secret = await parts.access.makeSetup(VALID_FOR);
  await writeFile(file, `${url}/setup#${secret}\n`, { mode: 0o600, flag: 'wx' });
  parts.log.always('admin.first-administrator', {
    text: `there is no administrator yet: open the link in ${file} (good for one day), or use sallyport apply`,
    file,
  });
};
