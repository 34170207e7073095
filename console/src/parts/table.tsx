// A table of what the API lists: sorted by a click on a heading, by the API where it can and else here over what is loaded,
// with the order in the page's address; more rows on demand, and all of it as CSV, also what is not loaded yet. Filters are
// the page's, also in its address (Filters below). Listed is the whole of it: what waits, what went wrong, what to do when
// there is nothing, or the table.
import { Button, Group, Select, Table, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type Everything, MOST_ROWS } from './everything.ts';
import type { PagedList } from './pages.ts';
import { counted } from './text.tsx';
import { Shown, Told } from './told.tsx';

export interface Column<T> {
  readonly key: string;
  readonly label: string;
  readonly cell: (row: T) => ReactNode;
  /** What it is sorted by and exported as. */
  readonly value: (row: T) => string | number | null;
  readonly numeric?: boolean;
  /** What the API calls this order, where it sorts: the page then asks by useOrder, and rows stay as they come. */
  readonly sort?: string;
}

/** Where the order stands in the page's address; a second table of a page has another place. */
const ORDER_KEY = 'sort';

/** The order in the page's address: a column's key, with `-` before it for the largest first. */
const orderOf = (
  search: URLSearchParams,
  orderKey: string,
): { readonly by: string; readonly descending: boolean } => {
  const order = search.get(orderKey) ?? '';
  return order.startsWith('-') ? { by: order.slice(1), descending: true } : { by: order, descending: false };
};

/** What the order in the page's address asks of the API; nothing where it is a column that is sorted here. */
export const useOrder = <T,>(columns: readonly Column<T>[]): Readonly<Record<string, string>> => {
  const [search] = useSearchParams();
  const { by, descending } = orderOf(search, ORDER_KEY);
  const sort = columns.find(({ key }) => key === by)?.sort;
  return sort === undefined ? {} : { sort, order: descending ? 'desc' : 'asc' };
};

const compare = (a: string | number | null, b: string | number | null): number => {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
};

/** A spreadsheet must not take a cell for a formula. */
const csvCell = (value: string | number | null): string => {
  const text = value === null ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csvOf = <T,>(columns: readonly Column<T>[], rows: readonly T[]): string =>
  [
    columns.map((column) => csvCell(column.label)),
    ...rows.map((row) => columns.map((column) => csvCell(column.value(row)))),
  ]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');

export const saveFile = (name: string, type: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
};

export const DataTable = <T,>({
  name,
  columns,
  rows,
  rowKey,
  list,
  orderKey = ORDER_KEY,
}: {
  /** Of the file that is exported. */
  readonly name: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string;
  /** Where the rows are from; undefined: they are all there is. */
  readonly list?: Pick<PagedList<T>, 'more' | 'everything'>;
  readonly orderKey?: string;
}) => {
  const [search, setSearch] = useSearchParams();
  const { by, descending } = orderOf(search, orderKey);
  const column = columns.find(({ key }) => key === by);
  const inOrder = (unordered: readonly T[]): readonly T[] =>
    column === undefined || column.sort !== undefined
      ? unordered
      : [...unordered].sort((a, b) => compare(column.value(a), column.value(b)) * (descending ? -1 : 1));
  const sorted = inOrder(rows);
  const more = list?.more;
  const exported = useMutation({
    mutationFn: async () => {
      const all: Everything<T> =
        list === undefined || more === undefined ? { rows, whole: true } : await list.everything();
      saveFile(`${name}.csv`, 'text/csv;charset=utf-8', csvOf(columns, inOrder(all.rows)));
      return all;
    },
  });
  const sortBy = (key: string): void => {
    setSearch(
      (now) => {
        const next = new URLSearchParams(now);
        next.set(orderKey, by === key && !descending ? `-${key}` : key);
        return next;
      },
      { replace: true },
    );
  };
  return (
    <>
      <Table.ScrollContainer minWidth={600}>
        <Table striped highlightOnHover verticalSpacing="xs" aria-label={name}>
          <Table.Thead>
            <Table.Tr>
              {columns.map(({ key, label, numeric }) => (
                <Table.Th
                  key={key}
                  scope="col"
                  aria-sort={by === key ? (descending ? 'descending' : 'ascending') : 'none'}
                  className={numeric === true ? 'number' : ''}
                >
                  <UnstyledButton fz="sm" fw={700} onClick={() => sortBy(key)}>
                    {label}
                    <span aria-hidden="true">{by === key ? (descending ? ' ↓' : ' ↑') : ''}</span>
                  </UnstyledButton>
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.map((row) => (
              <Table.Tr key={rowKey(row)}>
                {columns.map(({ key, cell, numeric }) => (
                  <Table.Td key={key} className={numeric === true ? 'number' : ''}>
                    {cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Group justify="space-between">
        {more === undefined ? (
          <Text size="sm" c="dimmed">
            {counted(rows.length, 'row')}
          </Text>
        ) : (
          <Button variant="default" onClick={more}>
            More
          </Button>
        )}
        <Button variant="subtle" loading={exported.isPending} onClick={() => exported.mutate()}>
          Export CSV
        </Button>
      </Group>
      {exported.data?.whole === false ? (
        <Text size="sm" role="status">
          The file ends after {counted(exported.data.rows.length, 'row')} and there are more: at most{' '}
          {MOST_ROWS} are exported at once. Filters make them fewer.
        </Text>
      ) : null}
      {exported.isError ? <Told error={exported.error} /> : null}
    </>
  );
};

export interface Filter {
  readonly key: string;
  readonly label: string;
  /** Undefined: free text. */
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  /** What none chosen means; undefined: any. */
  readonly none?: string;
}

/** Milliseconds without a key before a filter is applied. */
const STILL = 350;

const TextFilter = ({
  label,
  value,
  set,
}: {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
}) => {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return undefined;
    const timer = setTimeout(() => set(typed), STILL);
    return () => clearTimeout(timer);
  }, [typed, value, set]);
  return (
    <TextInput
      size="xs"
      label={label}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
    />
  );
};

export const SINCE: Filter = {
  key: 'since',
  label: 'Since',
  choices: [
    { value: '1h', label: 'the last hour' },
    { value: '24h', label: 'the last day' },
    { value: '7d', label: 'the last 7 days' },
    { value: '30d', label: 'the last 30 days' },
  ],
};

const SPANS: Readonly<Record<string, number>> = {
  '1h': 1,
  '24h': 24,
  '7d': 7 * 24,
  '30d': 30 * 24,
  '90d': 90 * 24,
};

/** The moment that a span before now names, to the minute, so that what is asked for stays the same for a while. */
export const sinceOf = (span: string | null): string | undefined => {
  const hours = span === null ? undefined : SPANS[span];
  if (hours === undefined) return undefined;
  return new Date(Math.floor(Date.now() / 60_000) * 60_000 - hours * 3_600_000).toISOString();
};

/** What the filters in the page's address ask for; empty ones are left out. */
export const useFilters = (filters: readonly Filter[]): Readonly<Record<string, string>> => {
  const [search] = useSearchParams();
  const asked: Record<string, string> = {};
  for (const { key } of filters) {
    const value = key === SINCE.key ? sinceOf(search.get(key)) : search.get(key);
    if (value !== null && value !== undefined && value !== '') asked[key] = value;
  }
  return asked;
};

/** What of the page is open, by its address: one of the rows, a tab. */
export const useOpened = (key: string): readonly [string | null, (id: string | null) => void] => {
  const [search, setSearch] = useSearchParams();
  const open = (id: string | null): void =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      if (id === null) next.delete(key);
      else next.set(key, id);
      return next;
    });
  return [search.get(key), open];
};

/** A list of the API as a table, or what to do when there is nothing in it. */
export const Listed = <T,>({
  list,
  nothing,
  ...table
}: {
  readonly name: string;
  readonly columns: readonly Column<T>[];
  readonly rowKey: (row: T) => string;
  readonly list: PagedList<T>;
  readonly nothing: ReactNode;
}) => (
  <Shown query={list}>
    {(rows) => (rows.length === 0 ? nothing : <DataTable {...table} rows={rows} list={list} />)}
  </Shown>
);

/** Filters in the page's address. */
export const Filters = ({ filters }: { readonly filters: readonly Filter[] }) => {
  const [search, setSearch] = useSearchParams();
  const set = (key: string, value: string | null): void =>
    setSearch(
      (now) => {
        const next = new URLSearchParams(now);
        if (value === null || value === '') next.delete(key);
        else next.set(key, value);
        return next;
      },
      { replace: true },
    );
  return (
    <Group align="end" gap="sm" role="search">
      {filters.map(({ key, label, choices, none }) =>
        choices === undefined ? (
          <TextFilter
            key={key}
            label={label}
            value={search.get(key) ?? ''}
            set={(value) => set(key, value)}
          />
        ) : (
          <Select
            key={key}
            size="xs"
            w={150}
            label={label}
            placeholder={none ?? 'any'}
            clearable
            data={[...choices]}
            value={search.get(key)}
            onChange={(value) => set(key, value)}
            clearButtonProps={{ 'aria-label': `any ${label.toLowerCase()}` }}
          />
        ),
      )}
    </Group>
  );
};
