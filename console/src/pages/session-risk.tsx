// How a session's risk went: the curve with the score from which it is suspicious, and each step with its reasons.
import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, type Shapes, taken } from '../api/client.ts';
import { Lines } from '../parts/charts.tsx';
import { plainText, shownSeconds } from '../parts/text.tsx';
import { Empty, Shown } from '../parts/told.tsx';

/** What moves the risk without a word of its own. */
const usualReason = ({ before, score }: Shapes['RiskPoint']): string =>
  score === before ? 'the session began' : 'commands that met rules';

const RiskCurve = ({ session, live }: { readonly session: string; readonly live: boolean }) => {
  const curve = useQuery({
    queryKey: ['risk-curve', session],
    queryFn: () => taken(api.GET('/api/sessions/{id}/risk-curve', { params: { path: { id: session } } })),
    refetchInterval: live ? 5_000 : false,
  });
  return (
    <Shown query={curve}>
      {({ items, suspiciousFrom }) =>
        items.length === 0 ? (
          <Empty title="The risk did not move">
            It moves when a command meets a rule, or when the session is longer or moves more than usual.
          </Empty>
        ) : (
          <>
            <Lines
              label="The risk over the session; the table below has its steps"
              data={items.map((point) => ({ of: point.second, Risk: point.score }))}
              clock={(second) => shownSeconds(second, true)}
              top={Math.max(suspiciousFrom, ...items.map(({ score }) => score)) + 1}
              threshold={{ at: suspiciousFrom, label: 'suspicious' }}
              series={[{ name: 'Risk', color: 'orange.6' }]}
            />
            <Table aria-label="Steps of the risk">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">At</Table.Th>
                  <Table.Th scope="col">Points before</Table.Th>
                  <Table.Th scope="col">Points after</Table.Th>
                  <Table.Th scope="col">Suspicious</Table.Th>
                  <Table.Th scope="col">Why</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((point) => (
                  <Table.Tr key={`${point.at} ${point.before} ${point.score}`}>
                    <Table.Td>{shownSeconds(point.second, true)}</Table.Td>
                    <Table.Td>{point.before}</Table.Td>
                    <Table.Td>{point.score}</Table.Td>
                    <Table.Td>{point.suspicious ? 'yes' : 'no'}</Table.Td>
                    <Table.Td>
                      <bdi>{plainText(point.findings.join('; ') || usualReason(point), 400)}</bdi>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </>
        )
      }
    </Shown>
  );
};

export default RiskCurve;
