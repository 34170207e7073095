// Sends batches by HTTPS POST: a JSON array (CEF: lines of text), signed with HMAC-SHA256 over the time and the body, so
// that the receiver knows who says it and that it is no repetition from long ago. A 2xx answer confirms the whole batch.
// Redirects are not followed.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { WebhookSettings } from '../config/outputs.ts';
import { type Outgoing, OutputError, type Sender, type Sent } from './sender.ts';

export const SIGNATURE_HEADER = 'sallyport-signature';
export const DELIVERY_HEADER = 'sallyport-delivery';
const LARGEST_ANSWER = 64 * 1_024;
const LONGEST_RETRY_AFTER = 3_600_000;

/** `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`. */
export const signatureOf = (secret: Buffer, seconds: number, body: Buffer): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')}`;

const fileOf = (path: string | undefined): Buffer | undefined => {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OutputError('SP_OUTPUT_FILE', `${path} can't be read`, { cause: error });
  }
};

const lineOf = (path: string | undefined): string | undefined => {
  const line = fileOf(path)?.toString('utf8').split(/\r?\n/)[0]?.trim();
  if (line === '') throw new OutputError('SP_OUTPUT_FILE', `${path} is empty`);
  return line;
};

const retryAfter = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined;
  const wait = /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(wait) && wait > 0 ? Math.min(wait, LONGEST_RETRY_AFTER) : undefined;
};

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly wait: number | undefined;
}

export class WebhookSender implements Sender {
  readonly batch = 200;
  readonly settle = 0;
  readonly losses = 0;
  readonly #settings: WebhookSettings;
  readonly #agent: HttpAgent | HttpsAgent;

  /** Throws OutputError when a file can't be read. */
  constructor(settings: WebhookSettings) {
    this.#settings = settings;
    const ca = fileOf(settings.ca);
    const options = { keepAlive: true, maxSockets: 1, keepAliveMsecs: 15_000 };
    this.#agent = settings.url.startsWith('https:')
      ? new HttpsAgent({
          ...options,
          minVersion: 'TLSv1.2',
          rejectUnauthorized: true,
          ...(ca === undefined ? {} : { ca }),
        })
      : new HttpAgent(options);
  }

  async send(batch: readonly Outgoing[], signal: AbortSignal): Promise<Sent> {
    const lines = batch.map(({ text }) => text);
    const json = this.#settings.format !== 'cef';
    const body = Buffer.from(json ? `[${lines.join(',')}]` : `${lines.join('\n')}\n`, 'utf8');
    const answer = await this.#post(body, json, signal);
    if (answer.status >= 200 && answer.status < 300) return { kind: 'taken' };
    // What the receiver can't take however often it comes; a whole batch is tried in parts first.
    if ([400, 413, 415, 422].includes(answer.status)) {
      const [only] = batch;
      if (batch.length > 1 || only === undefined) return { kind: 'too-many' };
      return { kind: 'refused', id: only.id, reason: `HTTP ${answer.status}: ${answer.text.slice(0, 200)}` };
    }
    throw new OutputError('SP_OUTPUT_REJECTED', `HTTP ${answer.status}`, {
      ...(answer.wait === undefined ? {} : { wait: answer.wait }),
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #post(body: Buffer, json: boolean, signal: AbortSignal): Promise<Answer> {
    const { url, secretFile, authorizationFile, timeoutSeconds } = this.#settings;
    const secret = lineOf(secretFile);
    const authorization = lineOf(authorizationFile);
    const seconds = Math.floor(Date.now() / 1_000);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const request = (url.startsWith('https:') ? requestHttps : requestHttp)(
      url,
      {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          'content-type': json ? 'application/json' : 'text/plain; charset=utf-8',
          'content-length': body.length,
          'user-agent': 'Sallyport',
          [DELIVERY_HEADER]: randomUUID(),
          ...(secret === undefined
            ? {}
            : { [SIGNATURE_HEADER]: signatureOf(Buffer.from(secret, 'utf8'), seconds, body) }),
          ...(authorization === undefined ? {} : { authorization }),
        },
      },
      (response) => {
        let text = '';
        let read = 0;
        response.on('data', (data: Buffer) => {
          read += data.length;
          if (text.length < 1_024) text += data.toString('utf8');
          if (read > LARGEST_ANSWER) response.destroy();
        });
        // The status says it all: an answer that breaks off after it is an answer.
        const done = (): void =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            wait: retryAfter(response.headers['retry-after'], Date.now()),
          });
        response.on('end', done);
        response.on('close', done);
        response.on('error', done);
      },
    );
    const timer = setTimeout(
      () =>
        request.destroy(new OutputError('SP_OUTPUT_TIMEOUT', `no answer within ${timeoutSeconds} seconds`)),
      timeoutSeconds * 1_000,
    );
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof OutputError) {
        reject(error);
        return;
      }
      const ofTls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(error.code ?? '');
      reject(
        new OutputError(
          ofTls ? 'SP_OUTPUT_TLS' : 'SP_OUTPUT_UNREACHABLE',
          `no answer: ${error.code ?? error.message}`,
          { cause: error },
        ),
      );
    });
    request.end(body);
    return promise.finally(() => clearTimeout(timer));
  }
}
