import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { edgeUnits, edgeWorker, webParts } from "#cli/parts/index.ts";
import { once } from "./built.ts";

const root = mkdtempSync(join(tmpdir(), "coffer-built-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("builds again when a source was changed, added, renamed or removed, and not otherwise", async () => {
  const folder = join(root, "kept");
  for (const path of [folder, join(root, "edge/deep")]) mkdirSync(path, { recursive: true });
  const source = (name: string, text: string) => writeFileSync(join(root, "edge", name), text);
  const kept = { folder, root, sources: ["edge/**/*.*"] };
  let builds = 0;
  const build = () => once(kept, "thing", async () => new Map([["n", new Uint8Array([++builds])]]));
  const told = async () => [(await build()).get("n"), (await build()).get("n")];
  const is = (n: number) => [new Uint8Array([n]), new Uint8Array([n])];
  source("a.ts", "one");
  expect(await told()).toEqual(is(1));
  source("a.ts", "two");
  expect(await told()).toEqual(is(2));
  source("deep/b.ts", "");
  expect(await told()).toEqual(is(3));
  rmSync(join(root, "edge/deep/b.ts"));
  source("deep/c.ts", "");
  expect(await told()).toEqual(is(4));
  rmSync(join(root, "edge/deep/c.ts"));
  expect(await told(), "those of before").toEqual(is(2));
  expect(readdirSync(folder)).toHaveLength(4);
});

it("keeps nothing of sources that were changed while it was built", async () => {
  const folder = mkdtempSync(join(root, "kept-"));
  const kept = { folder, root, sources: ["edge/*"] };
  const built = await once(kept, "thing", async () => {
    writeFileSync(join(root, "edge/a.ts"), "three");
    return "of either";
  });
  expect(built).toBe("of either");
  expect(readdirSync(folder)).toEqual([]);
});

it("gives systems under test the bytes that a start builds", async () => {
  const start = await vi.importActual<typeof import("#cli/parts/sources.ts")>("#cli/parts/sources.ts");
  for (let times = 0; times < 2; times++) {
    expect(await webParts()).toEqual(await start.webParts());
    expect(await edgeWorker()).toEqual(await start.edgeWorker());
    expect(await edgeUnits()).toEqual(await start.edgeUnits());
  }
});
