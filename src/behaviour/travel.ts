// Impossible travel: two origins of one user that are too far apart for the time between them. Positions from
// address databases are vague, so each position's radius is taken off the distance first.
// It is given positions; looking addresses up is done elsewhere.

export interface Origin {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly latitude: number;
  readonly longitude: number;
  /** A city is known to about 300 km, a country to about 1,500 km. */
  readonly precision: 'city' | 'country';
  readonly country: string;
  readonly asn: number | undefined;
  /** A private address, or one of the organisation's own ways out to the internet. */
  readonly exempt: boolean;
}

const RADIUS = { city: 300, country: 1500 } as const;
const EARTH_RADIUS = 6371.0088;
/** Kilometres, after the radii were taken off. */
const LEAST_DISTANCE = 500;
/** Kilometres an hour. */
const TOP_SPEED = 900;
/** Seconds: clocks and sign-ins are no more exact than that. */
const LEAST_TIME = 60;

/** Great-circle distance in kilometres (haversine). */
export function distance(from: Origin, to: Origin): number {
  const radians = Math.PI / 180;
  const latitudes = ((to.latitude - from.latitude) * radians) / 2;
  const longitudes = ((to.longitude - from.longitude) * radians) / 2;
  const a =
    Math.sin(latitudes) ** 2 +
    Math.cos(from.latitude * radians) * Math.cos(to.latitude * radians) * Math.sin(longitudes) ** 2;
  return 2 * EARTH_RADIUS * Math.asin(Math.min(1, Math.sqrt(a)));
}

export interface Journey {
  /** Kilometres that are certain, radii taken off. */
  readonly distance: number;
  /** Kilometres an hour that this would have taken. */
  readonly speed: number;
}

/** The journey between two origins when nobody could have made it; undefined when somebody could. */
export function impossibleTravel(from: Origin, to: Origin): Journey | undefined {
  if (from.exempt || to.exempt) return undefined;
  if (from.country === to.country && from.asn === to.asn) return undefined;
  const certain = distance(from, to) - RADIUS[from.precision] - RADIUS[to.precision];
  if (certain <= LEAST_DISTANCE) return undefined;
  const hours = Math.max(Math.abs(to.at - from.at) / 1000, LEAST_TIME) / 3600;
  const speed = certain / hours;
  return speed > TOP_SPEED ? { distance: certain, speed } : undefined;
}
