/**
 * Folders that older code has made: they start with the code of today, and every document opens. `coffer-COMMIT.tgz` is
 * such a folder, sealed by the users below at that commit; a folder is never made again or changed.
 */

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Command, freePorts, run, start } from "../cli/command.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

/** SHA-256 of each document, by the user who sealed it. */
const OLDEST = {
  alice: {
    "note.txt": "d47cd809b55acbb91f27f68180367d0fdf6997acb09692bd2341fc6c4407da8a",
    "empty.bin": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "photo.jpg": "c937c7e6e2486fa157e857f7787a026c84e2626061b31fb836af0c385304bbfc",
    "frame exactly.bin": "68776a8b547dcd45e2cce7739146ac004b1a0eb6ee3ad8234a15ea7c2fc364f2",
    "Bericht – März.json": "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
    "letter-1.txt": "4afbe041a9432c6592e7bc2049b0b06de1b1bc0b6094ad4c2395ab593f0b7e60",
    "letter-2.txt": "ee3a1f1a754af0dbbaa36ab303db5f02997caa68d917c715715e414a65c317f8",
    "letter-3.txt": "cc016d1c3e61fb08ca43db5444b0026af7ed5e22c0ee42713b63e4f01d6f4f18",
    "letter-4.txt": "74e6f68045d8168326a2fbf2ad964a41e8f713a96f44db020fbd3d51fe28c23f",
    "letter-5.txt": "1b7bf56bee72dd3cda7bf9fdfd0b1fab6249950d8b35dcbdddfb43d39f47764b",
    "letter-6.txt": "656bbd63cc4c2272f5e71611bf48648b33b2496ededa1b7397e341e2e04561ab",
    "letter-7.txt": "2fcb43545a794d7b79b204ce18470c22d47ff4370dd07e1faf552912b592b909",
    "letter-8.txt": "c2a566e8c5353e821f0abdf0b8f7e2eda74d9f86808e88d6b3f82bbac25e1820",
  },
  bob: {
    "note.txt": "d47cd809b55acbb91f27f68180367d0fdf6997acb09692bd2341fc6c4407da8a",
    "letter-1.txt": "4afbe041a9432c6592e7bc2049b0b06de1b1bc0b6094ad4c2395ab593f0b7e60",
  },
};
const FOLDERS = [
  ["17e11d6", OLDEST],
  ["783953a", ONE_OBJECT.sealed.development],
] as const;

describe.each(FOLDERS)("coffer-%s.tgz", (commit, sealedBefore) => {
  let dir: string;
  let server: Command;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "coffer-upgrade-"));
    unpackFolder(commit, join(dir, ".coffer"));
    server = start(["start", ...(await freePorts())], dir);
    await server.says("Coffer is running");
  });
  afterAll(async () => {
    server.process.kill("SIGINT");
    await server.ended;
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(Object.entries(sealedBefore))("every document of %s opens, byte for byte", async (user, sealed) => {
    const { code, stderr } = await run(["export", "--all", "--user", user, "--to", user], dir);
    expect(code, stderr).toBe(0);
    const files = readdirSync(join(dir, user)).map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(dir, user, name)))
        .digest("hex"),
    ]);
    expect(Object.fromEntries(files)).toEqual(sealed);
  });

  it("a document can be sealed into it, and opens", async () => {
    writeFileSync(join(dir, "later.txt"), "written later");
    const sealed = await run(["seal", "--user", "alice", "later.txt"], dir);
    expect(sealed.code, sealed.stderr).toBe(0);
    const id = sealed.stdout.split("\t")[0]!;
    const { stdout } = await run(["open", id, "--user", "alice", "--to", "-"], dir);
    expect(stdout).toBe("written later");
  });
});
