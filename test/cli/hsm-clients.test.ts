/** `coffer hsm` with clients of another authority, and with those that it refuses. */

import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testAuthority } from "#emulator/hsm/testing/client-authority.ts";
import { connectKmip } from "#kmip-node/index.ts";
import { xtsTweaks } from "../kmip/wycheproof/made-vectors.ts";
import { type Command, freePorts, run, start } from "./command.ts";
import { runScript } from "./script.ts";

let folder: string;
let server: Command;
let port: number;
let pki: (name: string) => string;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-cli-hsm-clients-"));
  const [first, second] = [await testAuthority("CN=First"), await testAuthority("CN=Second")];
  writeFileSync(file("authorities.pem"), `${first.cert}\n${second.cert}\n`);
  const { cert, key } = await second.issue("alice");
  writeFileSync(file("alice.pem"), cert);
  const passphrase = "open it";
  const encrypted = createPrivateKey(key).export({
    format: "pem",
    type: "pkcs8",
    cipher: "aes-256-cbc",
    passphrase,
  });
  writeFileSync(file("alice.key"), encrypted);
  writeFileSync(file("passphrase"), `${passphrase}\n`);
  const ports = await freePorts("hsm");
  port = Number(ports[1]);
  server = start(["hsm", "--verbose", "--client-ca", "authorities.pem", ...ports], folder);
  await server.says("The HSM emulator is running");
  pki = (name) => file(join(".coffer/kmip/pki", name));
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer hsm --client-ca --verbose", () => {
  it("serves a client of any authority in the file", async () => {
    const passphrase = readFileSync(file("passphrase"), "utf8").trim();
    const client = await connectKmip({
      servers: [{ host: "127.0.0.1", port }],
      ca: readFileSync(pki("server-ca.pem"), "utf8"),
      cert: readFileSync(file("alice.pem"), "utf8"),
      key: readFileSync(file("alice.key"), "utf8"),
      passphrase,
    });
    await expect(client.request("Ping", {})).resolves.toBeDefined();
    client.close();
  });

  it("prints a line for a connection that it refuses, with the reason", async () => {
    const socket = connect({ host: "127.0.0.1", port, ca: readFileSync(pki("server-ca.pem")) });
    socket.on("error", () => {}).resume();
    await server.says("code=no-certificate");
    await server.says("The client showed no certificate: give it one, and its private key.");
    socket.destroy();
  });

  it("does not start with a file that has no authority", async () => {
    const authorities = readFileSync(file("authorities.pem"), "utf8");
    writeFileSync(file("empty.pem"), "");
    writeFileSync(file("second-is-none.pem"), authorities + readFileSync(file("alice.pem"), "utf8"));
    for (const [name, sentence] of [
      ["nowhere.pem", "the file cannot be read"],
      ["empty.pem", "there is no certificate in it"],
      ["alice.key", "there is no certificate in it"],
      ["second-is-none.pem", "certificate 3 is not an authority's"],
    ] as const) {
      const { code, stdout, stderr } = await run(["hsm", "--dir", "none", "--client-ca", name], folder);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(`--client-ca ${name}: ${sentence}. It takes authorities' certificates in PEM.\n`);
    }
  });
});

describe("npm run kmip:wycheproof, with an encrypted client key", () => {
  const wycheproof = (vectors: unknown, ...args: string[]) => {
    writeFileSync(file("xts_test.json"), JSON.stringify(vectors));
    const client = ["--cert", file("alice.pem"), "--key", file("alice.key"), "--ca", pki("server-ca.pem")];
    return runScript(
      "test/kmip/wycheproof/run.ts",
      [file("xts_test.json"), "--port", String(port), ...client, ...args],
      folder,
    );
  };
  const passphrase = () => ["--passphrase-file", file("passphrase")];

  it("ends with 0 where vectors passed or are not offered", async () => {
    const { code, stdout } = await wycheproof(xtsTweaks(), ...passphrase());
    expect(stdout).toContain("32 passed, 0 failed, 2 skipped (not offered)");
    expect(code).toBe(0);
    const all = xtsTweaks();
    const testGroups = all.testGroups.slice(2);
    const none = await wycheproof({ ...all, testGroups, numberOfTests: 2 }, ...passphrase());
    expect(none.stdout).toContain("0 passed, 0 failed, 2 skipped (not offered)");
    expect(none.code).toBe(0);
  });

  it("ends with 1 where one failed", async () => {
    const vectors = xtsTweaks();
    vectors.testGroups[0]!.tests[0]!.result = "invalid";
    const { code, stdout } = await wycheproof(vectors, ...passphrase());
    expect(stdout).toContain("31 passed, 1 failed, 2 skipped (not offered)");
    expect(code).toBe(1);
  });

  it("says in a sentence that the passphrase is missing", async () => {
    const { code, stderr } = await wycheproof(xtsTweaks());
    expect(stderr).toContain("--key: the key is encrypted. Give its passphrase");
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).not.toBe(0);
  });
});
