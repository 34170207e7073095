// The trail: who changed, ordered, published or viewed what.
import { Anchor, Code } from '@mantine/core';
import { Link } from 'react-router';
import { api, type Shapes, taken } from '../api/client.ts';
import { onePage, usePages } from '../parts/pages.ts';
import { type Column, Filters, Listed, SINCE, useFilters } from '../parts/table.tsx';
import { Moment, plainText, Untrusted } from '../parts/text.tsx';
import { Empty, Page } from '../parts/told.tsx';

type Change = Shapes['Change'];

const detailOf = ({ before, after }: Change): string => {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return keys
    .filter((key) => before?.[key] !== undefined || (after?.[key] ?? '') !== '')
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

/** The end of a session's id is enough to tell it from others on the page. */
const SessionLink = ({ id }: { readonly id: string }) =>
  /^[0-9a-f-]{36}$/.test(id) ? (
    <Anchor component={Link} to={`/sessions/${id}`} title={id} className="nowrap">
      session …{id.slice(-6)}
    </Anchor>
  ) : (
    <Untrusted text={id} limit={60} />
  );

const columns: readonly Column<Change>[] = [
  { key: 'at', label: 'At', cell: (row) => <Moment at={row.at} />, value: (row) => row.at },
  { key: 'actor', label: 'Who', cell: (row) => <Untrusted text={row.actor} />, value: (row) => row.actor },
  {
    key: 'action',
    label: 'Did',
    cell: (row) => (
      <span className="nowrap">
        <Untrusted text={row.action} />
      </span>
    ),
    value: (row) => row.action,
  },
  { key: 'kind', label: 'Kind', cell: (row) => <Untrusted text={row.kind} />, value: (row) => row.kind },
  {
    key: 'name',
    label: 'To',
    cell: (row) =>
      row.kind === 'session' || row.kind === 'recording' ? (
        <SessionLink id={row.name} />
      ) : (
        <span className={row.name.length <= 30 ? 'nowrap' : ''}>
          <Untrusted text={row.name} limit={60} />
        </span>
      ),
    value: (row) => row.name,
  },
  {
    key: 'detail',
    label: 'What',
    cell: (row) => {
      const detail = detailOf(row);
      return detail === '' ? null : <Code className="command">{plainText(detail, 300)}</Code>;
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
  const asked = useFilters(filters);
  const list = usePages(['changes', asked], (after) =>
    taken(api.GET('/api/changes', { params: { query: { ...asked, ...onePage(after) } } })),
  );
  return (
    <Page title="Trail">
      <Filters filters={filters} />
      <Listed
        name="trail"
        columns={columns}
        rowKey={({ id }) => id}
        list={list}
        nothing={<Empty title="Nothing here">What administrators and auditors do is kept here.</Empty>}
      />
    </Page>
  );
};

export default Changes;
