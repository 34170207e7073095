// A bound for every await on something that another part does: a store, a recorder, a directory.

export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
  readonly code = 'SP_TIME_LIMIT';
}

/** Rejects with TimeLimitError when `promise` takes longer than `milliseconds`. What it started is not undone. */
export function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: bounded, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(
    () => reject(new TimeLimitError(`${what} took longer than ${milliseconds} ms`)),
    milliseconds,
  );
  promise.then(resolve, reject).finally(() => clearTimeout(timer));
  return bounded;
}
