// How a session went, as one list of moments: its commands as the recording notes them, what moved with sizes and hashes,
// and each change of its risk. Pure; what the API has not told (or this viewer may not see) is told by the recording.
import type { Shapes } from '../api/client.ts';
import { counted, shownBytes } from '../parts/text.tsx';
import type { Jump } from './recording.ts';

export type RiskPoint = Shapes['RiskPoint'];
export type Transfers = Shapes['Transfers'];

export type MomentKind = 'command' | 'transfer' | 'risk' | 'other';

export interface CourseMoment {
  readonly at: number;
  readonly kind: MomentKind;
  readonly text: string;
  /** What came of it; undefined: nothing to be said. */
  readonly outcome: string | undefined;
  /** What stands below the text. */
  readonly more: readonly string[];
}

const commandOf = ({ at, label }: Jump): CourseMoment => {
  // The last word of a command's label is its outcome (recordings/mark.ts).
  const space = label.lastIndexOf(' ');
  const [text, outcome] = [label.slice('command '.length, space), label.slice(space + 1)];
  return { at, kind: 'command', text: text === '' ? '(typed without echo)' : text, outcome, more: [] };
};

const filesOf = ({ files, operations, forwards }: Transfers): readonly CourseMoment[] => [
  ...files.map(
    (one): CourseMoment => ({
      at: one.second,
      kind: 'transfer',
      text: `${one.direction === 'up' ? '↑ to the device' : '↓ from the device'}: ${one.path}`,
      outcome: undefined,
      more: [
        shownBytes(one.bytes),
        one.sha256 === null ? `no hash: ${one.partial || 'not whole'}` : `sha256 ${one.sha256}`,
      ],
    }),
  ),
  ...forwards.map(
    (one): CourseMoment => ({
      at: one.second,
      kind: 'transfer',
      text: `${one.word}: ${one.address}`,
      outcome: one.outcome,
      more: [
        `${shownBytes(one.bytesToDevice)} to the device, ${shownBytes(one.bytesFromDevice)} from it`,
        ...(one.seconds === null ? [] : [`open for ${counted(Math.round(one.seconds), 'second')}`]),
      ],
    }),
  ),
  ...operations.map(
    (one): CourseMoment => ({
      at: one.second,
      kind: 'transfer',
      text: one.text,
      outcome: one.outcome,
      more: one.detail === '' ? [] : [one.detail],
    }),
  ),
];

const riskOf = ({ second, before, score, suspicious, findings }: RiskPoint): CourseMoment => ({
  at: second,
  kind: 'risk',
  text: `risk ${before} → ${score}`,
  outcome: suspicious ? 'suspicious' : undefined,
  more: findings,
});

/**
 * The API counts seconds from the start of the session, a recording from its own first moment: where the recording has a
 * mark for each step of the risk, the steps stand at their marks, and so behind the commands that caused them.
 */
export const alignedRisk = (
  marks: readonly Jump[],
  risk: readonly RiskPoint[] | undefined,
): readonly RiskPoint[] | undefined => {
  if (risk === undefined) return undefined;
  const at = marks.filter(({ kind }) => kind === 'risk').map((mark) => mark.at);
  const moved = risk.filter(({ before, score }) => before !== score);
  if (at.length !== moved.length) return risk;
  return risk.map((point) => {
    const place = moved.indexOf(point);
    return { ...point, second: at[place] ?? point.second };
  });
};

/** Marks that say less than the API's own lists of transfers and of risk. */
const TRANSFER_MARKS = new Set(['file', 'forward', 'agent', 'x11', 'outcome']);

export const courseOf = (
  marks: readonly Jump[],
  risk: readonly RiskPoint[] | undefined,
  transfers: Transfers | undefined,
): readonly CourseMoment[] =>
  [
    ...marks.flatMap((mark): readonly CourseMoment[] => {
      if (mark.kind === 'watched') return [];
      if (mark.kind === 'command') return [commandOf(mark)];
      if (mark.kind === 'risk' && risk !== undefined) return [];
      if (TRANSFER_MARKS.has(mark.kind) && transfers !== undefined) return [];
      return [{ at: mark.at, kind: 'other', text: mark.label, outcome: undefined, more: [] }];
    }),
    ...(risk ?? [])
      .filter(({ second, findings, score }) => second > 0 || score > 0 || findings.length > 0)
      .map(riskOf),
    ...(transfers === undefined ? [] : filesOf(transfers)),
  ].sort((a, b) => a.at - b.at);
