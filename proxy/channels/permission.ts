// What a grant, and the key or certificate that the user signed in with, allow on a channel. Pure: a question in,
// a verdict out, with the reason for the log and the text for the person who asked. It knows no rules about
// commands; those are the gate's.
import type { ChannelKind, Target } from '../login/ports.ts';
import { endpointAllowed, type Restrictions } from '../login/restrictions.ts';
import type { ChannelStart } from './gate-port.ts';
import { parseScpCommand } from './scp-command.ts';

export type Permission =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'denied'; readonly detail: string; readonly tell: string };

const ALLOWED: Permission = { kind: 'allowed' };

function named(target: Target): string {
  return `${target.credential.username}@${target.device.name}`;
}

function notGranted(target: Target, what: string): Permission {
  return {
    kind: 'denied',
    detail: `grant "${target.grant.name}" does not allow ${what}`,
    tell: `Your access to ${named(target)} does not include ${what} (grant "${target.grant.name}"). Ask your administrator if you need it.`,
  };
}

function keyForbids(what: string): Permission {
  return {
    kind: 'denied',
    detail: `the key or certificate used does not allow ${what}`,
    tell: `The key you signed in with does not allow ${what}. Ask your administrator if you need it.`,
  };
}

function has(target: Target, kind: ChannelKind): boolean {
  return target.grant.channels.includes(kind);
}

/** The words of a grant's channel that a start needs. */
export function permissionToStart(
  target: Target,
  restrictions: Restrictions,
  start: ChannelStart,
): Permission {
  switch (start.kind) {
    case 'shell':
      return has(target, 'shell') ? ALLOWED : notGranted(target, 'a shell');
    case 'exec':
      if (parseScpCommand(start.command.toString('utf8')) !== undefined) {
        return has(target, 'scp') ? ALLOWED : notGranted(target, 'copying files with scp');
      }
      return has(target, 'exec') ? ALLOWED : notGranted(target, 'running commands');
    case 'subsystem':
      if (start.name === 'sftp') return has(target, 'sftp') ? ALLOWED : notGranted(target, 'sftp');
      return target.grant.subsystems.includes(start.name)
        ? ALLOWED
        : notGranted(target, `the subsystem "${start.name}"`);
    case 'direct-tcpip':
      if (!has(target, 'forward')) return notGranted(target, 'forwarding');
      if (!restrictions.portForwarding) return keyForbids('forwarding');
      return endpointAllowed(restrictions.permitOpen, start.address, start.port)
        ? ALLOWED
        : keyForbids(`forwarding to ${start.address}:${start.port}`);
    case 'forwarded-tcpip':
      if (!has(target, 'forward')) return notGranted(target, 'forwarding');
      return !restrictions.portForwarding ? keyForbids('forwarding') : ALLOWED;
    case 'streamlocal':
      if (!has(target, 'forward')) return notGranted(target, 'forwarding');
      if (!restrictions.portForwarding) return keyForbids('forwarding');
      // A key that names the only addresses it may reach names no sockets: they are none of them.
      return start.openedBy === 'client' && restrictions.permitOpen !== undefined
        ? keyForbids('forwarding to sockets')
        : ALLOWED;
    case 'agent':
      if (!has(target, 'agent')) return notGranted(target, 'agent forwarding');
      return !restrictions.agentForwarding ? keyForbids('agent forwarding') : ALLOWED;
    case 'x11':
      if (!has(target, 'x11')) return notGranted(target, 'X11 forwarding');
      return !restrictions.x11Forwarding ? keyForbids('X11 forwarding') : ALLOWED;
  }
}

/** For `tcpip-forward`: whether the device may be asked to listen. */
export function permissionToListen(
  target: Target,
  restrictions: Restrictions,
  address: string,
  port: number,
): Permission {
  if (!has(target, 'forward')) return notGranted(target, 'forwarding');
  if (!restrictions.portForwarding) return keyForbids('forwarding');
  return endpointAllowed(restrictions.permitListen, address, port)
    ? ALLOWED
    : keyForbids(`listening on ${address}:${port}`);
}
