import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { problems } from "#protocol/contract/index.ts";
import { KIT_CODES } from "#protocol/error.ts";
import { filesOfTree, root } from "./support/tree.ts";

const text = (file: string) => readFileSync(`${root}${file}`, "utf8");
const CODES: string[] = [...Object.keys(problems), ...KIT_CODES];

it("docs/errors.md lists every code once, with the status and title of a problem", () => {
  const rows = [...text("docs/errors.md").matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)];
  expect(rows.map(([, code]) => code)).toEqual(CODES);
  for (const [code, { status, title }] of Object.entries(problems))
    expect(text("docs/errors.md")).toContain(`| \`${code}\` | ${status} | ${title} |\n`);
});

it("lists no code that nothing has", () => {
  const product = filesOfTree(
    ...["protocol", "edge", "web", "files", "emulator", "cli"].map((folder) => `${folder}/*.ts`),
  )
    .filter((file) => !/\.(test|fixture)\.ts$|\/(error|problems)\.ts$/.test(file))
    .map(text)
    .join("");
  expect(CODES.filter((code) => !product.includes(`"${code}"`))).toEqual([]);
});
