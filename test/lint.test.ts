import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "./support/tree.ts";

const CAST = "export const planted = (value: string) => value as unknown as number;\n";
const of = (value: string) => `export const planted = (map: Map<string, number[]>) => ${value};\n`;
const use = (from: string) => `import { it } from "${from}";\nexport const planted = it;\n`;

/** Planted files, and what lint says of each; null where it has to let one pass. */
const PLANTED: [file: string, text: string, says: string | null][] = [
  ["protocol/keys/a.ts", use("#edge/result.ts"), "protocol/ is pure"],
  ["edge/kms/a.ts", use("#emulator/hsm/index.ts"), "edge/ imports protocol/ only"],
  ["edge/hsm/a.ts", use("../kms/index.ts"), "edge/hsm serves the domains"],
  ["web/microservice/a.ts", use("../page/part.ts"), "The microservice is measured"],
  ["web/page/a.ts", use("#web/microservice/index.ts"), "built as any app would be"],
  ["web/page/b.ts", use("#web/browser/store.ts"), "built as any app would be"],
  ["web/page/c.ts", use("#web/browser/index.ts"), null],
  ["web/browser/a.ts", use("../page/part.ts"), "binds web/client to a page"],
  ["web/client/a.ts", use("#web/microservice/index.ts"), "microservice"],
  ["web/client/b.ts", "export const planted = () => navigator.locks;\n", "global variable navigator"],
  ["protocol/pki/a.ts", use("../kmip/index.ts"), "protocol/pki imports"],
  ["protocol/evidence/a.ts", use("../keys/index.ts"), "protocol/evidence imports"],
  ["edge/hsm/b.ts", use("#kmip-node/index.ts"), "edge/hsm serves the domains"],
  ["emulator/hsm/store/a.ts", use("../operations/get.ts"), "Rooms of the HSM"],
  ["kmip-node/a.ts", use("#emulator/hsm/index.ts"), "kmip-node/ imports protocol/ only"],
  ["edge/kms/b.ts", use("#protocol/keys/index.ts"), null],
  ["edge/cast.ts", CAST, "takes anything for anything"],
  ["edge/cast.test.ts", CAST, null],
  ["edge/null.ts", of('map.get("a")!.length'), "Check for null"],
  ["edge/null.test.ts", of('map.get("a")!.length'), null],
  ["edge/index-of.ts", of('(map.get("a") ?? [1])[0]!'), null],
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
