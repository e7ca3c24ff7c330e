/** An export of the audit log and its verification, as processes of their own. */

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePorts, run, start } from "./command.ts";

let folder: string;
const coffer = (...args: string[]) => run(args, folder);
const file = (name: string) => join(folder, name);
const lines = (name: string) => readFileSync(file(name), "utf8").trimEnd().split("\n");

/** Starts the server, seals a file, and stops the server again. */
async function seal(): Promise<void> {
  const server = start(["start", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
  expect(await coffer("seal", "--user", "ada", "contract.txt")).toMatchObject({ code: 0 });
  server.process.kill("SIGINT");
  await server.ended;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-audit-"));
  writeFileSync(file("contract.txt"), "The parties agree.\n");
  await seal();
  const exported = await coffer("audit", "export", "--to", "first.ndjson");
  expect(exported, exported.stderr).toMatchObject({ code: 0, stdout: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("coffer audit", () => {
  it("exports what verifies, and names what it verified", async () => {
    const verified = await coffer("audit", "verify", "first.ndjson");
    expect(verified.stderr).toBe("");
    expect(verified.stdout).toMatch(
      /^Verified: \d+ decisions of development in \d+ chains, logged in \d+ checkpoints under \d+ signed roots, the last of \d{4}-.*Z\.\n(Not verified: \d+ decisions under no root yet, the newest of \d{4}-.*Z\.\n)?A file that was cut back .*--since.*\n$/,
    );
    expect(verified.code).toBe(0);
  });

  it("shows by the root key alone that an export was changed", async () => {
    const all = lines("first.ndjson");
    const link = all.findIndex((line) => line.includes('"previous"'));
    const chain = all.findLastIndex((line) => line.includes('"kind":"chain"'));
    for (const [code, changed] of [
      ["audit-chain", all.with(link, all[link]!.replace("allow", "error"))],
      ["audit-source", [...all.slice(0, chain), `{"kind":"end","lines":${chain}}`]],
      ["audit-truncated", all.slice(0, -1)],
    ] as const) {
      writeFileSync(file("changed.ndjson"), `${changed.join("\n")}\n`);
      const verified = await coffer("audit", "verify", "changed.ndjson");
      expect(verified).toMatchObject({ code: 1, stdout: "" });
      expect(verified.stderr).toMatch(new RegExp(`^changed\\.ndjson: .*\\. \\[${code}\\]\\n$`));
    }
  });

  it("takes another deployment's root key for what it is", async () => {
    const pem = crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const spki = await crypto.subtle.exportKey("spki", (await pem).publicKey);
    const text = Buffer.from(spki).toString("base64");
    writeFileSync(file("other.pem"), `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`);
    const verified = await coffer("audit", "verify", "first.ndjson", "--root-key", "other.pem");
    expect(verified).toMatchObject({ code: 1, stdout: "" });
    expect(verified.stderr).toContain("The trust list is not signed by the root key. [audit-signature]");
  });

  it("goes on from an earlier export, which has to be good itself", async () => {
    await seal();
    expect(await coffer("audit", "export", "--to", "second.ndjson")).toMatchObject({ code: 0 });
    const later = await coffer("audit", "verify", "second.ndjson", "--since", "first.ndjson");
    expect(later, later.stderr).toMatchObject({ code: 0 });
    expect(later.stdout).toContain("Nothing of first.ndjson is missing.\n");
    expect(later.stdout).not.toContain("cut back");
    const damaged = await coffer("audit", "verify", "second.ndjson", "--since", "changed.ndjson");
    expect(damaged).toMatchObject({ code: 1, stdout: "" });
    expect(damaged.stderr).toMatch(/^changed\.ndjson: .*\[audit-truncated\]\n$/);
  });

  it("says what it cannot do, in a sentence", async () => {
    copyFileSync(file("first.ndjson"), file("there.ndjson"));
    for (const [args, code, sentence] of [
      [["audit"], 2, "say list, export, or verify and a file"],
      [["audit", "verify"], 2, "name one file"],
      [["audit", "verify", "nowhere.ndjson"], 1, "nowhere.ndjson: there is no such file."],
      [["audit", "verify", "first.ndjson", "--dir", "elsewhere"], 1, "Nothing runs from"],
      [["audit", "export", "--dir", "elsewhere"], 1, "Nothing has run from elsewhere"],
      [["audit", "export", "--tenant", "A B"], 2, "--tenant takes a tenant's name"],
      [["audit", "export", "--to", "there.ndjson"], 1, "is there already"],
    ] as const) {
      const outcome = await coffer(...args);
      expect(outcome.stderr).toContain(sentence);
      expect(outcome).toMatchObject({ code, stdout: "" });
    }
    expect(existsSync(file("elsewhere"))).toBe(false);
  });
});
