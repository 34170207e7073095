// Which device a direct-tcpip request on a connection without a chosen device means: a ProxyJump to a device that the
// user may reach. Pure. Anything else is refused by the caller: the gateway itself connects to nowhere else.
import type { Target } from '../login/ports.ts';

export type JumpMatch =
  | { readonly kind: 'device'; readonly name: string }
  | { readonly kind: 'ambiguous'; readonly names: readonly string[] }
  | { readonly kind: 'none' };

const SSH_PORT = 22;

/** `host` is a device's name or its address, `port` its SSH port or 22, which is what clients take by default. */
export function matchJump(targets: readonly Target[], host: string, port: number): JumpMatch {
  const wanted = host.toLowerCase();
  const reachable = targets.filter(({ device }) => port === device.port || port === SSH_PORT);
  const byName = reachable.find(({ device }) => device.name.toLowerCase() === wanted);
  if (byName !== undefined) return { kind: 'device', name: byName.device.name };
  const byHost = reachable.filter(({ device }) => device.host.toLowerCase() === wanted);
  // Several devices may share an address and differ by port: the exact port decides, if it can.
  const exact = byHost.filter(({ device }) => device.port === port);
  const names = [...new Set((exact.length > 0 ? exact : byHost).map(({ device }) => device.name))];
  const [only, ...others] = names;
  if (only === undefined) return { kind: 'none' };
  return others.length === 0 ? { kind: 'device', name: only } : { kind: 'ambiguous', names };
}
