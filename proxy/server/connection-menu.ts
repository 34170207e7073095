// A session channel of a user who named no device: with a terminal and a shell, a menu of what is granted.
import type { IncomingOpen } from '../channels/channel-table.ts';
import { tellOnStart } from '../channels/told-channel.ts';
import type { LoginUser, Target } from '../login/ports.ts';
import type { ConnectionDeps } from './connection-ports.ts';
import type { DeviceSession } from './connection-session.ts';

export interface MenuOptions {
  readonly deps: ConnectionDeps;
  readonly user: LoginUser;
  readonly choose: (target: Target) => Promise<DeviceSession | string>;
  readonly noTarget: string;
}

export function openMenu(open: IncomingOpen, options: MenuOptions): void {
  const end = open.accept();
  if (end !== undefined) tellOnStart(end, options.noTarget);
}
