// What the API's routes are served with: the store, the vault, the running gateway, and who may sign in. Made once by
// open.ts; routes take from it what they need.
import type { LoginDirectory } from '../../proxy/login/ports.ts';
import type { Config } from '../config/load.ts';
import type { OutputSettings } from '../config/outputs.ts';
import type { Vault } from '../directory/vault.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Health, LiveSession, Order } from '../gateway/control-client.ts';
import type { Log } from '../gateway/log.ts';
import type { Identifier } from '../oversight/identifier.ts';
import type { Store } from '../store/store.ts';
import type { Access } from './access.ts';

/** The gateway that runs beside: asked and told through its control socket. Throws ControlError. */
export interface RunningGateway {
  health(): Promise<Health>;
  live(): Promise<readonly LiveSession[]>;
  order(session: string, order: Order): Promise<boolean>;
  endUser(user: string, reason: string, tell: string): Promise<number>;
  /** Lines of JSON, each a LiveEvent, until it is over or `until` is aborted. */
  watch(session: string, by: string, until: AbortSignal): AsyncGenerator<string, void, undefined>;
  /** Tells every process of the gateway. */
  notice(topic: string, payload: string): Promise<void>;
}

export interface ApiParts {
  /** As the API was started. */
  readonly config: Config;
  /** Outputs to other systems as they are configured now. */
  readonly outputs: () => readonly OutputSettings[];
  readonly store: Store;
  readonly vault: Vault;
  readonly events: EventLog;
  readonly login: LoginDirectory;
  readonly access: Access;
  /** Asks somebody who is signed in once more who they are. */
  readonly identifier: Identifier;
  readonly gateway: RunningGateway;
  readonly log: Log;
  readonly version: string;
  readonly now: () => number;
}
