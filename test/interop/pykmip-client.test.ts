import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { issueClient } from "#emulator/hsm/index.ts";
import { type TestHsm, testHsm } from "#emulator/hsm/testing/deployment.ts";
import { findPython, missing } from "../support/missing.ts";
import { pykmipClientConfig } from "./pykmip/config.ts";

const SCRIPT = fileURLToPath(new URL("./pykmip/client.py", import.meta.url));

/** The checks of client.py; those that begin with a version are not made in older ones. */
const CHECKS: Record<string, number> = {
  discover_versions: 1.1,
  query: 1.0,
  create: 1.0,
  create_with_unknown_algorithm: 1.0,
  create_key_pair: 1.0,
  rekey: 1.0,
  rekey_key_pair: 1.1,
  register_and_get: 1.0,
  register_a_wrapped_key: 1.0,
  register_a_split_key: 1.0,
  derive_key: 1.0,
  attribute_list_and_values: 1.0,
  modify_attribute: 1.0,
  delete_attribute: 1.0,
  set_attribute: 2.0,
  locate: 1.0,
  locate_by_policy_name: 1.0,
  default_names: 1.0,
  every_attribute: 1.0,
  life_cycle: 1.0,
  check_usage: 1.0,
  other_objects: 1.0,
  get_wrapped: 1.0,
  encrypt_and_decrypt: 1.2,
  encrypt_triple_des: 1.2,
  encrypt_with_an_iv_of_the_server: 1.2,
  encrypt_gcm: 1.4,
  encrypt_rsa: 1.2,
  encrypt_rsa_pkcs1: 1.2,
  sign_and_verify: 1.2,
  mac: 1.2,
  usage_masks: 1.2,
};

const python = findPython("import kmip");

describe.skipIf(missing("python3-pykmip", python))("PyKMIP's client with our server", () => {
  let test: TestHsm;
  let config: string;
  beforeAll(async () => {
    test = await testHsm({ pykmip: ["pykmip"] });
    await issueClient(test.pki.dir, "pykmip");
    config = join(test.dir, "pykmip.conf");
    const pem = (name: string) => join(test.pki.dir, name);
    writeFileSync(
      config,
      pykmipClientConfig({
        port: test.hsm.ttlvPort,
        ca: pem("server-ca.pem"),
        cert: pem("client-pykmip.pem"),
        key: pem("client-pykmip.key"),
      }),
    );
  });
  afterAll(() => test?.close());

  describe.each(["1.0", "1.1", "1.2", "1.3", "1.4", "2.0"])("KMIP %s", (version) => {
    let results: Map<string, string | null>;
    beforeAll(async () => {
      const { stdout } = await promisify(execFile)(python!, [SCRIPT, config, version]);
      const lines = stdout.trim().split("\n");
      results = new Map(
        lines.map((line) => {
          const { check, error } = JSON.parse(line) as { check: string; error: string | null };
          return [check, error];
        }),
      );
    });
    const checks = Object.keys(CHECKS).filter((name) => CHECKS[name]! <= Number(version));
    it.each(checks)("%s", (name) => {
      expect(results.get(name), name).toBe(null);
    });
    it("asks nothing else", () => {
      expect([...results.keys()].sort()).toEqual(checks.sort());
    });
  });
});
