// The trail: who changed, ordered, published or viewed what.
import { Code } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { usePages } from '../parts/pages.ts';
import { type Column, DataTable, Filters, SINCE, sinceOf } from '../parts/table.tsx';
import { Moment, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page, Shown } from '../parts/told.tsx';

type Change = Shapes['Change'];

const detailOf = ({ before, after }: Change): string => {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return keys
    .map((key) => {
      const [was, is] = [before?.[key], after?.[key]];
      const text = (value: unknown): string =>
        typeof value === 'string' ? value : JSON.stringify(value ?? null);
      return before === null || was === undefined
        ? `${key}: ${text(is)}`
        : `${key}: ${text(was)} → ${text(is)}`;
    })
    .join('; ');
};

const columns: readonly Column<Change>[] = [
  { key: 'at', label: 'At', cell: (row) => <Moment at={row.at} />, value: (row) => row.at },
  { key: 'actor', label: 'Who', cell: (row) => <Untrusted text={row.actor} />, value: (row) => row.actor },
  { key: 'action', label: 'Did', cell: (row) => <Untrusted text={row.action} />, value: (row) => row.action },
  { key: 'kind', label: 'Kind', cell: (row) => <Untrusted text={row.kind} />, value: (row) => row.kind },
  {
    key: 'name',
    label: 'To',
    cell: (row) => <Untrusted text={row.name} limit={60} />,
    value: (row) => row.name,
  },
  {
    key: 'detail',
    label: 'What',
    cell: (row) => {
      const detail = detailOf(row);
      return detail === '' ? null : <Code>{plainText(detail, 300)}</Code>;
    },
    value: detailOf,
  },
];

const filters = [
  SINCE,
  { key: 'actor', label: 'Who' },
  {
    key: 'kind',
    label: 'Kind',
    choices: [
      'user',
      'device',
      'credential',
      'grant',
      'setting',
      'policy',
      'session',
      'recording',
      'console',
      'token',
      'command',
    ].map((value) => ({ value, label: value })),
  },
  { key: 'name', label: 'To' },
];

const Changes = () => {
  const [search] = useSearchParams();
  const query: Record<string, string> = {};
  for (const key of ['actor', 'kind', 'name']) {
    const value = search.get(key);
    if (value !== null) query[key] = value;
  }
  const since = sinceOf(search.get('since'));
  if (since !== undefined) query['since'] = since;
  const list = usePages(['changes', query], (after) =>
    taken(
      api.GET('/api/changes', {
        params: { query: { ...query, limit: '100', ...(after === undefined ? {} : { after }) } },
      }),
    ),
  );
  return (
    <Page title="Trail">
      <Filters filters={filters} />
      <Shown query={list}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="Nothing here">What administrators and auditors do is kept here.</Empty>
          ) : (
            <DataTable name="trail" columns={columns} rows={rows} rowKey={({ id }) => id} more={list.more} />
          )
        }
      </Shown>
    </Page>
  );
};

export default Changes;
