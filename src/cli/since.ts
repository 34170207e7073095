// Reads the moment that `--since` names: a length of time before now (`90s`, `30m`, `2h`, `7d`, `4w`) or an ISO date.
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds since the epoch. Throws InvalidArgumentError. */
export const readSince = (text: string, now: number = Date.now()): number => {
  const length = /^(\d{1,6})([smhdw])$/.exec(text);
  if (length !== null) return now - Number(length[1]) * (UNITS[length[2] ?? ''] ?? 0);
  if (/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text)) {
    const at = Date.parse(text.replace(' ', 'T'));
    if (!Number.isNaN(at)) return at;
  }
  throw new InvalidArgumentError(
    'write a length of time such as 2h or 7d, or a date such as 2030-01-31T08:00:00Z',
  );
};

/** A whole number within bounds, for options. */
export const wholeNumber =
  (minimum: number, maximum: number) =>
  (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`a whole number from ${minimum} to ${maximum}`);
  };

/** A number above zero, for options. */
export const positiveNumber = (text: string): number => {
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0) return value;
  throw new InvalidArgumentError('a number above 0');
};
