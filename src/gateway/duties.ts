// What a gateway does besides serving sessions, in the process that serves none: carrying events to other systems,
// filling the auditors' queue, telling of secrets that were changed by hand, settling rotations, looking
// for findings. It owns what it starts and ends it; a duty that fails is logged and goes on, and never ends
// the gateway.

import { DEFAULT_DIAL_TIMEOUTS } from '../../proxy/device/dial.ts';
import { admitSubmitted } from '../audit-queue/queue.ts';
import type { Config } from '../config/load.ts';
import { noticeManualChanges } from '../credentials/changes.ts';
import { resolveRotations } from '../credentials/rotation.ts';
import { createHostKeyPins } from '../directory/devices.ts';
import { readSettings } from '../directory/settings.ts';
import { openVault } from '../directory/vault.ts';
import { createEventLog, EVENTS } from '../events/event-log.ts';
import { DELIVERY_TIMES, startOutputs } from '../siem/delivery.ts';
import type { Store } from '../store/store.ts';
import { openLocator } from '../ueba/locate.ts';
import { scan } from '../ueba/run.ts';
import type { Log } from './log.ts';

export interface Duties extends AsyncDisposable {
  /** The configuration was read again. */
  reconfigure(config: Config): void;
}

export interface DutyParts {
  readonly config: Config;
  readonly store: Store;
  readonly log: Log;
  readonly version: string;
}

/** How often it is looked whether something is to be audited. Milliseconds. */
const ADMIT_EVERY = 2_000;
/** How often it is looked for secrets that were changed by hand. */
const NOTICE_EVERY = 2_000;
/** How often it is asked which secret holds where a rotation does not know. */
const RESOLVE_EVERY = 60_000;
/** How often it is looked for findings. */
const SCAN_EVERY = 3_600_000;

/** Runs `work` again and again, never twice at a time, until it is disposed of. */
const repeat = (
  work: () => Promise<unknown>,
  every: number,
  failed: (error: unknown) => void,
): AsyncDisposable => {
  let current: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const next = (): void => {
    if (ended) return;
    timer = setTimeout(() => {
      current = work()
        .then(() => undefined, failed)
        .finally(next);
    }, every);
    timer.unref();
  };
  next();
  return {
    [Symbol.asyncDispose]: async () => {
      ended = true;
      clearTimeout(timer);
      await current;
    },
  };
};

export const startDuties = ({ config, store, log, version }: DutyParts): Duties => {
  const events = createEventLog(store);
  const outputs = startOutputs(config.siem.outputs, {
    store,
    producer: { gateway: config.name, version },
    log,
    append: (written) => events.append(written),
    now: Date.now,
    times: DELIVERY_TIMES,
  });
  const parts = { store, events, now: Date.now };
  const admitting = repeat(
    () => admitSubmitted(parts),
    ADMIT_EVERY,
    (error) => log.warn('audit.not-admitted', { error }),
  );
  const noticing = repeat(
    async () => {
      for (const { unusual, ...change } of await noticeManualChanges(parts))
        if (unusual) log.warn('credential.changed-unusually', change);
        else log.info('credential.changed', change);
    },
    NOTICE_EVERY,
    (error) => log.warn('credential.not-noticed', { error }),
  );
  const resolving = repeat(
    async () => {
      const vault = await openVault(config.masterKey);
      const access = {
        pins: createHostKeyPins(store),
        log: {
          info: (fields: object, message: string) => log.debug('rotation.dial', { ...fields, message }),
          warn: (fields: object, message: string) => log.warn('rotation.dial', { ...fields, message }),
        },
        timeouts: DEFAULT_DIAL_TIMEOUTS,
        keepalive: { interval: 10_000, count: 3 },
        identification: undefined,
      };
      for (const outcome of await resolveRotations({ ...parts, vault, access }))
        log.warn('rotation.resolved', {
          rotation: outcome.id,
          outcome: outcome.kind,
          detail: outcome.detail,
        });
    },
    RESOLVE_EVERY,
    (error) => log.warn('rotation.not-resolved', { error }),
  );
  let { findings } = config;
  const scanning = repeat(
    async () => {
      const settings = await readSettings(store.db);
      const timeZone = String(settings['session.timeZone']);
      const { locate, problems } = await openLocator(findings);
      for (const problem of problems) log.warn('findings.database-not-read', problem);
      const result = await scan({ ...parts, timeZone, locate });
      log.info('findings.scanned', { ...result });
    },
    SCAN_EVERY,
    (error) => log.warn('findings.not-scanned', { error }),
  );
  const stopListening = store.listen(EVENTS, () => outputs.wake());
  return {
    reconfigure: (next) => {
      findings = next.findings;
      outputs.reconfigure(next.siem.outputs);
    },
    [Symbol.asyncDispose]: async () => {
      stopListening();
      await Promise.all(
        [outputs, admitting, noticing, resolving, scanning].map((duty) => duty[Symbol.asyncDispose]()),
      );
    },
  };
};
