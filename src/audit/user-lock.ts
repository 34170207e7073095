// Disables a user whom a rule says so of, and tells every gateway to end what the user has open.
import type { UserLock } from '../../proxy/audit/ports.ts';
import { setUserDisabled } from '../directory/users.ts';
import type { Vault } from '../directory/vault.ts';
import type { Store } from '../store/store.ts';

/** The store's topic on which the names of disabled users travel. */
export const USER_DISABLED = 'user-disabled';

export const createUserLock = (store: Store, vault: Vault, now: () => number = Date.now): UserLock => ({
  disable: async (userName, reason) => {
    await store.transaction((trx) =>
      setUserDisabled(trx, { actor: 'policy', now: now(), vault }, userName, reason),
    );
    await store.notify(USER_DISABLED, userName);
  },
});
