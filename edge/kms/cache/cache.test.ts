import { expect, it, vi } from "vitest";
import { KeyCache } from "./cache.ts";

/** An HSM that counts what is asked of it. */
function setup(times = { keep: 1000, poll: 100 }) {
  let now = 0;
  const hsm = { fetched: 0, looked: 0, marks: new Map([["a", "1"]]), away: false };
  const cache = new KeyCache<string>(
    async (name) => {
      hsm.looked++;
      if (hsm.away) throw new Error("away");
      return hsm.marks.get(name) ?? null;
    },
    times,
    () => now,
  );
  const get = (name: string) =>
    cache.get(name, async () => {
      hsm.fetched++;
      await Promise.resolve();
      if (hsm.away) throw new Error("away");
      return new Map([...hsm.marks].map(([each, mark]) => [each, { value: `${each}${mark}`, mark }]));
    });
  return { hsm, cache, get, pass: (ms: number) => (now += ms) };
}

it("W3 asks the HSM at a miss, and not at a hit", async () => {
  const { hsm, cache, get } = setup();
  expect(await get("a")).toBe("a1");
  expect(await get("a")).toBe("a1");
  expect(hsm.fetched).toBe(1);
  expect(cache.counts).toEqual({ hit: 1, miss: 1, stale: 0, evicted: 0 });
});

it("W8 fetches what comes with it too, and asks once for two hundred who wait", async () => {
  const { hsm, cache, get } = setup();
  hsm.marks.set("b", "1");
  const values = await Promise.all(Array.from({ length: 200 }, () => get("a")));
  expect(new Set(values)).toEqual(new Set(["a1"]));
  expect(await get("b")).toBe("b1");
  expect(hsm.fetched).toBe(1);
  expect(cache.counts).toMatchObject({ hit: 1, miss: 200 });
});

it("W8 looks after what it keeps, once for all who ask, and fetches again what has changed or refuses what is gone", async () => {
  const { hsm, cache, get, pass } = setup();
  await get("a");
  pass(100);
  await Promise.all([get("a"), get("a")]);
  expect([hsm.fetched, hsm.looked]).toEqual([1, 1]);
  hsm.marks.set("a", "2");
  expect(await get("a")).toBe("a1");
  pass(100);
  expect(await get("a")).toBe("a2");
  expect(cache.counts.stale).toBe(1);
  hsm.marks.delete("a");
  pass(100);
  expect(await get("a")).toBeNull();
});

it("W8 serves while the HSM is away until its time is over, and again once it is back", async () => {
  const { hsm, cache, get, pass } = setup();
  await get("a");
  hsm.away = true;
  pass(999);
  expect(await get("a")).toBe("a1");
  pass(1);
  await expect(get("a")).rejects.toThrow("away");
  expect(cache.counts.evicted).toBe(1);
  hsm.away = false;
  expect(await get("a")).toBe("a1");
});

it("W8 says what it keeps and for how long still, which is no use of it and asks nobody", async () => {
  const { hsm, cache, get, pass } = setup();
  hsm.marks.set("b", "1");
  expect(cache.left()).toEqual([]);
  await get("a");
  pass(400);
  expect(cache.left()).toEqual([
    { name: "a", left: 600 },
    { name: "b", left: 600 },
  ]);
  cache.drop("b");
  expect(cache.left()).toEqual([{ name: "a", left: 600 }]);
  pass(600);
  expect(cache.left()).toEqual([]);
  expect([hsm.fetched, hsm.looked]).toEqual([1, 0]);
  expect(cache.counts).toEqual({ hit: 0, miss: 1, stale: 0, evicted: 0 });
});

it("tells how often it had what was asked for, when that has changed", async () => {
  const info = vi.spyOn(console, "info").mockImplementation(() => {});
  const { cache, get } = setup();
  cache.tell();
  await get("a");
  await get("a");
  cache.tell();
  cache.tell();
  expect(info.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
    {
      ...{ event: "key-cache", memory: expect.stringMatching(/^[0-9a-f-]{36}$/), since: expect.any(Number) },
      ...{ hit: 1, miss: 1, stale: 0, evicted: 0 },
    },
  ]);
  info.mockRestore();
});

it("W8 keeps nothing that was fetched before a change here", async () => {
  const { hsm, cache, get } = setup();
  const fetching = get("a");
  cache.drop("a");
  await fetching;
  await get("a");
  expect(hsm.fetched).toBe(2);
});

it("W8 keeps what was fetched while another was changed here, and an outage no longer than it lasts", async () => {
  const { hsm, cache, get } = setup();
  const fetching = get("a");
  cache.drop("b");
  expect(await fetching).toBe("a1");
  expect(cache.peek("a")).toBe("a1");
  cache.drop("a");
  hsm.away = true;
  const failing = get("a");
  cache.drop("b");
  await expect(failing).rejects.toThrow("away");
  hsm.away = false;
  hsm.marks.set("a", "2");
  await expect(get("a")).resolves.toBe("a2");
  expect(hsm.fetched).toBe(3);
});

it("W8 keeps nothing of what was under way when all was forgotten, and lets a later request alone", async () => {
  const { hsm, cache, get } = setup();
  const before = get("a");
  cache.clear();
  hsm.marks.set("a", "2");
  const after = get("a");
  expect(await Promise.all([before, after])).toEqual(["a2", "a2"]);
  expect(hsm.fetched).toBe(2);
  expect(await get("a")).toBe("a2");
  expect(hsm.fetched).toBe(2);
});
