// Whether a device's host key is the one that is trusted. Pure: the pinned keys and the presented one in, a verdict
// out. Fetching and storing pins is the dialler's.
import { createHash } from 'node:crypto';
import { MessageReader } from '../transport/messages.ts';

export type HostKeyVerdict =
  | { readonly kind: 'pinned' }
  | { readonly kind: 'first-use'; readonly line: string }
  | { readonly kind: 'changed'; readonly presented: string; readonly expected: readonly string[] };

/** `SHA256:…` as ssh-keygen shows it. */
export function hostKeyFingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The form in which keys are pinned: `type base64`. Throws TransportError for what is no key blob. */
export function hostKeyLine(blob: Buffer): string {
  return `${new MessageReader(blob).name()} ${blob.toString('base64')}`;
}

export function judgeHostKey(pinned: readonly string[], blob: Buffer): HostKeyVerdict {
  const line = hostKeyLine(blob);
  if (pinned.length === 0) return { kind: 'first-use', line };
  if (pinned.some((pin) => canonical(pin) === line)) return { kind: 'pinned' };
  return {
    kind: 'changed',
    presented: describe(line),
    expected: pinned.map((pin) => describe(canonical(pin))),
  };
}

/**
 * The types of pinned keys. They are asked for first: a device that has several keys then shows the one that is
 * known, and one that swaps its key type is noticed instead of being asked for a type that nobody has pinned.
 */
export function pinnedTypes(pinned: readonly string[]): readonly string[] {
  return pinned.map((pin) => canonical(pin).split(' ')[0] ?? '');
}

/** A pin may carry a comment, as in known_hosts. */
function canonical(pin: string): string {
  const [type = '', base64 = ''] = pin.trim().split(/\s+/);
  return `${type} ${base64}`;
}

function describe(line: string): string {
  const [type = '', base64 = ''] = line.split(' ');
  return `${type} ${hostKeyFingerprint(Buffer.from(base64, 'base64'))}`;
}
