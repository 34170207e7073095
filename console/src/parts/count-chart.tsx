// How many commands each user, device or word stands for, as bars: those that ran, and those that rules stopped.
import type { Shapes } from '../api/client.ts';
import { Bars } from './charts.tsx';
import { plainText } from './text.tsx';

const CountChart = ({ counts }: { readonly counts: readonly Shapes['CommandCount'][] }) => (
  <Bars
    label="Commands by user: those that ran, and those that were stopped"
    data={counts.map(({ of, commands, stopped }) => ({
      of: plainText(of, 24),
      Ran: commands - stopped,
      Stopped: stopped,
    }))}
    series={[
      { name: 'Ran', color: 'cyan.7' },
      { name: 'Stopped', color: 'red.7' },
    ]}
  />
);

export default CountChart;
