// What signing in asks of the directory. Looks the same, in steps, for users who exist and those who don't. Hashes and
// TOTP secrets go to the login only; a TOTP secret that can't be opened is an error, not a user without one.
import type { LoginDirectory, LoginUser } from '../../proxy/login/ports.ts';
import type { Store } from '../store/store.ts';
import { allOf, readListOfLists, readStringList } from './stored-json.ts';
import { combinationsOf, METHODS, totpPlace } from './users.ts';
import type { Vault } from './vault.ts';

export const createLoginDirectory = (store: Store, vault: Vault): LoginDirectory => ({
  findUser: async (name): Promise<LoginUser | undefined> => {
    if (name.length > 256 || name.includes('\0')) return undefined;
    const wanted = name.toWellFormed();
    const [user, keys, groups] = await Promise.all([
      store.db.selectFrom('users').selectAll().where('name', '=', wanted).executeTakeFirst(),
      store.db
        .selectFrom('user_keys')
        .innerJoin('users', 'users.id', 'user_keys.user_id')
        .select('user_keys.line')
        .where('users.name', '=', wanted)
        .orderBy('user_keys.position')
        .execute(),
      store.db
        .selectFrom('user_groups')
        .innerJoin('users', 'users.id', 'user_groups.user_id')
        .select('user_groups.group_name')
        .where('users.name', '=', wanted)
        .orderBy('user_groups.group_name')
        .execute(),
    ]);
    if (user === undefined) return undefined;
    const authentication =
      user.authentication_json === null
        ? undefined
        : readListOfLists(user.authentication_json, 'a user’s combinations').map((list) =>
            allOf(METHODS, list, 'a user’s combinations'),
          );
    return {
      id: user.id,
      name: user.name,
      passwordHash: user.password_hash ?? undefined,
      keys: keys.map((row) => row.line),
      totpSecret: user.totp_sealed === null ? undefined : vault.open(totpPlace(user.id), user.totp_sealed),
      combinations: combinationsOf({
        authentication,
        password: user.password_hash !== null,
        totp: user.totp_sealed !== null,
      }),
      roles: readStringList(user.roles_json, 'a user’s roles'),
      groups: groups.map((row) => row.group_name),
      disabledReason: user.disabled_reason ?? undefined,
    };
  },

  acceptTotpStep: async (userId, step) => {
    // One statement decides, wherever it runs at the same time.
    const result = await store.db
      .insertInto('totp_steps')
      .values({ user_id: userId, step })
      .onConflict((conflict) =>
        conflict.column('user_id').doUpdateSet({ step }).where('totp_steps.step', '<', step),
      )
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  },
});
