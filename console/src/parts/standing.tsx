// How unusual a session was, as every page says it: its standing as a badge, and each reason in words.
import { Badge, List } from '@mantine/core';
import type { Shapes } from '../api/client.ts';
import { counted, plainText } from './text.tsx';

type Risk = Shapes['SessionRisk'];

/** What gave the points, one line each. */
export const reasonsOf = (risk: Risk): readonly string[] => [
  ...risk.findings,
  ...(risk.commandPoints === 0
    ? []
    : [
        `${counted(risk.commandPoints, 'point')} by commands that met rules: ${risk.auditedCommands} ran, ${risk.blockedCommands} stopped`,
      ]),
];

export const Reasons = ({ risk }: { readonly risk: Risk }) => {
  const reasons = reasonsOf(risk);
  if (reasons.length === 0) return <span>{risk.suspiciousAt === null ? 'as usual' : ''}</span>;
  return (
    <List size="sm">
      {reasons.map((reason) => (
        <List.Item key={reason}>
          <bdi>{plainText(reason, 400)}</bdi>
        </List.Item>
      ))}
    </List>
  );
};

const STANDINGS: Readonly<Record<string, string>> = {
  open: 'goes on',
  learnt: 'as usual',
  identified: 'suspicious, user identified',
  expected: 'was expected',
  void: 'nothing to learn',
};

export const Standing = ({ risk }: { readonly risk: Risk }) => (
  <Badge
    variant="outline"
    color={risk.suspiciousAt === null ? 'gray' : risk.standing === 'expected' ? 'teal' : 'red'}
  >
    {STANDINGS[risk.standing] ?? plainText(risk.standing)}
  </Badge>
);
