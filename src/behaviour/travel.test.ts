import { describe, expect, it } from 'vitest';
import { distance, impossibleTravel, type Origin } from './travel.ts';

const hour = 3_600_000;
const paris: Origin = {
  at: 0,
  latitude: 48.8566,
  longitude: 2.3522,
  precision: 'city',
  country: 'FR',
  asn: 1,
  exempt: false,
};
const sydney: Origin = { ...paris, latitude: -33.8688, longitude: 151.2093, country: 'AU', asn: 2 };
const berlin: Origin = { ...paris, latitude: 52.52, longitude: 13.405, country: 'DE', asn: 3 };

describe('impossibleTravel', () => {
  it('measures along the great circle', () => {
    expect(distance(paris, sydney)).toBeCloseTo(16_960, -2);
    expect(distance(paris, paris)).toBe(0);
  });

  it('fires for Paris and Sydney two hours apart, in either order', () => {
    expect(impossibleTravel(paris, { ...sydney, at: 2 * hour })?.speed).toBeGreaterThan(8000);
    expect(impossibleTravel({ ...sydney, at: 2 * hour }, paris)).toBeDefined();
  });

  it('lets a day between them pass', () => {
    expect(impossibleTravel(paris, { ...sydney, at: 24 * hour })).toBeUndefined();
  });

  it('does not fire on what the vagueness of the positions explains', () => {
    expect(impossibleTravel(paris, { ...berlin, at: 60_000 })).toBeUndefined();
    expect(impossibleTravel(paris, { ...sydney, precision: 'country', at: 17 * hour })).toBeUndefined();
  });

  it('ignores private addresses, own ways out, and the same network in the same country', () => {
    expect(impossibleTravel(paris, { ...sydney, exempt: true })).toBeUndefined();
    expect(impossibleTravel(paris, { ...sydney, country: 'FR', asn: 1 })).toBeUndefined();
  });

  it('stays finite when two sign-ins share a moment or the clock stepped back', () => {
    expect(Number.isFinite(impossibleTravel(paris, sydney)?.speed)).toBe(true);
    expect(impossibleTravel({ ...paris, at: 10 }, sydney)).toBeDefined();
  });
});
