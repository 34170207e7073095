import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readPublicKey, verifySignature } from '../login/public-key.ts';
import {
  encodeInfoRequest,
  encodePasswordChangeRequest,
  encodeServiceAccept,
  encodeUserauthBanner,
  encodeUserauthFailure,
  encodeUserauthSuccess,
  parseInfoResponse,
  parseUserauthRequest,
  publickeySignatureInput,
} from '../transport/messages.ts';
import { readDeviceKey } from './device-key.ts';
import { DeviceSignIn, type UsableSecret } from './sign-in.ts';

const SESSION = Buffer.alloc(32, 1);

function begin(secret: UsableSecret, algorithms?: readonly string[]) {
  const sent: Buffer[] = [];
  const banners: string[] = [];
  const outcomes: string[] = [];
  const signIn = new DeviceSignIn({
    username: 'root',
    secret,
    sessionId: SESSION,
    signatureAlgorithms: () => algorithms,
    send: (payload) => sent.push(payload),
    banner: (text) => banners.push(text),
    signedIn: () => outcomes.push('in'),
    failed: (error) => outcomes.push(`${error.code} ${error.message} | ${error.tell}`),
  });
  signIn.start();
  signIn.receive(encodeServiceAccept('ssh-userauth'));
  const last = (): Buffer => {
    const payload = sent.at(-1);
    if (payload === undefined) throw new Error('nothing was sent');
    return payload;
  };
  return { signIn, sent, banners, outcomes, last };
}

const PASSWORD: UsableSecret = { kind: 'password', password: 'hunter2' };

function key(type: 'ed25519' | 'rsa' | 'P-384'): UsableSecret {
  const options = { privateKeyEncoding: { format: 'pem', type: 'pkcs8' } } as const;
  const publicKeyEncoding = { format: 'pem', type: 'spki' } as const;
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding, ...options })
      : type === 'ed25519'
        ? generateKeyPairSync('ed25519', { publicKeyEncoding, ...options })
        : generateKeyPairSync('ec', { namedCurve: type, publicKeyEncoding, ...options });
  return { kind: 'key', key: readDeviceKey(pair.privateKey, undefined) };
}

describe('signing in to a device', () => {
  it('asks what is accepted first, then gives the password once', () => {
    const { signIn, last, outcomes } = begin(PASSWORD);
    expect(parseUserauthRequest(last()).method.kind).toBe('none');
    signIn.receive(encodeUserauthFailure(['publickey', 'password'], false));
    expect(parseUserauthRequest(last())).toMatchObject({
      user: 'root',
      method: { kind: 'password', password: 'hunter2' },
    });
    signIn.receive(encodeUserauthSuccess());
    expect(outcomes).toEqual(['in']);
  });

  it('does not try again, and says nothing of the password', () => {
    const { signIn, sent, outcomes } = begin(PASSWORD);
    signIn.receive(encodeUserauthFailure(['password', 'keyboard-interactive'], false));
    const before = sent.length;
    signIn.receive(encodeUserauthFailure(['password', 'keyboard-interactive'], false));
    expect(sent.length).toBe(before);
    expect(outcomes.join()).toMatch(/SP_DIAL_CREDENTIAL_REFUSED/);
    expect(outcomes.join()).not.toContain('hunter2');
  });

  it('answers one hidden prompt by keyboard-interactive, and no second one', () => {
    const { signIn, last, outcomes } = begin(PASSWORD);
    signIn.receive(encodeUserauthFailure(['keyboard-interactive'], false));
    const prompts = [{ text: 'Password: ', echo: false }];
    signIn.receive(encodeInfoRequest({ name: '', instruction: '', prompts }));
    expect(parseInfoResponse(last())).toEqual(['hunter2']);
    signIn.receive(encodeInfoRequest({ name: '', instruction: '', prompts: [] }));
    expect(parseInfoResponse(last())).toEqual([]);
    signIn.receive(encodeInfoRequest({ name: '', instruction: '', prompts }));
    expect(outcomes.join()).toMatch(/more than a password/);
  });

  it.each([
    ['a visible prompt', [{ text: 'Name: ', echo: true }]],
    [
      'two prompts',
      [
        { text: 'a', echo: false },
        { text: 'b', echo: false },
      ],
    ],
  ])('does not put the password into %s', (_name, prompts) => {
    const { signIn, sent, outcomes } = begin(PASSWORD);
    signIn.receive(encodeUserauthFailure(['keyboard-interactive'], false));
    const before = sent.length;
    signIn.receive(encodeInfoRequest({ name: '', instruction: '', prompts }));
    expect(sent.length).toBe(before);
    expect(outcomes.length).toBe(1);
  });

  it.each(['ed25519', 'rsa', 'P-384'] as const)('signs with an %s key so that it verifies', (type) => {
    const { signIn, last } = begin(key(type), undefined);
    signIn.receive(encodeUserauthFailure(['publickey'], false));
    const { method } = parseUserauthRequest(last());
    if (method.kind !== 'publickey' || method.signature === undefined) throw new Error('not signed');
    const verified = verifySignature(
      readPublicKey(method.blob),
      method.algorithm,
      publickeySignatureInput(SESSION, method.signedPart),
      method.signature,
    );
    expect(verified).toMatchObject({ kind: 'valid' });
  });

  it('takes the RSA hash that the device accepts, never SHA-1', () => {
    const rsa = key('rsa');
    const one = begin(rsa, ['rsa-sha2-256', 'ssh-rsa']);
    one.signIn.receive(encodeUserauthFailure(['publickey'], false));
    expect(parseUserauthRequest(one.last()).method).toMatchObject({ algorithm: 'rsa-sha2-256' });
    const two = begin(rsa, ['ssh-rsa', 'ssh-ed25519']);
    two.signIn.receive(encodeUserauthFailure(['publickey'], false));
    expect(two.outcomes.join()).toMatch(/SP_DIAL_CREDENTIAL_REFUSED/);
  });

  it('tells of a password that has expired, of a second factor, and of a device that takes neither', () => {
    const expired = begin(PASSWORD);
    expired.signIn.receive(encodeUserauthFailure(['password'], false));
    expired.signIn.receive(encodePasswordChangeRequest('change it'));
    expect(expired.outcomes.join()).toMatch(/expired/);
    const partial = begin(PASSWORD);
    partial.signIn.receive(encodeUserauthFailure(['password'], false));
    partial.signIn.receive(encodeUserauthFailure(['keyboard-interactive'], true));
    expect(partial.outcomes.join()).toMatch(/more than this credential/);
    const neither = begin(PASSWORD);
    neither.signIn.receive(encodeUserauthFailure(['gssapi-with-mic'], false));
    expect(neither.outcomes.join()).toMatch(/does not accept a password/);
  });

  it('keeps banners from the user, and counts them', () => {
    const { signIn, banners } = begin(PASSWORD);
    for (let count = 0; count < 20; count += 1) signIn.receive(encodeUserauthBanner('hi\u001b[2J'));
    expect(banners.length).toBe(8);
    expect(banners[0]).not.toContain('\u001b');
  });
});
