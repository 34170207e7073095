// The messages of `ssh-userauth` (RFC 4252, 4256): strict parsers and encoders for both roles. What a method's
// fields mean, and whether a signature is right, is the business of the login and device layers.
import { MESSAGE } from './message-numbers.ts';
import { MessageReader, MessageWriter, malformed } from './wire.ts';

const USER_LIMIT = 1_024;
const PASSWORD_LIMIT = 4_096;
const PROMPT_COUNT_LIMIT = 32;

export type UserauthMethod =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'password';
      readonly password: string;
      /** Present when the client answers PASSWD_CHANGEREQ. */
      readonly newPassword: string | undefined;
    }
  | {
      readonly kind: 'publickey';
      readonly algorithm: string;
      readonly blob: Buffer;
      /** Absent: the client only asks whether the key would do. Otherwise the signature as sent (type, then blob). */
      readonly signature: Buffer | undefined;
      /** The request up to the signature: what is signed, after the session id. */
      readonly signedPart: Buffer;
    }
  | {
      readonly kind: 'keyboard-interactive';
      readonly language: string;
      readonly submethods: readonly string[];
    }
  /** Any other method (`hostbased`, `gssapi-with-mic`, …) with its fields unread. */
  | { readonly kind: 'other'; readonly name: string; readonly data: Buffer };

export interface UserauthRequest {
  readonly user: string;
  readonly service: string;
  readonly method: UserauthMethod;
}

export function parseUserauthRequest(payload: Buffer): UserauthRequest {
  const reader = open(payload, MESSAGE.USERAUTH_REQUEST);
  const user = reader.text(USER_LIMIT);
  const service = reader.name();
  const name = reader.name();
  const method = parseMethod(name, reader, payload);
  reader.end();
  return { user, service, method };
}

function parseMethod(name: string, reader: MessageReader, payload: Buffer): UserauthMethod {
  switch (name) {
    case 'none':
      return { kind: 'none' };
    case 'password': {
      const changes = reader.boolean();
      const password = reader.text(PASSWORD_LIMIT);
      return { kind: 'password', password, newPassword: changes ? reader.text(PASSWORD_LIMIT) : undefined };
    }
    case 'publickey': {
      const signed = reader.boolean();
      const algorithm = reader.name();
      const blob = reader.string();
      const signedPart = payload.subarray(0, reader.position);
      return {
        kind: 'publickey',
        algorithm,
        blob,
        signature: signed ? reader.string() : undefined,
        signedPart,
      };
    }
    case 'keyboard-interactive': {
      const language = reader.looseText();
      const submethods = reader
        .text()
        .split(',')
        .filter((submethod) => submethod !== '');
      return { kind: 'keyboard-interactive', language, submethods };
    }
    default:
      return { kind: 'other', name, data: reader.rest() };
  }
}

/** What a `publickey` signature covers: the session id as a string, then the request up to the signature. */
export function publickeySignatureInput(sessionId: Buffer, signedPart: Buffer): Buffer {
  return new MessageWriter().string(sessionId).raw(signedPart).build();
}

export function encodeUserauthNone(user: string, service: string): Buffer {
  return request(user, service, 'none').build();
}

export function encodeUserauthPassword(
  user: string,
  service: string,
  password: string,
  newPassword?: string,
): Buffer {
  const writer = request(user, service, 'password')
    .boolean(newPassword !== undefined)
    .string(password);
  return (newPassword === undefined ? writer : writer.string(newPassword)).build();
}

/** Asks whether the key would do. */
export function encodeUserauthPublickeyQuery(
  user: string,
  service: string,
  algorithm: string,
  blob: Buffer,
): Buffer {
  return request(user, service, 'publickey').boolean(false).string(algorithm).string(blob).build();
}

/** The part of a signed request that precedes the signature; sign `publickeySignatureInput(sessionId, part)`. */
export function encodeUserauthPublickeySignedPart(
  user: string,
  service: string,
  algorithm: string,
  blob: Buffer,
): Buffer {
  return request(user, service, 'publickey').boolean(true).string(algorithm).string(blob).build();
}

/** `signature` in SSH's form: the algorithm's name as a string, then the signature as a string. */
export function encodeUserauthPublickeySigned(signedPart: Buffer, signature: Buffer): Buffer {
  return new MessageWriter().raw(signedPart).string(signature).build();
}

export function encodeUserauthKeyboardInteractive(
  user: string,
  service: string,
  submethods: readonly string[] = [],
): Buffer {
  return request(user, service, 'keyboard-interactive').string('').nameList(submethods).build();
}

export interface UserauthFailure {
  readonly methods: readonly string[];
  readonly partialSuccess: boolean;
}

export function parseUserauthFailure(payload: Buffer): UserauthFailure {
  const reader = open(payload, MESSAGE.USERAUTH_FAILURE);
  const methods = reader.nameList();
  const partialSuccess = reader.boolean();
  reader.end();
  return { methods, partialSuccess };
}

export function encodeUserauthFailure(methods: readonly string[], partialSuccess: boolean): Buffer {
  return new MessageWriter().byte(MESSAGE.USERAUTH_FAILURE).nameList(methods).boolean(partialSuccess).build();
}

export function parseUserauthSuccess(payload: Buffer): void {
  open(payload, MESSAGE.USERAUTH_SUCCESS).end();
}

export function encodeUserauthSuccess(): Buffer {
  return Buffer.from([MESSAGE.USERAUTH_SUCCESS]);
}

/** `text` is as the peer sent it: escape it before it reaches a log or a terminal. */
export function parseUserauthBanner(payload: Buffer): { readonly text: string; readonly language: string } {
  const reader = open(payload, MESSAGE.USERAUTH_BANNER);
  const text = reader.looseText();
  const language = reader.looseText();
  reader.end();
  return { text, language };
}

export function encodeUserauthBanner(text: string, language = ''): Buffer {
  return new MessageWriter().byte(MESSAGE.USERAUTH_BANNER).string(text).string(language).build();
}

/** 60 while `publickey` is under way. */
export function parsePublickeyOk(payload: Buffer): { readonly algorithm: string; readonly blob: Buffer } {
  const reader = open(payload, MESSAGE.USERAUTH_PK_OK);
  const algorithm = reader.name();
  const blob = reader.string();
  reader.end();
  return { algorithm, blob };
}

export function encodePublickeyOk(algorithm: string, blob: Buffer): Buffer {
  return new MessageWriter().byte(MESSAGE.USERAUTH_PK_OK).string(algorithm).string(blob).build();
}

/** 60 while `password` is under way. */
export function parsePasswordChangeRequest(payload: Buffer): {
  readonly prompt: string;
  readonly language: string;
} {
  const reader = open(payload, MESSAGE.USERAUTH_PASSWD_CHANGEREQ);
  const prompt = reader.looseText();
  const language = reader.looseText();
  reader.end();
  return { prompt, language };
}

export function encodePasswordChangeRequest(prompt: string, language = ''): Buffer {
  return new MessageWriter().byte(MESSAGE.USERAUTH_PASSWD_CHANGEREQ).string(prompt).string(language).build();
}

export interface InfoRequest {
  readonly name: string;
  readonly instruction: string;
  readonly prompts: readonly { readonly text: string; readonly echo: boolean }[];
}

/** 60 while `keyboard-interactive` is under way. */
export function parseInfoRequest(payload: Buffer): InfoRequest {
  const reader = open(payload, MESSAGE.USERAUTH_INFO_REQUEST);
  const name = reader.looseText();
  const instruction = reader.looseText();
  reader.string(); // the language tag, deprecated by RFC 4256
  const count = reader.uint32();
  if (count > PROMPT_COUNT_LIMIT) throw malformed(`${count} prompts`);
  const prompts = Array.from({ length: count }, () => ({ text: reader.looseText(), echo: reader.boolean() }));
  reader.end();
  return { name, instruction, prompts };
}

export function encodeInfoRequest(info: InfoRequest): Buffer {
  const writer = new MessageWriter()
    .byte(MESSAGE.USERAUTH_INFO_REQUEST)
    .string(info.name)
    .string(info.instruction)
    .string('')
    .uint32(info.prompts.length);
  for (const prompt of info.prompts) writer.string(prompt.text).boolean(prompt.echo);
  return writer.build();
}

/** 61 while `keyboard-interactive` is under way. */
export function parseInfoResponse(payload: Buffer): readonly string[] {
  const reader = open(payload, MESSAGE.USERAUTH_INFO_RESPONSE);
  const count = reader.uint32();
  if (count > PROMPT_COUNT_LIMIT) throw malformed(`${count} answers`);
  const answers = Array.from({ length: count }, () => reader.text(PASSWORD_LIMIT));
  reader.end();
  return answers;
}

export function encodeInfoResponse(answers: readonly string[]): Buffer {
  const writer = new MessageWriter().byte(MESSAGE.USERAUTH_INFO_RESPONSE).uint32(answers.length);
  for (const answer of answers) writer.string(answer);
  return writer.build();
}

function request(user: string, service: string, method: string): MessageWriter {
  return new MessageWriter().byte(MESSAGE.USERAUTH_REQUEST).string(user).string(service).string(method);
}

function open(payload: Buffer, type: number): MessageReader {
  if (payload[0] !== type) throw malformed(`message ${payload[0]} where ${type} is expected`);
  return new MessageReader(payload, 1);
}
