/** docs/browsers.md says what each engine has: of those that are installed it is asked. `npm run browsers` writes what they answer. */

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { useSystem } from "../system/index.ts";
import { chromium, firefox, webkit } from "./index.ts";
import { columnOf, documentWith, MATRIX, PROBES, rowsIn, tableWith, writeMatrix } from "./matrix.ts";

const system = useSystem();
const found = new Map<"Chromium" | "Firefox" | "WebKit", string[]>();
const writes = process.env.COFFER_BROWSERS === "write";
afterAll(() => {
  if (writes) writeMatrix(found);
});

describe.each([
  [chromium, 0],
  [firefox, 1],
  [webkit, 2],
] as const)("of $name", (engine, column) => {
  it.skipIf(engine.missing())("what the engine has is what the document says", async () => {
    const driver = await engine.open();
    try {
      await driver.goto(`${system.appOrigin}/`);
      found.set(engine.name, await columnOf(driver));
    } finally {
      await driver.close();
    }
    if (writes) return;
    const said = rowsIn(readFileSync(MATRIX, "utf8"));
    const has = PROBES.map(({ row }, at) => `${row}: ${found.get(engine.name)?.[at]}`);
    expect(has).toEqual(PROBES.map(({ row }) => `${row}: ${said.get(row)?.[column]}`));
  });
});

it("the document has the rows that are asked about, and no other", () => {
  const said = rowsIn(readFileSync(MATRIX, "utf8"));
  if (writes) return;
  expect([...said.keys()]).toEqual(PROBES.map(({ row }) => row));
  expect([...said.values()].map((cells) => cells[3])).toEqual(PROBES.map(({ without }) => without));
});

it("a column of an engine that was not asked stays as it was", () => {
  const before = readFileSync(MATRIX, "utf8");
  const column = PROBES.map(() => "perhaps");
  const after = documentWith(tableWith(new Map([["Firefox", column]]), before), before);
  expect([...rowsIn(after).values()].map(([, firefox]) => firefox)).toEqual(column);
  const others = (text: string) =>
    [...rowsIn(text).values()].map(([chromium, , webkit]) => [chromium, webkit]);
  expect(others(after)).toEqual(others(before));
  expect(after.split("\n")[0]).toBe(before.split("\n")[0]);
});
