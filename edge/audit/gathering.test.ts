import { expect, it } from "vitest";
import { GATHERERS, gathererName, gathererOf, nextOf, placeOf } from "./gathering.ts";

it("spreads the sources of a tenant evenly over gatherers, each source always to the same", async () => {
  const sources = Array.from({ length: 9600 }, (_, i) => `kms/account-${i}`);
  const places = await Promise.all(sources.map((source) => gathererOf("acme", source)));
  const counts = Map.groupBy(places, gathererName);
  expect(counts.size).toBe(GATHERERS[0]);
  for (const [name, { length }] of counts) {
    expect(length, name).toBeGreaterThan(50);
    expect(length, name).toBeLessThan(200);
  }
  expect(await gathererOf("acme", "kms/account-7")).toEqual(places[7]);
});

it("leads from every gatherer to the log, by as many as there are levels", () => {
  const second = new Map<string, number>();
  for (let number = 0; number < GATHERERS[0]; number++) {
    const next = nextOf({ tenant: "acme", level: 0, number });
    if (next === null) throw new Error("a gatherer of the first level tells the log");
    second.set(gathererName(next), (second.get(gathererName(next)) ?? 0) + 1);
    expect(nextOf(next)).toBeNull();
  }
  expect([...second.values()]).toEqual(
    Array.from({ length: GATHERERS[1] }, () => GATHERERS[0] / GATHERERS[1]),
  );
});

it("reads its place from its name, and no other name", () => {
  const place = { tenant: "acme", level: 1, number: 7 };
  expect(placeOf(gathererName(place))).toEqual(place);
  for (const name of ["", "acme", "acme/kms", "acme/1", "acme/1.7.7", "acme/other/1.7", "acme/-1.7"])
    expect(placeOf(name), name).toBeNull();
});
