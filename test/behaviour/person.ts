// alice with everything that she can prove: a key for signing in, a password and one-time codes; and the policy and the
// settings that the tests of behaviour need. Codes are never used twice, as the gateway does not take one twice.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import type { Site } from '../harness/site.ts';

export const PASSWORD = 'a long enough test word';
const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const PERIOD = 30;

const POLICY = `
name: behaviour
rules:
  - name: nothing-rises
    match: "riser **"
    action: log
    criticality: medium
    points: 4
  - name: nothing-falls
    match: "faller **"
    action: block
    criticality: high
    points: 2
`;

let used = 0;

/** A code that has not been used: of this period, or of the next one, which is taken as well. */
export const nextCode = async (): Promise<string> => {
  const totp = new TOTP({ secret: Secret.fromBase32(SECRET), period: PERIOD });
  for (;;) {
    const now = Math.floor(Date.now() / 1000 / PERIOD);
    const step = Math.max(now - 1, used + 1);
    if (step <= now + 1) {
      used = step;
      return totp.generate({ timestamp: step * PERIOD * 1000 });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
  }
};

export const writePolicy = (folder: string): void => {
  mkdirSync(join(folder, 'policies'), { recursive: true });
  writeFileSync(join(folder, 'policies', 'behaviour.yaml'), POLICY);
};

/** What `apply` reads to give alice her password and codes, with these settings. */
export const applyPerson = async (
  { gateway, key, rsaKey }: Pick<Site, 'gateway' | 'key' | 'rsaKey'>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<void> => {
  await gateway.apply({
    users: [
      {
        name: 'alice',
        keys: [key.publicKey, rsaKey.publicKey],
        password: PASSWORD,
        totp: SECRET,
        authentication: [['publickey']],
        roles: ['engineer'],
      },
    ],
  });
  for (const [name, value] of Object.entries(settings)) {
    const { code, stderr } = await gateway.sallyport(['setting', 'set', name, String(value)]);
    if (code !== 0) throw new Error(stderr);
  }
};
