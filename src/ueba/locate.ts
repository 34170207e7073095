// Where an address is, as far as that is known without a database: its network, which is enough to tell places apart, and
// no position, so that nobody's travel is judged by it. Imported sign-ins bring positions of their own.
import type { Place } from './activity.ts';
import { networkOf } from './run.ts';

export const withoutDatabase = (address: string): Place | undefined =>
  address === '' || address === 'local'
    ? undefined
    : {
        country: 'unknown',
        latitude: 0,
        longitude: 0,
        precision: 'country',
        network: networkOf(address),
        exempt: true,
      };
