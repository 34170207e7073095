import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeKey } from '../../test/login/key-workshop.ts';
import { parseAuthorizedKey, parseAuthorizedKeysFile } from './authorized-keys.ts';
import { addressMatches } from './source-address.ts';

const KEY = makeKey('ssh-ed25519');
const BARE = `ssh-ed25519 ${KEY.blob.toString('base64')}`;

function read(line: string) {
  const result = parseAuthorizedKey(line);
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.key;
}

function reasonOf(line: string): string {
  const result = parseAuthorizedKey(line);
  return result.kind === 'refused' ? result.reason : 'not refused';
}

describe('a line of authorized keys', () => {
  it('without options restricts nothing and wants a touch of security keys', () => {
    expect(read(`${BARE} alice at home`)).toMatchObject({
      comment: 'alice at home',
      certificateAuthority: false,
      touchRequired: true,
      verifyRequired: false,
      from: undefined,
      expiresAt: undefined,
      restrictions: { pty: true, portForwarding: true, agentForwarding: true, x11Forwarding: true },
    });
    expect(read(`  ${BARE}\r`).key.blob).toEqual(KEY.blob);
  });

  it('takes restrict first and then what is allowed again', () => {
    expect(read(`restrict,pty,command="uptime" ${BARE}`).restrictions).toMatchObject({
      pty: true,
      portForwarding: false,
      agentForwarding: false,
      x11Forwarding: false,
      forcedCommand: 'uptime',
    });
    expect(read(`pty,restrict ${BARE}`).restrictions.pty).toBe(false);
    expect(
      read(`no-pty,No-Port-Forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc ${BARE}`).restrictions,
    ).toMatchObject({ pty: false, portForwarding: false, agentForwarding: false, x11Forwarding: false });
  });

  it('may hold quotes, commas and blanks in a value', () => {
    const line = `command="echo \\"a, b\\" \\\\ c",no-pty ${BARE}`;
    expect(read(line).restrictions).toMatchObject({ forcedCommand: 'echo "a, b" \\\\ c', pty: false });
  });

  it('lists where forwards may lead and listen', () => {
    const line = `permitopen="db1:5432",permitopen="[2001:db8::1]:*",permitlisten="8080",permitlisten="localhost:9090" ${BARE}`;
    expect(read(line).restrictions).toMatchObject({
      permitOpen: [
        { host: 'db1', port: 5432 },
        { host: '2001:db8::1', port: '*' },
      ],
      permitListen: [
        { host: '*', port: 8080 },
        { host: 'localhost', port: 9090 },
      ],
    });
  });

  it('says from where, until when, and with which proof the key may be used', () => {
    const key = read(
      `from="192.0.2.0/24,!192.0.2.7,10.1.*",expiry-time="20300102Z",verify-required,no-touch-required ${BARE}`,
    );
    expect(key).toMatchObject({
      expiresAt: Date.UTC(2030, 0, 2),
      verifyRequired: true,
      touchRequired: false,
    });
    const matches = (address: string) => addressMatches(key.from ?? [], address);
    expect(
      ['192.0.2.1', '192.0.2.7', '10.1.2.3', '10.11.2.3', '::ffff:192.0.2.1', 'nonsense'].map(matches),
    ).toEqual([true, false, true, false, true, false]);
    expect(read(`expiry-time="203001021504" ${BARE}`).expiresAt).toBe(new Date(2030, 0, 2, 15, 4).getTime());
    expect(read(`expiry-time="20300102150405Z" ${BARE}`).expiresAt).toBe(Date.UTC(2030, 0, 2, 15, 4, 5));
  });

  it('may name an authority and its principals', () => {
    expect(read(`cert-authority,principals="alice,deploy" ${BARE}`)).toMatchObject({
      certificateAuthority: true,
      principals: ['alice', 'deploy'],
    });
  });

  it.each([
    [`environment="A=b" ${BARE}`, 'the option environment is not supported'],
    [`tunnel="0" ${BARE}`, 'the option tunnel is not supported'],
    [`no-such-option ${BARE}`, 'the option no-such-option is not supported'],
    [`command=uptime ${BARE}`, 'the value of command is not in quotes'],
    [`command ${BARE}`, 'the option command needs a value'],
    [`command="a",command="b" ${BARE}`, 'the option command is given twice'],
    [`command="" ${BARE}`, 'command= is empty'],
    [`no-pty="x" ${BARE}`, 'the option no-pty takes no value'],
    [`no-pty, ${BARE}`, 'the options can not be read'],
    [`command="a"x ${BARE}`, 'something follows the option command'],
    [`from="*.example.com" ${BARE}`, 'from= can not be read'],
    [`from="192.0.2.1/24" ${BARE}`, 'from= can not be read'],
    [`from="" ${BARE}`, 'from= can not be read'],
    [`permitopen="db1" ${BARE}`, 'the option permitopen can not be read'],
    [`permitopen="db1:70000" ${BARE}`, 'the option permitopen can not be read'],
    [`expiry-time="20300230Z" ${BARE}`, 'expiry-time= is no date'],
    [`expiry-time="soon" ${BARE}`, 'expiry-time= can not be read'],
    [`principals="alice" ${BARE}`, 'principals= stands without cert-authority'],
    [`cert-authority,principals="alice," ${BARE}`, 'principals= can not be read'],
    [`ssh-rsa ${KEY.blob.toString('base64')}`, 'the key is of another type than the line says'],
    ['ssh-ed25519', 'the line has no key'],
    ['ssh-ed25519 !!!!', 'the key is not base64'],
    ['ssh-ed25519 AAAA', 'the key is cut short or too long'],
    [`ssh-rsa ${makeKey('ssh-rsa', 1024).blob.toString('base64')}`, 'less than 2048 bits'],
    [`${BARE}\n${BARE}`, 'the line holds a control character'],
    ['x'.repeat(20_000), 'the line is too long'],
    ['', 'the options can not be read'],
  ])('%j is refused: %s', (line, reason) => {
    expect(reasonOf(line)).toContain(reason);
  });

  it('never throws, whatever is in it', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('command="', '"', ',', ' ', 'from="', 'restrict', BARE, 'principals=', '\\'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        parseAuthorizedKey(pieces.join(''));
      }),
      { numRuns: 500 },
    );
  });
});

it('a file of authorized keys tells which lines were refused', () => {
  const file = `# people\n\n${BARE}\nnonsense x ${BARE}\nrestrict ${BARE}\n`;
  const { keys, refused } = parseAuthorizedKeysFile(file);
  expect(keys.length).toBe(2);
  expect(refused.map(({ line }) => line)).toEqual([4]);
});

it('a pattern of many stars is matched in bounded time', () => {
  const rules = read(`from="${'*1'.repeat(30)}*" ${BARE}`).from ?? [];
  expect(addressMatches(rules, '1111:1111:1111:1111:1111:1111:1111:1112')).toBe(true);
  expect(addressMatches(rules, '1111:1111:1111:1111:1111:1112:2222:2222')).toBe(false);
});
