/** Who a command acts as by a registered key: where that is from, and what never gets out of it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { registeredClientOf } from "./ci-client.ts";
import { newRegisteredKey } from "./registered-key.ts";

const dir = mkdtempSync(join(tmpdir(), "coffer-ci-client-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const ID = "abcdefghijklmnopqrstuvwxyz234567";

it("a key comes from the variable that is named, and no program that is started later has it", async () => {
  const { pem, jwk } = newRegisteredKey();
  const environment = { CI_KEY: pem, PATH: "/bin" };
  const of = await registeredClientOf({ client: ID, "client-key-env": "CI_KEY" }, environment);
  expect(of?.id).toBe(ID);
  expect(of?.key.jwk).toEqual(jwk);
  expect(of?.key.privateKey.extractable).toBe(false);
  expect(environment).toEqual({ PATH: "/bin" });
});

it("a key comes from a file, and is opened by the passphrase of the environment", async () => {
  const { pem, jwk } = newRegisteredKey("a passphrase");
  const path = join(dir, "key.pem");
  writeFileSync(path, pem, { mode: 0o600 });
  const values = { client: ID, "client-key": path };
  const environment = { COFFER_KEY_PASSPHRASE: "a passphrase" };
  expect((await registeredClientOf(values, environment))?.key.jwk).toEqual(jwk);
  expect(environment).toEqual({});
  await expect(registeredClientOf(values, {})).rejects.toThrow("another passphrase opens it");
});

it("nobody is named where nothing is", async () => {
  expect(await registeredClientOf({}, {})).toBeUndefined();
});

const { pem } = newRegisteredKey();
it.each([
  [{ client: ID }, {}, 2],
  [{ "client-key": "x" }, {}, 2],
  [{ client: ID, "client-key": "x", "client-key-env": "Y" }, {}, 2],
  [{ client: "ada", "client-key": "x" }, {}, 2],
  [{ client: ID, "client-key-env": "CI_KEY" }, {}, 1],
  [{ client: ID, "client-key-env": "CI_KEY" }, { CI_KEY: "" }, 1],
  [{ client: ID, "client-key-env": "CI_KEY" }, { CI_KEY: `${pem.slice(0, -60)}` }, 1],
  // Who gives the key itself in the place of a name.
  [{ client: ID, "client-key-env": pem }, {}, 2],
])(
  "misuse %# is refused in a sentence that has nothing of the key",
  async (values, environment, exitCode) => {
    const error = await registeredClientOf(values, environment as NodeJS.ProcessEnv).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ exitCode });
    const body = pem.split("\n")[1]!.slice(0, 40);
    expect(`${error?.message} ${error?.stack} ${String(error?.cause)}`).not.toContain(body);
  },
);
