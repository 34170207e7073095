// Runs one short command on a device with a given secret: what rotation needs to change an account and to prove that a
// secret opens it. What the command is given on its standard input never stands on a command line. Output is bounded and
// kept for the operator only where it can't hold a secret.
import { DEFAULT_DIAL_TIMEOUTS, type DialDeps, dialDevice } from '../../proxy/device/dial.ts';
import type { DeviceSecret } from '../../proxy/device/ports.ts';
import type { Target } from '../../proxy/login/ports.ts';
import {
  encodeChannelClose,
  encodeChannelData,
  encodeChannelEof,
  encodeChannelOpen,
  encodeChannelOpenFailure,
  encodeChannelRequest,
  encodeChannelWindowAdjust,
  encodeExec,
  encodeRequestFailure,
  MESSAGE,
  parseChannelBare,
  parseChannelData,
  parseChannelExtendedData,
  parseChannelOpen,
  parseChannelOpenConfirmation,
  parseChannelRequest,
  parseChannelWindowAdjust,
  parseExitStatus,
  parseGlobalRequest,
  type TransportError,
} from '../../proxy/transport/messages.ts';
import type { Transport } from '../../proxy/transport/transport.ts';
import { createHostKeyPins } from '../directory/devices.ts';
import type { Store } from '../store/store.ts';
import { CredentialError } from './errors.ts';

const CHANNEL = 0;
const WINDOW = 64 * 1_024;
const LARGEST_OUTPUT = 16 * 1_024;
/** The standard input of a command: a few lines. */
const LARGEST_INPUT = 32 * 1_024;
const DISCONNECT_BY_APPLICATION = 11;

export interface DeviceCommandResult {
  /** Undefined: it was ended by a signal, or the device did not say. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type DeviceAccess = Omit<DialDeps, 'vault' | 'refusals'>;

/** As the gateway reaches devices, for whoever is no session. */
export const usualAccess = (store: Store, log: DeviceAccess['log']): DeviceAccess => ({
  pins: createHostKeyPins(store),
  log,
  timeouts: DEFAULT_DIAL_TIMEOUTS,
  keepalive: { interval: 10_000, count: 3 },
  identification: undefined,
});

type Phase = 'opening' | 'asking' | 'running' | 'done';

class OneCommand {
  readonly #command: string;
  readonly #input: Buffer;
  readonly #outcome = Promise.withResolvers<DeviceCommandResult>();
  #transport: Transport | undefined;
  #phase: Phase = 'opening';
  #remote = 0;
  #window = 0;
  #given = false;
  #code: number | undefined;
  #stdout: Buffer = Buffer.alloc(0);
  #stderr: Buffer = Buffer.alloc(0);

  constructor(command: string, input: string) {
    this.#command = command;
    this.#input = Buffer.from(input, 'utf8');
  }

  get done(): Promise<DeviceCommandResult> {
    return this.#outcome.promise;
  }

  start(transport: Transport): void {
    this.#transport = transport;
    transport.send(
      encodeChannelOpen({ type: 'session', sender: CHANNEL, initialWindow: WINDOW, maximumPacket: 32_768 }),
    );
  }

  failed(why: string, cause?: unknown): void {
    if (this.#phase === 'done') return;
    this.#phase = 'done';
    this.#outcome.reject(new CredentialError('SP_DEVICE_COMMAND', why, cause));
  }

  message(payload: Buffer): void {
    try {
      this.#take(payload);
    } catch (error) {
      this.failed('the device did not follow the SSH protocol', error);
    }
  }

  #send(payload: Buffer): void {
    this.#transport?.send(payload);
  }

  #take(payload: Buffer): void {
    switch (payload[0]) {
      case MESSAGE.GLOBAL_REQUEST:
        if (parseGlobalRequest(payload).wantReply) this.#send(encodeRequestFailure());
        return;
      case MESSAGE.CHANNEL_OPEN:
        // Nothing was asked for that a device could open a channel for. 1: administratively prohibited.
        this.#send(
          encodeChannelOpenFailure({
            recipient: parseChannelOpen(payload).sender,
            reason: 1,
            description: '',
          }),
        );
        return;
      case MESSAGE.CHANNEL_OPEN_CONFIRMATION: {
        if (this.#phase !== 'opening') return;
        const opened = parseChannelOpenConfirmation(payload);
        if (this.#input.length > Math.min(LARGEST_INPUT, opened.maximumPacket)) {
          this.failed('the device takes too little at once');
          return;
        }
        this.#remote = opened.sender;
        // OpenSSH grants nothing before it has taken the request.
        this.#window = opened.initialWindow;
        this.#phase = 'asking';
        this.#send(
          encodeChannelRequest({
            recipient: this.#remote,
            type: 'exec',
            wantReply: true,
            data: encodeExec(Buffer.from(this.#command, 'utf8')),
          }),
        );
        return;
      }
      case MESSAGE.CHANNEL_OPEN_FAILURE:
        this.failed('the device opens no session');
        return;
      case MESSAGE.CHANNEL_SUCCESS:
        if (this.#phase !== 'asking') return;
        this.#phase = 'running';
        this.#giveInput();
        return;
      case MESSAGE.CHANNEL_WINDOW_ADJUST:
        this.#window += parseChannelWindowAdjust(payload).bytes;
        this.#giveInput();
        return;
      case MESSAGE.CHANNEL_FAILURE:
        this.failed('the device runs no commands');
        return;
      case MESSAGE.CHANNEL_DATA: {
        const { data } = parseChannelData(payload);
        this.#stdout = this.#kept(this.#stdout, data);
        return;
      }
      case MESSAGE.CHANNEL_EXTENDED_DATA: {
        const { data } = parseChannelExtendedData(payload);
        this.#stderr = this.#kept(this.#stderr, data);
        return;
      }
      case MESSAGE.CHANNEL_REQUEST: {
        const request = parseChannelRequest(payload);
        if (request.type === 'exit-status') this.#code = parseExitStatus(request.data).status;
        return;
      }
      case MESSAGE.CHANNEL_CLOSE:
        parseChannelBare(payload);
        this.#send(encodeChannelClose(this.#remote));
        if (this.#phase === 'running') {
          this.#phase = 'done';
          this.#outcome.resolve({
            code: this.#code,
            stdout: this.#stdout.toString('utf8'),
            stderr: this.#stderr.toString('utf8'),
          });
        } else this.failed('the device closed the session');
        return;
      default:
        return;
    }
  }

  /** All of it at once, when the device takes it. */
  #giveInput(): void {
    if (this.#phase !== 'running' || this.#given || this.#window < this.#input.length) return;
    this.#given = true;
    if (this.#input.length > 0) this.#send(encodeChannelData(this.#remote, this.#input));
    this.#send(encodeChannelEof(this.#remote));
  }

  #kept(before: Buffer, data: Buffer): Buffer {
    this.#send(encodeChannelWindowAdjust(this.#remote, data.length));
    if (before.length >= LARGEST_OUTPUT) return before;
    return Buffer.concat([before, data.subarray(0, LARGEST_OUTPUT - before.length)]);
  }
}

/**
 * Throws DialError when the device can't be reached or signed in to, and CredentialError SP_DEVICE_COMMAND when the
 * command did not come to its end within `timeout` milliseconds: what it has done by then is not known.
 */
export const runOnDevice = async (
  target: Target,
  secret: DeviceSecret,
  { command, input, timeout }: { readonly command: string; readonly input: string; readonly timeout: number },
  access: DeviceAccess,
): Promise<DeviceCommandResult> => {
  const one = new OneCommand(command, input);
  // A rejection before anybody waits for it is no stray one.
  one.done.catch(() => undefined);
  const handlers = {
    message: (payload: Buffer) => one.message(payload),
    // What is kept of it is copied.
    borrowed: (payload: Buffer) => one.message(payload),
    drain: () => undefined,
    closed: (error: TransportError | undefined) =>
      one.failed(`the device closed the connection: ${error?.message ?? 'no reason'}`),
  };
  const transport = await dialDevice(
    target,
    { ...access, vault: { secretOf: async () => secret } },
    new AbortController().signal,
    (signedIn) => {
      one.start(signedIn);
      return handlers;
    },
  );
  const timer = setTimeout(() => one.failed(`no answer within ${timeout} ms`), timeout);
  try {
    return await one.done;
  } finally {
    clearTimeout(timer);
    transport.disconnect(DISCONNECT_BY_APPLICATION, '');
  }
};

/** Signs in and out again. Throws DialError. */
export const proveSecret = async (
  target: Target,
  secret: DeviceSecret,
  access: DeviceAccess,
): Promise<void> => {
  const ignored = () => undefined;
  const handlers = { message: ignored, borrowed: ignored, drain: ignored, closed: ignored };
  const transport = await dialDevice(
    target,
    { ...access, vault: { secretOf: async () => secret } },
    new AbortController().signal,
    () => handlers,
  );
  transport.disconnect(DISCONNECT_BY_APPLICATION, '');
};
