// The charts that pages share: bars and lines over names or over time. Each says in words what it shows, and the numbers
// stand in a table beside it.
import '@mantine/charts/styles.css';
import { BarChart, LineChart } from '@mantine/charts';

export interface Series {
  readonly name: string;
  /** A colour of the theme. */
  readonly color: string;
}

interface Charted {
  readonly label: string;
  /** `of` is what stands below; the others are the values of the series by name. */
  readonly data: readonly (Readonly<Record<string, number | null>> | { readonly of: string })[];
  readonly series: readonly Series[];
}

const HEIGHT = 220;

const rows = (data: Charted['data']): Record<string, unknown>[] => data.map((row) => ({ ...row }));

export const Bars = ({
  label,
  data,
  series,
  counts = true,
}: Charted & {
  /** Whole numbers only. */
  readonly counts?: boolean;
}) => (
  <div role="img" aria-label={label}>
    <BarChart
      h={HEIGHT}
      data={rows(data)}
      dataKey="of"
      type="stacked"
      withLegend={series.length > 1}
      maxBarWidth={48}
      yAxisProps={{ allowDecimals: !counts }}
      series={[...series]}
    />
  </div>
);

export const Lines = ({
  label,
  data,
  series,
  top,
  threshold,
  clock,
}: Charted & {
  /** Where `of` is a number: how it is written, and it stands where it belongs between the others. */
  readonly clock?: ((of: number) => string) | undefined;
  /** The largest value there can be; undefined: as the data has it. */
  readonly top?: number | undefined;
  readonly threshold?: { readonly at: number; readonly label: string } | undefined;
}) => (
  <div role="img" aria-label={label}>
    <LineChart
      h={HEIGHT}
      data={rows(data)}
      dataKey="of"
      curveType="stepAfter"
      withLegend={series.length > 1}
      connectNulls
      {...(clock === undefined
        ? {}
        : {
            xAxisProps: { type: 'number', domain: ['dataMin', 'dataMax'], tickFormatter: clock },
            tooltipProps: { labelFormatter: (of: unknown) => (typeof of === 'number' ? clock(of) : '') },
          })}
      {...(top === undefined ? {} : { yAxisProps: { domain: [0, top] } })}
      {...(threshold === undefined
        ? {}
        : { referenceLines: [{ y: threshold.at, label: threshold.label, color: 'red.7' }] })}
      series={[...series]}
    />
  </div>
);
