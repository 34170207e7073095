// What happened when, beside the slider that it stands under: the curve of the risk with the score from which a session is
// suspicious, and a stroke for each command and transfer. The list next to the player says the same in words.
import '@mantine/charts/styles.css';
import { memo } from 'react';
import { Area, ComposedChart, ReferenceLine, ResponsiveContainer, Scatter, XAxis, YAxis } from 'recharts';
import { counted, shownSeconds } from '../parts/text.tsx';
import type { CourseMoment, RiskPoint } from './course.ts';

const HEIGHT = 72;
const STOPPED = new Set(['blocked', 'interrupted', 'alarm', 'refused', 'declined', 'cancelled']);

const colourOf = ({ kind, outcome }: CourseMoment): string => {
  if (outcome !== undefined && STOPPED.has(outcome)) return 'var(--mantine-color-red-6)';
  return kind === 'transfer' ? 'var(--mantine-color-grape-5)' : 'var(--mantine-color-cyan-7)';
};

const Stroke = ({
  cx,
  cy,
  payload,
}: {
  readonly cx?: number | undefined;
  readonly cy?: number | undefined;
  readonly payload?: CourseMoment | undefined;
}) =>
  cx === undefined || cy === undefined || payload === undefined ? (
    <g />
  ) : (
    <line x1={cx} x2={cx} y1={cy - 14} y2={cy} stroke={colourOf(payload)} strokeWidth={2} />
  );

interface Shown {
  readonly end: number;
  readonly moments: readonly CourseMoment[];
  readonly risk: readonly RiskPoint[];
  readonly suspiciousFrom: number | undefined;
}

/** In words, for whoever does not see it. */
const said = ({ moments, risk, suspiciousFrom }: Shown): string => {
  const of = (kind: CourseMoment['kind']): number => moments.filter((one) => one.kind === kind).length;
  const highest = Math.max(0, ...risk.map(({ score }) => score));
  const from = risk.find(({ suspicious }) => suspicious)?.second;
  return [
    `${counted(of('command'), 'command')} and ${counted(of('transfer'), 'transfer')} over time`,
    risk.length === 0 ? '' : `; the risk reaches ${counted(highest, 'point')}`,
    suspiciousFrom === undefined ? '' : ` of the ${suspiciousFrom} from which a session is suspicious`,
    from === undefined ? '' : `, which it is from ${shownSeconds(from)} on`,
  ].join('');
};

const Curve = memo(({ shown }: { readonly shown: Shown }) => {
  const { end, moments, risk, suspiciousFrom } = shown;
  const top = Math.max(suspiciousFrom ?? 0, 1, ...risk.map(({ score }) => score)) * 1.1;
  const curve = [
    { second: 0, score: risk[0]?.before ?? 0 },
    ...risk,
    { second: end, score: risk.at(-1)?.score ?? 0 },
  ];
  const strokes = moments
    .filter(({ kind }) => kind === 'command' || kind === 'transfer')
    .map((moment) => ({ ...moment, second: moment.at, base: 0 }));
  return (
    <ResponsiveContainer width="100%" height={HEIGHT}>
      <ComposedChart
        data={curve}
        margin={{ top: 4, right: 0, bottom: 0, left: 0 }}
        accessibilityLayer={false}
      >
        <XAxis dataKey="second" type="number" domain={[0, end]} hide allowDataOverflow />
        <YAxis domain={[0, top]} hide />
        <Area
          dataKey="score"
          type="stepAfter"
          stroke="var(--mantine-color-orange-6)"
          fill="var(--mantine-color-orange-6)"
          fillOpacity={0.2}
          isAnimationActive={false}
          dot={false}
          activeDot={false}
        />
        {suspiciousFrom === undefined ? null : (
          <ReferenceLine y={suspiciousFrom} stroke="var(--mantine-color-red-6)" strokeDasharray="4 4" />
        )}
        <Scatter data={strokes} dataKey="base" shape={Stroke} isAnimationActive={false} />
      </ComposedChart>
    </ResponsiveContainer>
  );
});

/** `jump` is for the mouse; the slider above and the list beside are there for the keyboard. */
export const Timeline = ({
  second,
  jump,
  ...rest
}: { readonly second: number; readonly jump: (second: number) => void } & { readonly shown: Shown }) => {
  const { shown } = rest;
  const part = shown.end <= 0 ? 0 : Math.min(1, second / shown.end);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the slider above does the same by keys
    <div
      className="timeline"
      role="img"
      aria-label={said(shown)}
      onClick={(event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        if (width > 0) jump(((event.clientX - left) / width) * shown.end);
      }}
    >
      <Curve shown={shown} />
      <div className="timeline-now" style={{ left: `${part * 100}%` }} />
    </div>
  );
};
