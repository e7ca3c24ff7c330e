import { expect, it } from "vitest";
import { Patience, patiently } from "./patience.ts";

const answer = (status: number, later?: string) =>
  new Response(null, { status, headers: later === undefined ? {} : { "retry-after": later } });

/** Sends, with answers by turns; what was waited, and the last answer. */
async function sent(answers: Response[], repeatable = true) {
  const waits: number[] = [];
  const told: number[] = [];
  const turns = answers.values();
  const last = await patiently(async () => turns.next().value ?? answer(200), {
    repeatable,
    delay: async (wait) => void waits.push(wait),
    onWait: (wait) => told.push(wait),
  });
  expect(told).toEqual(waits);
  return { waits, status: last.status };
}

it("comes again when the server asks, never sooner, for numbers and outages", async () => {
  const { waits, status } = await sent([answer(429, "7"), answer(503, "3"), answer(429)]);
  expect(status).toBe(200);
  expect(waits).toHaveLength(3);
  expect(waits[0]).toBeGreaterThanOrEqual(7000);
  expect(waits[1]).toBeGreaterThanOrEqual(3000);
});

it("does not come again for an outage that says no time, lasts, or may have done a part", async () => {
  expect((await sent([answer(503)])).status).toBe(503);
  expect((await sent([answer(503, "1")], false)).status).toBe(503);
  const lasting = await sent(Array.from({ length: 9 }, () => answer(503, "1")));
  expect(lasting).toMatchObject({ status: 503, waits: { length: 2 } });
});

it("ends", async () => {
  expect(await sent([answer(429, "3600")])).toEqual({ status: 429, waits: [] });
  const all = await sent(Array.from({ length: 99 }, () => answer(429, "0")));
  expect(all.waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThanOrEqual(180_000);
  const patience = new Patience();
  let turns = 0;
  while (patience.next(60_000) !== undefined) turns++;
  expect(turns).toBeGreaterThanOrEqual(2);
});

it("stops with the caller", async () => {
  const controller = new AbortController();
  const send = patiently(async () => answer(429, "60"), {
    repeatable: true,
    delay: async (_, signal) => {
      controller.abort(new Error("enough"));
      signal?.throwIfAborted();
    },
    signal: controller.signal,
  });
  await expect(send).rejects.toThrow("enough");
});
