/** Versions of a data key by the command line, on a deployment at level master. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { writeDeployment } from "#cli/deployment.ts";
import { readRows, useSystem } from "../system/index.ts";
import { run } from "./command.ts";

const system = useSystem({ level: "master" });
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
