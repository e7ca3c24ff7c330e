import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readRootKey, rootKeyPem } from "./root-key.ts";

const dir = mkdtempSync(join(tmpdir(), "coffer-root-key-"));
afterAll(() => rmSync(dir, { recursive: true }));
const spki = (curve: string) =>
  new Uint8Array(
    generateKeyPairSync("ec", { namedCurve: curve }).publicKey.export({ format: "der", type: "spki" }),
  );
const file = (content: string) => {
  const path = join(dir, "root.pem");
  writeFileSync(path, content);
  return path;
};

it("reads the root key that it wrote", async () => {
  const key = spki("P-256");
  expect(await readRootKey(file(rootKeyPem(key)))).toEqual(key);
});

it("takes nothing else for a root key, and says what to do", async () => {
  const wrong = ["", "no key", rootKeyPem(spki("P-384")), rootKeyPem(spki("P-256")).slice(0, 80)];
  for (const content of wrong)
    await expect(readRootKey(file(content))).rejects.toThrow("node cli/coffer.js init");
  await expect(readRootKey(join(dir, "absent.pem"))).rejects.toThrow("cannot be read");
});
