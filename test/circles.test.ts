import { expect, it } from "vitest";
import { importsOf } from "./support/imports.ts";
import { filesOfTree } from "./support/tree.ts";

/** What each file of the tree imports, types too: a file that needs to know a type cannot be read alone. */
function importsOfTree(): Map<string, string[]> {
  const files = filesOfTree("*.ts", "*.js").filter((file) => !file.endsWith(".d.ts"));
  return new Map(files.map((file) => [file, importsOf(file).flatMap(({ from }) => from ?? [])]));
}

/** Circles, each as the files that one passes from its first back to it. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const next of imports.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return circles;
}

it("finds a circle", () => {
  const imports = new Map([
    ["a", ["b"]],
    ["b", ["c", "d"]],
    ["c", []],
    ["d", ["b"]],
  ]);
  expect(circlesIn(imports)).toEqual([["b", "d", "b"]]);
});

it("no file imports what imports it", () => {
  const imports = importsOfTree();
  expect(imports.get("edge/kms/loading/rewrap-batch.ts")).toContain("edge/hsm/keys/index.ts");
  expect(circlesIn(imports)).toEqual([]);
});
