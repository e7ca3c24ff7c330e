/** Versions of a data key by the command line, on a deployment at level master. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { writeDeployment } from "#cli/deployment.ts";
import { makeRegisteredKey } from "#cli/registered-key.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json as jsonOf } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";
import { run } from "./command.ts";

const system = useSystem({ level: "master", admins: ["Root"] });
const coffer = (...args: string[]) => run([...args, "--dir", system.dir, "--user", "ada"], system.dir);
const json = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await coffer(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  await writeDeployment(system.dir, { app, vault, rootKey: running.rootKey });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

type Version = { keyId: string; keyVersion: number; ends?: number };
const nameOf = ({ keyId, keyVersion }: Version) => `${keyId}.${keyVersion}`;

it("W10 coffer key rotates, and deletes what no document needs once all were sealed again", async () => {
  writeFileSync(join(system.dir, "one.txt"), "one");
  expect(await coffer("seal", join(system.dir, "one.txt"))).toMatchObject({ code: 0 });
  const second = await json<Version>("key", "rotate");
  const [newest, oldest] = await json<[Version, Version]>("key", "list");
  expect([newest.keyVersion, oldest.keyVersion]).toEqual([2, 1]);
  expect(second).toMatchObject({ keyVersion: 2 });
  const refused = await coffer("key", "delete", nameOf(newest));
  expect(`${refused.code} ${refused.stderr}`).toMatch(/^1 .*\[conflict\]/);

  const { ends } = await json<{ ends: number }>("key", "delete", nameOf(oldest), "--days", "7");
  expect((await json<Version[]>("key", "list"))[1]).toMatchObject({ ends });
  const [sealed] = await json<{ id: string }[]>("list");
  const closed = await coffer("open", sealed!.id, "--to", join(system.dir, "closed.txt"));
  expect(closed.code).toBe(1);
  expect(await coffer("key", "cancel", nameOf(oldest))).toMatchObject({ code: 0 });
  expect(await coffer("open", sealed!.id, "--to", join(system.dir, "open.txt"))).toMatchObject({ code: 0 });

  expect(await json("re-encrypt", "--all")).toMatchObject({ all: 1, done: 1, failed: 0 });
  // While an instance may seal under it still it is kept.
  await expect
    .poll(async () => (await coffer("key", "delete", nameOf(oldest), "--immediately")).code, {
      timeout: 120_000,
      interval: 3_000,
    })
    .toBe(0);
  expect((await json<Version[]>("key", "list")).map(({ keyVersion }) => keyVersion)).toEqual([2]);
  const [again] = await json<{ id: string }[]>("list");
  expect(again!.id).not.toBe(sealed!.id);
  expect(await coffer("open", again!.id, "--to", join(system.dir, "again.txt"))).toMatchObject({ code: 0 });
}, 300_000);

it("W10 coffer key has the instance make the version where that is said", async () => {
  const vouched = () =>
    readRows(system.edgeDir, "account_data_keys")
      .filter(({ made }) => made !== null)
      .map(({ id, version }) => `${String(id)}.${String(version)}`);
  expect(vouched()).toEqual([]);
  const made = await json<Version>("key", "rotate", "--by", "instance");
  expect(vouched()).toEqual([nameOf(made)]);
  expect((await json<Version[]>("key", "list"))[0]).toMatchObject(made);
  writeFileSync(join(system.dir, "two.txt"), "two");
  expect(await coffer("seal", join(system.dir, "two.txt"))).toMatchObject({ code: 0 });
  const [sealed] = await json<{ id: string }[]>("list");
  expect(await coffer("open", sealed!.id, "--to", join(system.dir, "back.txt"))).toMatchObject({ code: 0 });
}, 300_000);

it("W12 coffer instance rotate-key gives an application server another app-specific key, in its file", async () => {
  const path = join(system.dir, "app-specific-key.pem");
  const passphrase = "a secret of the server, at random";
  const jwk = await makeRegisteredKey(join(system.dir, "server.pem"));
  const admin = await EdgeClient.signedIn(system, "Root");
  const { id } = jsonOf<{ id: string }>(await admin.rest("PUT", "/admin/clients/server", { jwk }));
  const of = ["--client", id, "--key", join(system.dir, "server.pem")];
  const rotate = (...more: string[]) =>
    run(["instance", "rotate-key", path, ...more, "--dir", system.dir], system.dir);
  const unsaid = await rotate(...of);
  expect(`${unsaid.code} ${unsaid.stderr}`).toMatch(/^2 .*COFFER_APP_KEY_PASSPHRASE/s);
  vi.stubEnv("COFFER_APP_KEY_PASSPHRASE", passphrase);
  const missing = await rotate(...of);
  expect(`${missing.code} ${missing.stderr}`).toMatch(/^1 .*There is no app-specific key/s);
  expect(existsSync(path)).toBe(false);
  const { wrappingSpki } = await openAppKey(appKeyFile(path), passphrase);
  const before = readFileSync(path, "utf8");
  expect((await rotate("--client", id)).code).toBe(2);
  expect((await coffer("instance", "list", "--symmetric", path)).code).toBe(2);
  expect(readFileSync(path, "utf8")).toBe(before);
  const done = await rotate(...of);
  expect(done.code, done.stderr).toBe(0);
  const after = await openAppKey(appKeyFile(path), passphrase);
  expect(after.wrappingSpki).not.toEqual(wrappingSpki);
  expect(existsSync(`${path}.next`)).toBe(false);
  // By the user whom a development deployment signs in, too.
  const again = await rotate("--user", "ada");
  expect(again.code, again.stderr).toBe(0);
  expect((await openAppKey(appKeyFile(path), passphrase)).wrappingSpki).not.toEqual(after.wrappingSpki);
}, 300_000);
