import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { issueClient } from "#emulator/hsm/index.ts";
import { testHsm } from "#emulator/hsm/testing/deployment.ts";
import { findPython, missing } from "../support/missing.ts";

const SCRIPT = fileURLToPath(new URL("./libmongocrypt/client.py", import.meta.url));
const load = "import ctypes; ctypes.CDLL('libkms_message.so.0')";
const python = findPython(load);

describe.skipIf(missing("libmongocrypt0", python))("libmongocrypt's KMIP codec with our server", () => {
  it("registers, activates and gets a master key in KMIP 1.0", async () => {
    const test = await testHsm();
    try {
      const pair = await issueClient(test.pki.dir, "mongodb");
      const pem = (name: string) => join(test.pki.dir, name);
      const { stdout } = await promisify(execFile)(python!, [
        SCRIPT,
        String(test.hsm.ttlvPort),
        pem("server-ca.pem"),
        pem("client-mongodb.pem"),
        pem("client-mongodb.key"),
      ]);
      const { attributes } = await test
        .as(pair)
        .request("GetAttributes", { uniqueIdentifier: stdout.trim(), attributeReference: [] });
      expect(attributes).toMatchObject({ objectType: "SecretData", state: "Active" });
    } finally {
      await test.close();
    }
  });
});
