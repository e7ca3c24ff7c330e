import { expect, it } from "vitest";
import { inLanes } from "./in-lanes.ts";

/** Work that ends when it is told to. */
function held() {
  const begun: number[] = [];
  const ends = new Map<number, { resolve(value: string): void; reject(error: Error): void }>();
  const work = (item: number) => {
    begun.push(item);
    return new Promise<string>((resolve, reject) => ends.set(item, { resolve, reject }));
  };
  return { begun, work, end: (item: number) => ends.get(item)!, turn: () => new Promise(setImmediate) };
}

it("works on so many at a time, and gives what comes of each in their order", async () => {
  const { begun, work, end, turn } = held();
  const all = inLanes([0, 1, 2, 3], 2, work);
  expect(begun).toEqual([0, 1]);
  end(1).resolve("b");
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const [item, value] of [
    [2, "c"],
    [0, "a"],
  ] as const) {
    end(item).resolve(value);
    await turn();
  }
  end(3).resolve("d");
  expect(await all).toEqual(["a", "b", "c", "d"]);
});

it("begins nothing more after a failure, waits for what is under way, and throws the first failure", async () => {
  const { begun, work, end, turn } = held();
  let ended = false;
  const all = inLanes([0, 1, 2], 2, work).finally(() => {
    ended = true;
  });
  const thrown = expect(all).rejects.toThrow("first");
  end(1).reject(new Error("first"));
  await turn();
  expect([begun, ended]).toEqual([[0, 1], false]);
  end(0).reject(new Error("second"));
  await thrown;
  expect(begun).toEqual([0, 1]);
});

it("of nothing comes nothing", async () => {
  expect(await inLanes([], 3, async () => "never")).toEqual([]);
});
