// Passkeys on both databases: registered and used once for each challenge, whoever asks at the same time, and by one of two
// copies. What the API makes of them stands in src/api/passkeys.test.ts.
import { expect, it } from 'vitest';
import { Passkeys } from '../../src/api/passkeys.ts';
import { Authenticator } from '../../src/api/sample-authenticator.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from './both-stores.ts';

const site = { host: 'console.example' };
const origin = 'https://console.example';
const rpId = 'console.example';
const alice = { userId: 'u-alice', name: 'alice' };
const bob = { userId: 'u-bob', name: 'bob' };

onBothStores('passkeys', (bench) => {
  let time = 1_000;

  const withPeople = async (): Promise<{ store: Store; passkeys: Passkeys }> => {
    const store = await bench.fresh();
    await store.append(
      'users',
      [alice, bob].map(({ userId, name }) => ({
        id: userId,
        name,
        password_hash: null,
        totp_sealed: null,
        roles_json: '[]',
        department: null,
        priority: 'medium',
        authentication_json: null,
        disabled_reason: null,
        created_at: 0,
        updated_at: 0,
      })),
    );
    return { store, passkeys: new Passkeys(store, () => time) };
  };

  const register = async (passkeys: Passkeys, key: Authenticator, name: string, owner = alice) => {
    const options = await passkeys.registrationOptions(owner, site);
    return passkeys.register(owner, site, { name, response: key.register(options, origin, rpId) });
  };

  it('are registered once, under a name that is free, and go with their user', async () => {
    const { store, passkeys } = await withPeople();
    const key = new Authenticator();
    const options = await passkeys.registrationOptions(alice, site);
    const given = { name: 'laptop', response: key.register(options, origin, rpId) };
    const both = await Promise.allSettled([1, 2].map(() => passkeys.register(alice, site, given)));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'SP_API_NOT_PROVEN' },
    });
    for (const [again, name, owner] of [
      [key, 'phone', alice],
      [key, 'laptop', bob],
      [new Authenticator(), 'laptop', alice],
    ] as const)
      await expect(register(passkeys, again, name, owner)).rejects.toMatchObject({ code: 'SP_API_EXISTS' });
    await register(passkeys, new Authenticator(), 'desktop');
    const mine = await passkeys.list(alice.userId);
    expect(mine.map(({ name, seen_at }) => [name, seen_at])).toEqual([
      ['desktop', null],
      ['laptop', null],
    ]);
    expect(await passkeys.remove(bob.userId, mine[0]?.id ?? '')).toBe(false);
    expect(await passkeys.remove(alice.userId, mine[0]?.id ?? '')).toBe(true);
    await store.db.deleteFrom('users').where('id', '=', alice.userId).execute();
    expect(await passkeys.list(alice.userId)).toEqual([]);
  });

  it('prove their user once for each challenge that is still good, and only one of two copies', async () => {
    const { store, passkeys } = await withPeople();
    const key = new Authenticator();
    await register(passkeys, key, 'laptop');
    const asked = async () => key.sign(await passkeys.signInOptions(site), origin, rpId);
    key.count = 1;
    const answer = await asked();
    const found = await passkeys.find(answer);
    const twice = await Promise.all([1, 2].map(() => passkeys.prove(found, site, answer)));
    expect(twice.toSorted()).toEqual([false, true]);
    expect(await passkeys.find(answer)).toMatchObject({ user_id: alice.userId, counter: 1, seen_at: time });
    // Each with a challenge of its own, and the same count.
    key.count = 2;
    const copies = [await asked(), await asked()];
    const known = await passkeys.find(answer);
    const one = await Promise.all(copies.map((response) => passkeys.prove(known, site, response)));
    expect(one.toSorted()).toEqual([false, true]);
    key.count = 3;
    const late = await asked();
    time += 6 * 60_000;
    expect(await passkeys.prove(await passkeys.find(late), site, late)).toBe(false);
    // Challenges that nobody answered in time are not kept.
    await asked();
    expect(await store.db.selectFrom('passkey_challenges').selectAll().execute()).toHaveLength(1);
  });
});
