// Everything that one client connection needs from the rest of the gateway, in one place, and its settings.
import { DEFAULT_CHANNEL_LIMIT } from '../channels/channel-table.ts';
import { DEFAULT_ENVIRONMENT, type EnvironmentRules } from '../channels/environment.ts';
import type { GateFactory } from '../channels/gate-port.ts';
import { DEFAULT_DIAL_TIMEOUTS, type DialLog, type DialTimeouts } from '../device/dial.ts';
import type { DeviceVault, HostKeyPins } from '../device/ports.ts';
import type { RefusedCredentials } from '../device/refused-credentials.ts';
import type { LoginDependencies } from '../login/login.ts';
import type { Grants } from '../login/ports.ts';
import type { ServerTransportOptions } from '../transport/transport.ts';
import type { Orders, Recordings, SessionOversight, SessionRegister } from './ports.ts';

export interface ConnectionSettings {
  /** Milliseconds from accept until the user is signed in. */
  readonly loginGrace: number;
  /** Milliseconds without a byte in either direction after which a session ends; 0: never. */
  readonly idle: number;
  /** Milliseconds that a signed-in connection may have no session; 0: any time. */
  readonly unused: number;
  /** Channels at once on one connection, on either side of the gateway. */
  readonly channels: number;
  /** Milliseconds that the register, the recorder and the directory may take for one answer. */
  readonly storeTimeout: number;
  /** Milliseconds that a client gets to take what is queued for it when its session has ended. */
  readonly linger: number;
  readonly dial: DialTimeouts;
  /** Towards devices. */
  readonly deviceKeepalive: { readonly interval: number; readonly count: number };
  /** What the gateway calls itself towards devices, without `SSH-2.0-`; undefined: the transport's default. */
  readonly deviceIdentification: string | undefined;
  readonly environment: EnvironmentRules;
}

export const DEFAULT_CONNECTION_SETTINGS: ConnectionSettings = {
  loginGrace: 60_000,
  idle: 0,
  unused: 0,
  channels: DEFAULT_CHANNEL_LIMIT,
  storeTimeout: 10_000,
  linger: 5_000,
  dial: DEFAULT_DIAL_TIMEOUTS,
  deviceKeepalive: { interval: 30_000, count: 3 },
  deviceIdentification: undefined,
  environment: DEFAULT_ENVIRONMENT,
};

export interface ConnectionDeps {
  /** Host keys, identification, algorithms and limits towards clients. */
  readonly transport: ServerTransportOptions;
  readonly login: LoginDependencies;
  readonly grants: Grants;
  readonly vault: DeviceVault;
  readonly pins: HostKeyPins;
  readonly register: SessionRegister;
  readonly recordings: Recordings;
  readonly orders: Orders;
  readonly gates: GateFactory;
  readonly log: DialLog;
  readonly settings: ConnectionSettings;
  /** Credentials that devices refuse, one memory for each process; absent: every attempt is made. */
  readonly refusals?: RefusedCredentials;
  /** Told once when the connection's user has signed in, for those who count connections that have not. */
  readonly onSignedIn?: (signedIn: {
    readonly user: { readonly id: string; readonly name: string };
    readonly authentication: string;
    readonly sourceAddress: string;
  }) => void;
  /** Absent: every session may start. */
  readonly oversight?: SessionOversight;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
