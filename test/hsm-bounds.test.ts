/** Every route of the contract says whether it reaches the HSM, and what bounds it there (docs/operations.md). */

import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { HAS_A_SHARE } from "#edge/gateway/hsm-routes.ts";
import { contract, type Route } from "#protocol/contract/index.ts";

const document = await readFile(new URL("../docs/operations.md", import.meta.url), "utf8");
const [, section = ""] =
  /### What reaches the HSM, and its bound\n([\s\S]*?)\nBindings: /.exec(document) ?? [];
const [table = "", others = ""] = section.split("The HSM is not reached by");
const rows = table.split("\n").filter((line) => line.startsWith("| `"));
const [, uncounted = ""] = /Nothing is counted where([\s\S]*?)What the table says/.exec(section) ?? [];
const named = (text: string) => [...text.matchAll(/`([A-Z]+ \/[^`]*)`/g)].map(([, name = ""]) => name);
const areas = [...others.matchAll(/`(\/[^`]*)`/g)].map(([, path = ""]) => path);
const routes = Object.values<Route>(contract);
const nameOf = ({ method, path }: Route) => `${method} ${path}`;
const isInArea = ({ path }: Route) => areas.some((area) => path === area || path.startsWith(`${area}/`));

it("each route is in one place: of those that reach the HSM, or of those that do not", () => {
  const reaching = rows.flatMap((row) => named(row.split("|")[1] ?? ""));
  expect(reaching.length).toBeGreaterThan(20);
  const wrong = routes.filter((route) => {
    const places = [reaching, named(others)].flat().filter((name) => name === nameOf(route)).length;
    return places + (isInArea(route) ? 1 : 0) !== 1;
  });
  expect(wrong.map(nameOf)).toEqual([]);
  // Nor is there one that the contract has not.
  const known = new Set(routes.map(nameOf));
  expect([...reaching, ...named(others)].filter((name) => !known.has(name))).toEqual([]);
});

it("each that reaches the HSM is within its tenant's share, but for those that are said to be counted nowhere", () => {
  const without = named(uncounted);
  expect(without.length).toBeGreaterThan(5);
  const reaching = rows.flatMap((row) => named(row.split("|")[1] ?? ""));
  const counted = Object.entries<Route>(contract).filter(([id]) => HAS_A_SHARE.has(id));
  expect(counted.length).toBe(HAS_A_SHARE.size);
  expect(counted.map(([, route]) => nameOf(route)).sort()).toEqual(
    reaching.filter((name) => !without.includes(name)).sort(),
  );
});

it("each that reaches the HSM has a bound", () => {
  for (const row of rows) {
    const [, , does = "", own = "", tenants = ""] = row.split("|").map((cell) => cell.trim());
    expect(does, row).not.toBe("");
    expect(own + tenants, row).not.toBe("");
  }
});
