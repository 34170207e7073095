// Which changes of the configuration take effect while the gateway runs. Pure. docs/configuration.md marks the same keys
// with ↻, and a test compares the two.
import type { Config } from '../config/load.ts';

export type ReloadOutcome =
  | { readonly kind: 'reloaded'; readonly needRestart: readonly string[] }
  | { readonly kind: 'rejected'; readonly problem: string };

/** The keys that are read once, each with what it comes to. */
const fixed: Readonly<Record<string, (config: Config) => unknown>> = {
  name: (config) => config.name,
  data: (config) => config.data,
  'ssh.listen': (config) => config.ssh.listen,
  'ssh.workers': (config) => config.ssh.workers,
  'ssh.identification': (config) => config.ssh.identification,
  'ssh.nistCurves': (config) => config.ssh.nistCurves,
  'ssh.rekeyBytes': (config) => config.ssh.rekeyBytes,
  'ssh.keepaliveSeconds': (config) => config.ssh.keepaliveSeconds,
  'admin.listen': (config) => config.admin.listen,
  'admin.certificate': (config) => config.admin.certificate,
  'admin.key': (config) => config.admin.key,
  'store.url': (config) => config.store.url,
  'recordings.url': (config) => config.recordings.url,
  'recordings.recipients': (config) => config.recordings.recipients.join(' '),
  'masterKey.file': (config) => config.masterKey.file,
  'log.pretty': (config) => config.log.pretty,
};

export const fixedKeys: readonly string[] = Object.keys(fixed);

/** Keys that differ but take effect only at the next start. */
export const changedKeys = (before: Config, after: Config): readonly string[] =>
  Object.entries(fixed)
    .filter(([, value]) => JSON.stringify(value(before)) !== JSON.stringify(value(after)))
    .map(([key]) => key);
