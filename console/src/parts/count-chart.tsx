// How many commands each user, device or word stands for, as bars: those that ran, and those that rules stopped.
import '@mantine/charts/styles.css';
import { BarChart } from '@mantine/charts';
import type { Shapes } from '../api/client.ts';
import { plainText } from './text.tsx';

const CountChart = ({ counts }: { readonly counts: readonly Shapes['CommandCount'][] }) => (
  <div role="img" aria-label="Commands by user: those that ran, and those that were stopped">
    <BarChart
      h={220}
      data={counts.map(({ of, commands, stopped }) => ({
        of: plainText(of, 24),
        Ran: commands - stopped,
        Stopped: stopped,
      }))}
      dataKey="of"
      type="stacked"
      withLegend
      maxBarWidth={48}
      series={[
        { name: 'Ran', color: 'cyan.7' },
        { name: 'Stopped', color: 'red.7' },
      ]}
    />
  </div>
);

export default CountChart;
