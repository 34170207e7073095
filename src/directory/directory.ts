// The directory as the data plane sees it: everything that proxy's ports ask for, over one store and one vault. Whoever
// opens it also owns the store and closes it.
import type { DeviceVault, HostKeyPins } from '../../proxy/device/ports.ts';
import type { Grants, LoginDirectory, LoginFailures } from '../../proxy/login/ports.ts';
import type { SessionRegister } from '../../proxy/server/ports.ts';
import type { Store } from '../store/store.ts';
import { createDeviceVault } from './credentials.ts';
import { createHostKeyPins } from './devices.ts';
import { createGrants } from './grant-directory.ts';
import { createLoginDirectory } from './login-directory.ts';
import { createLoginFailures } from './login-failures.ts';
import { createSessionRegister } from './sessions.ts';
import type { VaultSource } from './vault.ts';
import { openVault } from './vault.ts';

export interface Directory {
  readonly login: LoginDirectory;
  readonly failures: LoginFailures;
  readonly grants: Grants;
  readonly vault: DeviceVault;
  readonly pins: HostKeyPins;
  readonly register: SessionRegister;
}

export interface DirectoryParts {
  readonly store: Store;
  readonly masterKey: VaultSource;
  /** Names this process in the register of sessions. */
  readonly gateway: string;
}

/** Makes the master key file at the first start. Throws SP_VAULT_KEY. */
export const openDirectory = async ({ store, masterKey, gateway }: DirectoryParts): Promise<Directory> => {
  const vault = await openVault(masterKey);
  return {
    login: createLoginDirectory(store, vault),
    failures: createLoginFailures(store),
    grants: createGrants(store),
    vault: createDeviceVault(store, vault),
    pins: createHostKeyPins(store),
    register: createSessionRegister(store, gateway),
  };
};
