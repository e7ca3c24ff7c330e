import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

/** Keeps the event loop for longer than a turn. */
function work(): void {
  const end = performance.now() + 15;
  while (performance.now() < end);
}

it("many connections of one client take turns as one with another's", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const connection = async (identity: string, items: number) => {
    for (let item = 0; item < items; item++) {
      const over = turns.over(identity);
      if (over) await over;
      order.push(identity);
      work();
    }
  };
  const all = Array.from({ length: 6 }, () => connection("many", 3));
  all.push(connection("one", 2));
  await Promise.all(all);
  expect(order).toHaveLength(20);
  // The first had its turn before others were there; then each identity has every other.
  expect(order.slice(0, 5)).toEqual(["many", "many", "one", "many", "one"]);
});

it("the event loop goes round between two who wait", async () => {
  const turns = new Turns();
  let rounds = 0;
  const seen: number[] = [];
  let ended = false;
  const count = () => {
    rounds++;
    if (!ended) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      const over = turns.over("many");
      if (over) await over;
      seen.push(rounds);
      work();
    }),
  );
  ended = true;
  expect(new Set(seen).size).toBe(5);
});
