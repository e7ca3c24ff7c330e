import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { breaches, EXCEPTIONS, names, productFiles, ROOMS, roomOf, wordsOf } from "./rooms.ts";
import { importsIn, importsOf } from "./support/imports.ts";
import { root } from "./support/tree.ts";

const rooms = Object.keys(ROOMS);
const product = productFiles().map((file) => ({ file, room: roomOf(file), imports: importsOf(file) }));

it("is kept by every file", () => {
  expect(product.length).toBeGreaterThan(400);
  expect(product.flatMap(({ file, imports }) => breaches(file, imports))).toEqual([]);
});

it("has a file for every row, a use for every word and exception, and `types of` where types are enough", () => {
  const unused = rooms.flatMap((room) => {
    const own = product.filter((one) => one.room === room);
    const used = own.flatMap(({ imports }) => imports);
    const idle = wordsOf(room).filter(
      ({ name, types }) => !used.some((use) => names(name, use.from ?? "") && (types || !use.types)),
    );
    return own.length === 0
      ? [`${room} has no file`]
      : idle.map(({ name }) => `${room} has more than it needs of ${name}`);
  });
  const computed = product.filter(({ imports }) => imports.some(({ from }) => from === null));
  expect(unused).toEqual([]);
  expect(computed.map(({ file }) => file)).toEqual(Object.keys(EXCEPTIONS));
});

describe("is said by the room's index.ts:", () => {
  const indexOf = (room: string) =>
    room === "edge/index.ts" ? room : `${room.replace("/*.ts", "")}/index.ts`;
  const spoken = rooms.filter((room) => room !== "edge/*.ts" && existsSync(`${root}${indexOf(room)}`));

  it.each(spoken)("%s", (room) => {
    const [comment = ""] = readFileSync(`${root}${indexOf(room)}`, "utf8").split("*/\n");
    expect(comment.replace(/\s+\* /g, " ")).toContain(`May import: ${ROOMS[room]}. `);
  });
});

type Form = (from: string) => string;
const VALUES: Form[] = [
  (from) => `import { planted } from "${from}";`,
  (from) => `import { type Planted } from "${from}";`,
  (from) => `import planted, * as all from '${from}';`,
  (from) => `import "${from}";`,
  (from) => `export { planted } from "${from}";`,
  (from) => `export * from "${from}";`,
  (from) => `await import("${from}");`,
  (from) => `await import(\`${from}\`);`,
  (from) => `require("${from}");`,
  (from) => `createRequire(import.meta.url)("${from}");`,
  (from) => `import planted = require("${from}");`,
];
const TYPES: Form[] = [
  (from) => `import type { Planted } from "${from}";`,
  (from) => `export type { Planted } from "${from}";`,
  (from) => `export type * from "${from}";`,
  (from) => `type Planted = import("${from}").Planted;`,
  (from) => `type Planted = typeof import("${from}");`,
];

/** Of lines that import a file in each spelling and form, how many break the row of the file that they are planted in. */
function plant(file: string, from: string, forms: readonly Form[]): { lines: number; red: number } {
  const lines = spellings(file, from).flatMap((spelling) => forms.map((form) => form(spelling)));
  return { lines: lines.length, red: breaches(file, importsIn(file, lines.join("\n"))).length };
}

/** How a file can write the name of another. */
function spellings(file: string, from: string): string[] {
  if (!from.includes("/") || /^(node:|@)/.test(from)) return [from];
  const relative = posix.relative(posix.dirname(file), from);
  return [relative.startsWith(".") ? relative : `./${relative}`, `#${from}`, `#test/../${from}`];
}

const TEST = "edge/kms/planted.test.ts";
describe("turns red for a planted import:", () => {
  /** A file that could be in a room. */
  const planted = (room: string) => {
    if (room.endsWith("/*.ts")) return room.replace("*", "planted");
    return room.endsWith(".ts") ? room : `${room}/planted.ts`;
  };
  const packages = new Set(rooms.flatMap((room) => wordsOf(room).map(({ name }) => name)));
  for (const name of packages) if (name.endsWith(".ts") || roomOf(`${name}/x`)) packages.delete(name);
  packages.delete("node:");
  const targets = [...rooms.map(planted), ...packages, "node:fs", "unheard-of", TEST];
  targets.push("test/support/tree.ts", "bench/run.ts", "node_modules/hono/index.js", "../outside/planted.ts");

  it.each(rooms)("%s", (room) => {
    const file = planted(room);
    for (const from of targets.filter((target) => target === TEST || roomOf(target) !== room)) {
      const words = from === TEST ? [] : wordsOf(room).filter(({ name }) => names(name, from));
      const [values, types] = [plant(file, from, VALUES), plant(file, from, TYPES)];
      const says = `${file}: ${from}`;
      expect(values.red, says).toBe(words.some((word) => !word.types) ? 0 : values.lines);
      expect(types.red, says).toBe(words.length > 0 ? 0 : types.lines);
    }
  });
});

/** What no row may come to allow. */
const NEVER: [room: string, from: string][] = [
  ["protocol", "node:fs"],
  ["protocol/keys", "edge/result.ts"],
  ["protocol/policy", "protocol/keys/edk.ts"],
  ["protocol/kmip", "protocol/contract/keys.ts"],
  ["protocol/port", "protocol/kmip/index.ts"],
  ["edge/kms", "emulator/hsm/index.ts"],
  ["edge/kms", "edge/datastore/object.ts"],
  ["edge/datastore", "edge/kms/object.ts"],
  ["edge/datastore", "edge/hsm/index.ts"],
  ["edge/gateway", "edge/kms/object.ts"],
  ["edge/gateway", "protocol/kmip/index.ts"],
  ["edge/iam", "edge/gateway/app.ts"],
  ["edge/hsm", "edge/kms/index.ts"],
  ["web/microservice", "web/page/part.ts"],
  ["web/microservice", "web/client/index.ts"],
  ["web/microservice", "protocol/evidence/index.ts"],
  ["web/microservice", "@peculiar/x509"],
  ["web/client", "web/microservice/index.ts"],
  ["web/client", "node:fs"],
  ["web/page", "web/microservice/index.ts"],
  ["web/page", "web/browser/store.ts"],
  ["web/page", "idb"],
  ["emulator/hsm/store", "emulator/hsm/operations/get.ts"],
  ["emulator/hsm/server", "emulator/enclave/index.ts"],
  ["emulator/enclave", "emulator/hsm/index.ts"],
  ["emulator/hsm", "edge/index.ts"],
  ["kmip-node", "emulator/hsm/index.ts"],
  ["cli", "test/support/tree.ts"],
];

it.each(NEVER)("is never read from %s: %s", (room, from) => {
  const { lines, red } = plant(`${room}/planted.ts`, from, VALUES);
  expect(red).toBe(lines);
});

it("takes no computed import", () => {
  const file = "edge/kms/planted.ts";
  for (const line of ["await import(name);", 'await import("../" + name);', "require(name);"])
    expect(breaches(file, importsIn(file, line)), line).toHaveLength(1);
});

it("lets only types of another domain into a domain", () => {
  const file = "edge/gateway/planted.ts";
  expect(plant(file, "edge/iam/types.ts", VALUES)).toEqual({ lines: 33, red: 33 });
  expect(plant(file, "edge/iam/types.ts", TYPES)).toEqual({ lines: 15, red: 0 });
});
