// Lists that are longer than a page: the pages that have been read so far as one list, and the way to read another.
import { useInfiniteQuery } from '@tanstack/react-query';
import { type Everything, everythingOf, type OnePage } from './everything.ts';

export interface PagedList<T> {
  readonly data: readonly T[] | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  readonly more: (() => void) | undefined;
  /** Reads it all anew. Throws Refused. */
  readonly everything: () => Promise<Everything<T>>;
}

/** The part of a query that asks for a page. */
export const onePage = (
  after: string | undefined,
  limit = 100,
): { readonly limit: string; readonly after?: string } => ({
  limit: String(limit),
  ...(after === undefined ? {} : { after }),
});

export const usePages = <T>(
  key: readonly unknown[],
  read: (after: string | undefined) => Promise<OnePage<T>>,
  options: { readonly every?: number } = {},
): PagedList<T> => {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    ...(options.every === undefined ? {} : { refetchInterval: options.every }),
  });
  return {
    data: query.data?.pages.flatMap((page) => page.items),
    error: query.error,
    isPending: query.isPending,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
    everything: () => everythingOf(read),
  };
};
