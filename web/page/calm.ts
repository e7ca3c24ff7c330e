/** Work that follows many small changes, done at once the first time and then so often at the most. */

/** `pause`: between two times, milliseconds. What comes meanwhile is done once, when that is over. */
export function calmly(pause: number, work: () => void): () => void {
  let rested = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const go = () => {
    timer = undefined;
    rested = performance.now() + pause;
    work();
  };
  return () => {
    const rest = rested - performance.now();
    if (rest <= 0 && timer === undefined) go();
    else timer ??= setTimeout(go, rest);
  };
}
