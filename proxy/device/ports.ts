// What reaching a device needs from the rest of the gateway: the secret of a credential, and the host keys that
// are pinned. `src/directory` fulfils it. Secrets are fetched at the last moment and never logged.

export type DeviceSecret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'privateKey'; readonly privateKey: string; readonly password: string | undefined };

export interface DeviceVault {
  /** Unseals the credential's secret. Throws when it cannot be opened (wrong master key, tampered row). */
  secretOf(credentialId: string): Promise<DeviceSecret>;
}

export interface HostKeyPins {
  /** Public host keys pinned for the device, each `type base64`; empty: first use. */
  pinnedKeys(deviceId: string): Promise<readonly string[]>;
  /** Pins a key at first use. Atomic: answers the keys that stand afterwards, which may be another's. */
  pinFirst(deviceId: string, key: string): Promise<readonly string[]>;
}
