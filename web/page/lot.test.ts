import { expect, it } from "vitest";
import { CofferError, type Document } from "#web/browser/index.ts";
import { Lot, type Work } from "./lot.ts";
import type { Counted } from "./transfer-row.ts";

const metadata = { name: "a", type: "", size: 10 };
const documents = (count: number): Document[] =>
  Array.from({ length: count }, (_, at) => {
    const id = String(at);
    return {
      id,
      account: "a",
      created: new Date(0),
      sealedSize: 20,
      metadata,
      state: undefined,
      key: undefined,
    };
  }) as Document[];
const never = new AbortController().signal;
const soon = () => new Promise<void>((resolve) => setTimeout(resolve));

for (const count of [1, 200, 2000])
  it(`goes through ${count} a few at a time, and says how many are done`, async () => {
    let [underWay, most] = [0, 0];
    const work: Work = async () => {
      most = Math.max(most, ++underWay);
      await Promise.resolve();
      underWay--;
    };
    const lot = new Lot("deleting", documents(count), work);
    const told: Counted[] = [];
    await lot.run(never, (counted) => told.push(counted));
    expect(lot.done).toHaveLength(count);
    expect(most).toBe(Math.min(count, 4));
    expect(told[0]).toEqual({ step: "deleting", done: 0, count });
    expect(told.at(-1)).toEqual({ step: "deleting", done: count, count });
  });

it("keeps no document from its turn because another has failed, and goes on with what is left", async () => {
  let bad = true;
  const asked: string[] = [];
  const lot = new Lot("restoring", documents(20), async ({ id }) => {
    asked.push(id);
    if (bad && Number(id) % 5 === 0) throw new CofferError("forbidden");
  });
  await expect(lot.run(never, () => {})).rejects.toMatchObject({ code: "forbidden" });
  expect([asked.length, lot.done.length]).toEqual([20, 16]);
  bad = false;
  await lot.run(never, () => {});
  expect(asked.slice(20)).toEqual(["0", "5", "10", "15"]);
  expect(lot.done).toHaveLength(20);
});

it("asks for no more when all would fail alike", async () => {
  let asked = 0;
  const lot = new Lot("deleting", documents(200), async () => {
    asked++;
    await soon();
    throw new CofferError("offline");
  });
  await expect(lot.run(never, () => {})).rejects.toMatchObject({ code: "offline" });
  expect(asked).toBe(4);
});

it("begins no more when it is cancelled, and knows what was done before and under way", async () => {
  const cancelled = new AbortController();
  const lot = new Lot("deleting", documents(200), async () => {
    await soon();
    if (lot.done.length === 9) cancelled.abort();
  });
  await expect(lot.run(cancelled.signal, () => {})).rejects.toMatchObject({ name: "AbortError" });
  expect(lot.done.length).toBeGreaterThanOrEqual(10);
  expect(lot.done.length).toBeLessThanOrEqual(14);
});

it("takes a browser's own end of a file for a failure of that one, and goes on with the others", async () => {
  let refuses = true;
  const lot = new Lot("saving", documents(20), async ({ id }) => {
    await soon();
    if (refuses && Number(id) < 4) throw new DOMException("Blocked", "AbortError");
  });
  await expect(lot.run(never, () => {})).rejects.toMatchObject({ code: "internal" });
  expect(lot.done).toHaveLength(16);
  refuses = false;
  await lot.run(never, () => {});
  expect(lot.done).toHaveLength(20);
});

it("counts bytes of what is saved, done and under way", async () => {
  const told: Counted[] = [];
  const lot = new Lot("saving", documents(3), async (_, { onBytes }) => {
    onBytes(4);
    await soon();
  });
  await lot.run(never, (counted) => told.push(counted));
  expect(told[0]).toEqual({ step: "saving", done: 0, count: 3, bytes: 0, total: 30 });
  expect(told.map(({ bytes }) => bytes)).toContain(12);
  expect(told.at(-1)).toEqual({ step: "saving", done: 3, count: 3, bytes: 30, total: 30 });
});
