import type { InTurn } from "./context.ts";

/** A queue of its own: what it is given runs one after the other, whatever became of the one before. */
export function oneByOne(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
