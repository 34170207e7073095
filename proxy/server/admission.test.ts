import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Admission, type AdmissionLimits, plainAddress, sourceOf } from './admission.ts';

const wide: AdmissionLimits = {
  connections: 1000,
  perSource: 1000,
  unauthenticated: 1000,
  unauthenticatedPerSource: 1000,
  loginGraceSeconds: 60,
};
const never = (): number => 0.999_999;

const ticketOf = (admission: Admission, address: string, now = 0): number => {
  const decision = admission.admit(address, now);
  if (decision.kind === 'refused') throw new Error(`refused: ${decision.refusal}`);
  return decision.ticket;
};

test('refuses above the limit in all, and admits again when one has ended', () => {
  const admission = new Admission({ ...wide, connections: 2 }, never);
  const first = ticketOf(admission, '192.0.2.1');
  ticketOf(admission, '192.0.2.2');
  expect(admission.admit('192.0.2.3', 0)).toEqual({ kind: 'refused', refusal: 'connections' });
  admission.ended(first);
  expect(admission.admit('192.0.2.3', 0).kind).toBe('admitted');
});

test('one source at its limit leaves the others alone', () => {
  const admission = new Admission({ ...wide, perSource: 1 }, never);
  ticketOf(admission, '192.0.2.1');
  expect(admission.admit('::ffff:192.0.2.1', 0)).toEqual({ kind: 'refused', refusal: 'per-source' });
  expect(admission.admit('192.0.2.2', 0).kind).toBe('admitted');
});

test('an IPv6 host can not evade its limit with the addresses of its own network', () => {
  const admission = new Admission({ ...wide, perSource: 1 }, never);
  ticketOf(admission, '2001:db8:1:2::1');
  expect(admission.admit('2001:db8:1:2:ffff::9', 0).kind).toBe('refused');
  expect(admission.admit('2001:db8:1:3::1', 0).kind).toBe('admitted');
});

test('signing in makes room for the next who has not', () => {
  const admission = new Admission({ ...wide, unauthenticatedPerSource: 1 }, never);
  const first = ticketOf(admission, '192.0.2.1');
  expect(admission.admit('192.0.2.1', 0)).toEqual({ kind: 'refused', refusal: 'unauthenticated-per-source' });
  admission.authenticated(first);
  expect(admission.admit('192.0.2.1', 0).kind).toBe('admitted');
});

test('from half of the unauthenticated limit on, a growing share is refused', () => {
  let luck = 0.999_999;
  const admission = new Admission({ ...wide, unauthenticated: 10 }, () => luck);
  for (let index = 0; index < 8; index++) ticketOf(admission, `192.0.2.${index}`);
  luck = 0.59;
  expect(admission.admit('198.51.100.1', 0)).toEqual({ kind: 'refused', refusal: 'unauthenticated-early' });
  luck = 0.61;
  expect(admission.admit('198.51.100.1', 0).kind).toBe('admitted');
  luck = 0.999_999;
  ticketOf(admission, '198.51.100.2');
  expect(admission.admit('198.51.100.3', 0)).toEqual({ kind: 'refused', refusal: 'unauthenticated' });
});

test('tells who is overdue when the grace is over, and never a user who has signed in', () => {
  const admission = new Admission(wide, never);
  const slow = ticketOf(admission, '192.0.2.1', 0);
  const quick = ticketOf(admission, '192.0.2.1', 0);
  const later = ticketOf(admission, '192.0.2.1', 30_000);
  admission.authenticated(quick);
  expect(admission.overdue(59_999)).toEqual([]);
  expect(admission.overdue(60_000)).toEqual([slow]);
  expect(admission.overdue(90_000)).toEqual([slow, later]);
});

test('new limits hold for new connections', () => {
  const admission = new Admission(wide, never);
  ticketOf(admission, '192.0.2.1');
  admission.setLimits({ ...wide, connections: 1 });
  expect(admission.admit('192.0.2.2', 0).kind).toBe('refused');
});

test('counts never go wrong, whatever the order of events', () => {
  const step = fc.record({
    what: fc.constantFrom('admit', 'authenticated', 'ended'),
    which: fc.nat(30),
    source: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limits = {
        ...wide,
        connections: 12,
        perSource: 6,
        unauthenticated: 8,
        unauthenticatedPerSource: 4,
      };
      const admission = new Admission(limits, never);
      const live = new Map<number, boolean>();
      for (const { what, which, source } of steps) {
        if (what === 'admit') {
          const decision = admission.admit(source, 0);
          if (decision.kind === 'admitted') live.set(decision.ticket, false);
        } else if (what === 'authenticated') {
          expect(admission.authenticated(which)).toBe(live.get(which) === false);
          if (live.has(which)) live.set(which, true);
        } else {
          expect(admission.ended(which)).toBe(live.delete(which));
        }
        expect(admission.connections).toBe(live.size);
        expect(admission.unauthenticated).toBe([...live.values()].filter((signedIn) => !signedIn).length);
        expect(admission.connections).toBeLessThanOrEqual(limits.connections);
      }
    }),
  );
});

test('addresses have one spelling', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(plainAddress('fe80::1%eth0')).toBe('fe80::1');
  expect(plainAddress('2001:db8:0:0:0:0:0:7')).toBe('2001:db8::7');
  expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
});
