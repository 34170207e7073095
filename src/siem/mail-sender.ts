// Tells people by mail, over SMTP with TLS. A mail holds a few sentences, never a command's output or a secret; what a
// user typed stands in it with its control characters made visible.
import { readFileSync } from 'node:fs';
import nodemailer from 'nodemailer';
import type { MailSettings } from '../config/outputs.ts';
import { sentenceOf, sessionOf, severityOf } from './describe.ts';
import type { Producer } from './ocsf.ts';
import { type Outgoing, OutputError, type Sender, type Sent } from './sender.ts';

const TIMEOUT = 15_000;

const fileOf = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OutputError('SP_OUTPUT_FILE', `${path} can't be read`, { cause: error });
  }
};

/** Subject and text of a mail about these events. */
export const mailOf = (
  batch: readonly Pick<Outgoing, 'event'>[],
  producer: Producer,
): { readonly subject: string; readonly text: string } => {
  const [first] = batch;
  const subject =
    batch.length === 1 && first !== undefined
      ? sentenceOf(first.event).slice(0, 150)
      : `${batch.length} events to look at`;
  const paragraphs = batch.map(({ event }) => {
    const session = sessionOf(event);
    return [
      `${new Date(event.at).toISOString()}  ${severityOf(event)}  ${event.kind}`,
      sentenceOf(event),
      ...(session === undefined ? [] : [`session ${session}`]),
      `event ${event.id}`,
    ].join('\n');
  });
  return {
    subject: `[Sallyport ${producer.gateway}] ${subject}`,
    text: `${paragraphs.join('\n\n')}\n\nFindings are indicators to look into, not proof.\n`,
  };
};

export class MailSender implements Sender {
  readonly batch = 50;
  readonly settle = 0;
  readonly losses = 0;
  readonly #settings: MailSettings;
  readonly #producer: Producer;

  constructor(settings: MailSettings, producer: Producer) {
    this.#settings = settings;
    this.#producer = producer;
  }

  async send(batch: readonly Outgoing[], signal: AbortSignal): Promise<Sent> {
    const { server, security, user, passwordFile, ca, from, to } = this.#settings;
    const transport = nodemailer.createTransport({
      host: server.host,
      port: server.port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      ...(user === undefined || passwordFile === undefined
        ? {}
        : { auth: { user, pass: fileOf(passwordFile).toString('utf8').split(/\r?\n/)[0] ?? '' } }),
      tls: {
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(ca === undefined ? {} : { ca: fileOf(ca) }),
      },
      connectionTimeout: TIMEOUT,
      greetingTimeout: TIMEOUT,
      socketTimeout: TIMEOUT,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const stop = (): void => transport.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { subject, text } = mailOf(batch, this.#producer);
      await transport.sendMail({ from, to: [...to], subject, text });
      return { kind: 'taken' };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      throw new OutputError(
        code === 'ETLS' ? 'SP_OUTPUT_TLS' : 'SP_OUTPUT_REJECTED',
        `mail: ${code} ${message.split('\n')[0] ?? ''}`.slice(0, 300),
        { cause: error },
      );
    } finally {
      signal.removeEventListener('abort', stop);
      transport.close();
    }
  }

  [Symbol.dispose](): void {
    // A connection lives for one mail.
  }
}
