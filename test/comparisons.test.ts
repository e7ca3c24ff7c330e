/**
 * A comparison that refuses because of a time refuses what is no time too: it is written as the negation of what passes,
 * `if (!(now < end)) refuse`, since `if (now >= end) refuse` lets NaN, undefined and an Invalid Date pass.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const FOLDERS = ["protocol", "edge", "kmip-node", "web", "emulator", "cli"];
const TIME =
  "(?:[\\w.!?]*(?:[eE]xpires|[nN]ot_?[aA]fter|[nN]ot_?[bB]efore|validFromDate|validToDate|Date|iat|exp|until)(?:\\.getTime\\(\\))?)";
/** An `if` in whose condition a time stands on either side, with nothing negated. */
const COMPARED = new RegExp(`\\bif \\((?!.*!\\().*(?:\\b${TIME}\\b\\)? [<>]=? |[<>]=? \\(?${TIME}\\b)`);
const REFUSES = /\b(throw|refuse|turnAway|return (no\(|false|null|undefined|"Invalid"|fail\())/;

function refusals(text: string): string[] {
  const lines = text.split("\n");
  return lines.filter(
    (line, n) => COMPARED.test(line) && REFUSES.test(line.replace(/^.*?if \(/, "") + (lines[n + 1] ?? "")),
  );
}

it("finds the way that lets NaN pass, and not the other", () => {
  const faults = [
    "if (now >= record.notAfter) throw new Error();",
    "if (row.expires <= now) return refuse('x');",
    "if (a < b.notBefore || c.notAfter < a)\n  throw new Error();",
    "if (policy.expires !== undefined && now >= policy.expires) return no('x');",
    "if (times.iat > now + 60) throw new Error();",
  ];
  for (const fault of faults) expect(refusals(fault), fault).toHaveLength(1);
  for (const good of [
    "if (!(now < record.notAfter)) throw new Error();",
    "if (expires <= now) rows.delete(id);",
  ])
    expect(refusals(good), good).toEqual([]);
});

it("no comparison with a time fails open", () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ).filter((name) => name.endsWith(".ts") && !/\.(test|fixture|d)\.ts$/.test(name));
  expect(files.length).toBeGreaterThan(200);
  const found = files.flatMap((name) =>
    refusals(readFileSync(join(root, name), "utf8")).map((line) => `${name}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
