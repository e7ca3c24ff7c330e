import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "./support/tree.ts";

const cast = (as: string) => `export const planted = (value: string): unknown => ${as};\n`;
const of = (value: string) => `export const planted = (map: Map<string, number[]>) => ${value};\n`;

/** Planted files, and what lint says of each; null where it has to let one pass. */
const PLANTED: [file: string, text: string, says: string | null][] = [
  ["web/client/b.ts", "export const planted = () => navigator.locks;\n", "global variable navigator"],
  ["edge/cast.ts", cast("value as unknown as number"), "takes anything for anything"],
  ["edge/cast-apart.ts", cast("(value as unknown) as number"), "takes anything for anything"],
  ["edge/cast-by-never.ts", cast("value as never as number"), "takes anything for anything"],
  ["edge/cast-by-never-apart.ts", cast("(value as never) as number"), "takes anything for anything"],
  ["edge/cast-never.ts", cast("value as never"), "takes anything for anything"],
  ["edge/cast-once.ts", cast("[value as unknown]"), null],
  ["edge/cast.test.ts", cast("value as unknown as number"), null],
  ["edge/null.ts", of('map.get("a")!.length'), "Forbidden non-null assertion"],
  ["edge/null.test.ts", of('map.get("a")!.length'), null],
  ["edge/index-of.ts", of('(map.get("a") ?? [1])[0]!'), "Forbidden non-null assertion"],
  ["emulator/hsm/null.ts", of('map.get("a")!.length'), "Forbidden non-null assertion"],
  ["protocol/kmip/null.ts", of('map.get("a")!.length'), "Forbidden non-null assertion"],
];

const folder = mkdtempSync(join(tmpdir(), "coffer-lint-"));
let said = "";

beforeAll(() => {
  cpSync(join(root, "biome.json"), join(folder, "biome.json"));
  cpSync(join(root, "test/lint"), join(folder, "test/lint"), { recursive: true });
  for (const [file, text] of PLANTED) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const args = ["lint", "--vcs-enabled=false", "--reporter=github", "--max-diagnostics=none", "."];
  const biome = spawnSync(join(root, "node_modules/.bin/biome"), args, { cwd: folder, encoding: "utf8" });
  said = biome.stdout + biome.stderr;
});

afterAll(() => rmSync(folder, { recursive: true }));

it.each(PLANTED)("%s: %j", (file, _, says) => {
  const own = said.split("\n").filter((line) => line.includes(`file=${file},`) || line.includes(`/${file},`));
  if (says === null) expect(own).toEqual([]);
  else expect(own.join("\n")).toContain(says);
});
