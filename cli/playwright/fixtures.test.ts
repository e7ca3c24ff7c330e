import type { BrowserContext } from "playwright/test";
import { expect, it } from "vitest";
import { bendsOf } from "./fixtures.ts";
import type { Refusals } from "./refusals.ts";

const setup = () => {
  const installed: string[] = [];
  const bends = bendsOf(async (context) => {
    installed.push(context as unknown as string);
    return {} as Refusals;
  });
  return { installed, bends, add: (name: string) => bends.add(name as unknown as BrowserContext) };
};

it("nobody's requests are taken where nothing is bent", async () => {
  const { installed, add } = setup();
  await add("second");
  expect(installed).toEqual([]);
});

it("all are taken once something may be bent, in whatever order they came", async () => {
  const { installed, bends, add } = setup();
  await add("second");
  const all = await bends.begin();
  expect(installed).toEqual(["second"]);
  await add("own");
  await add("third");
  expect(installed).toEqual(["second", "own", "third"]);
  expect(all).toHaveLength(3);
});
