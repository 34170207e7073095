// Text from elsewhere, moments and lengths as people read them. What a user, a device or a command is called is shown as
// text alone, with control, invisible and direction-changing characters as visible codes.
import { Badge, Text } from '@mantine/core';

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

export const plainText = (text: string, limit = 2_000): string =>
  (text.length > limit ? `${text.slice(0, limit - 1)}…` : text).replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0x0a) return '⏎';
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });

/** Text of several lines, each safe to show. */
export const plainLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => plainText(line))
    .join('\n');

export const Untrusted = ({ text, limit }: { readonly text: string; readonly limit?: number }) => (
  <bdi>{plainText(text, limit)}</bdi>
);

export const CommandText = ({
  text,
  hidden = false,
}: {
  readonly text: string;
  readonly hidden?: boolean;
}) =>
  hidden ? (
    <Text span c="dimmed" size="sm">
      typed without echo
    </Text>
  ) : (
    <code className="command">
      <bdi>{plainText(text, 500)}</bdi>
    </code>
  );

const moments = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

export const shownMoment = (at: string): string => moments.format(new Date(at));

/** In the viewer's zone; the exact moment on hovering. */
export const Moment = ({ at }: { readonly at: string | null }) =>
  at === null ? (
    <span>–</span>
  ) : (
    <time className="nowrap" dateTime={at} title={`${at} · ${zone}`}>
      {shownMoment(at)}
    </time>
  );

/** 3725.4 → 1:02:05; with tenths 1:02:05.4 */
export const shownSeconds = (seconds: number, tenths = false): string => {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(m).padStart(h > 0 ? 2 : 1, '0')}:${String(s).padStart(2, '0')}`;
  const part = tenths ? `.${Math.floor((seconds - whole) * 10)}` : '';
  return h > 0 ? `${h}:${tail}${part}` : `${tail}${part}`;
};

/** A code such as `grant-time-over`, as people say it. */
export const inWords = (code: string): string => plainText(code.replaceAll('-', ' '));

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

export const shownBytes = (bytes: number | null): string => {
  if (bytes === null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
};

const OUTCOME_COLOURS: Readonly<Record<string, string>> = {
  ran: 'teal',
  blocked: 'red',
  interrupted: 'red',
  alarm: 'red',
  suspicious: 'red',
  refused: 'orange',
  declined: 'orange',
  asked: 'yellow',
  cancelled: 'gray',
};

export const Outcome = ({ outcome }: { readonly outcome: string }) => (
  <Badge variant="outline" color={OUTCOME_COLOURS[outcome] ?? 'gray'} className="outcome">
    {plainText(outcome)}
  </Badge>
);

const CRITICALITY_COLOURS: Readonly<Record<string, string>> = { high: 'red', medium: 'orange', low: 'gray' };

export const Criticality = ({ level }: { readonly level: string | null }) =>
  level === null ? null : (
    <Badge variant="outline" color={CRITICALITY_COLOURS[level] ?? 'gray'}>
      {plainText(level)}
    </Badge>
  );
