/**
 * Waits for `work`, and no longer than so many milliseconds: then what `late` answers, or throws, is the answer. What is waited for goes on by itself,
 * and whether it fails then is nobody's concern.
 */
export function within<T>(milliseconds: number, work: Promise<T>, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const silence = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  }).then(late);
  return Promise.race([work, silence]).finally(() => clearTimeout(timer));
}
