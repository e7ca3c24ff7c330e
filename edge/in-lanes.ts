/**
 * What comes of each, in their order; so many lanes work at a time, on the next item that none has begun. After a failure nothing more is begun, what is
 * under way is waited for, and then it is thrown.
 */
export async function inLanes<T, R>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const done: R[] = new Array(items.length);
  // One walk that all lanes share.
  const left = items.entries();
  let failure: { error: unknown } | undefined;
  const lane = async () => {
    for (const [at, item] of left) {
      if (failure) return;
      try {
        done[at] = await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failure) throw failure.error;
  return done;
}
