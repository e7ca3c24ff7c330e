/** Work on each of many, some at a time: a microservice's port refuses more calls than it serves at once, and others call it too. */

/** Things that are asked of a port at a time; it serves twice as many calls. */
export const ASKED_AT_ONCE = 16;

/** What comes of each, in their order; `n` are worked on at a time. When one fails none is begun any more, and those that are left fail as it did. */
export function inTurns<T, R>(
  items: readonly T[],
  n: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<R>[] {
  const waiting = items.map((item) => ({ item, ...Promise.withResolvers<R>() }));
  const turns = waiting.entries();
  let failed: Promise<R> | undefined;
  const go = async () => {
    for (const [at, { item, resolve }] of turns) {
      const one = failed ?? work(item, at);
      resolve(one);
      await one.catch(() => {
        failed = one;
      });
    }
  };
  for (let at = 0; at < n; at++) void go();
  return waiting.map(({ promise }) => promise);
}
