// A bound for waiting on work whose outcome is told elsewhere.

/** Resolves when the work is done or failed, or after `patience` milliseconds. */
export const within = async (patience: number, work: Promise<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience);
  });
  await Promise.race([work.catch(() => undefined), bound]);
  clearTimeout(timer);
};
