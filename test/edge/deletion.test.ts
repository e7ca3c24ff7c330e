/** Accounts and data keys that are deleted some days ahead, on the real edge with the real HSM. A day is a second here. */

import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { encryptedDataKeyName, IDENTITY, named } from "#protocol/hierarchy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({
  otherTenants: ["ladder"],
  levels: { ladder: "master" },
  vars: { COFFER_DAY_SECONDS: "1" },
});
let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
});

type Owner = { client: EdgeClient; account: string; edk: string; load: () => ReturnType<EdgeClient["rest"]> };

/** Somebody with a document, and an instance for which its key is loaded. */
async function owner(name: string): Promise<Owner & { id: string }> {
  const client = await EdgeClient.signedIn(system, name);
  const { account } = client;
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(client, keys));
  const order = { account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order));
  const { id } = json<{ id: string }>(await client.rest("POST", client.documents, {}));
  const at = `${client.documents}/${id}`;
  const { etag } = json<{ etag: string }>(await client.rest("PUT", `${at}/parts/1`, new Uint8Array(1000)));
  expect((await client.rest("PUT", `${at}/metadata`, new Uint8Array(300))).status).toBe(204);
  const completion = { parts: [{ part: 1, etag }], size: 1000 };
  expect((await client.rest("POST", `${at}/complete`, completion)).status).toBe(200);
  const load = () => client.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate });
  expect((await load()).status).toBe(200);
  return { client, account, id, edk: edks[0], load };
}

const schedule = ({ client, account }: Owner, how: object, by = client) =>
  by.rest("POST", `/accounts/${account}/deletion`, how);
const cancel = ({ client, account }: Owner, by = client) =>
  by.rest("DELETE", `/accounts/${account}/deletion`);
const state = async ({ client, account }: Owner) =>
  json<{ ends?: number }>(await client.rest("GET", `/accounts/${account}`));

describe("an account that is scheduled for deletion", () => {
  it("W11 is closed until then, and opens again when that is cancelled", async () => {
    const ann = await owner("Ann");
    const { ends } = json<{ ends: number }>(await schedule(ann, { days: 30 }));
    expect(await state(ann)).toMatchObject({ id: ann.account, ends });
    // Asked for again, it stays as it was.
    expect(json(await schedule(ann, { days: 7 }))).toEqual({ ends });
    const order = { account: ann.account, count: 1, purpose: "document" };
    const closed = [
      ann.load(),
      ann.client.rest("POST", "/kms/data-keys", order),
      ann.client.rest("GET", ann.client.documents),
      ann.client.rest("GET", `${ann.client.documents}/${ann.id}/content`),
      ann.client.rest("POST", ann.client.documents, {}),
      ann.client.rest("POST", "/kms/exports", { account: ann.account, documents: [ann.id] }),
      ann.client.rest("POST", `/accounts/${ann.account}/key`),
    ].map(async (asked) => {
      const answer = await asked;
      expect(answer.status).toBe(403);
      return problem(answer);
    });
    expect(new Set(await Promise.all(closed))).toEqual(new Set(["403 pending-deletion"]));
    expect((await cancel(ann)).status).toBe(204);
    expect((await cancel(ann)).status).toBe(204);
    expect(await state(ann)).not.toHaveProperty("ends");
    expect((await ann.load()).status).toBe(200);
    expect((await ann.client.rest("GET", `${ann.client.documents}/${ann.id}/content`)).status).toBe(200);
  });

  it("W11 is scheduled and kept by members alone, for seven to thirty days, or at once where that is said", async () => {
    const [bob, eve] = [await owner("Bob"), await EdgeClient.signedIn(system, "Eve")];
    expect(problem(await schedule(bob, { days: 7 }, eve))).toBe("403 forbidden");
    for (const how of [
      { days: 6 },
      { days: 31 },
      { days: 7.5 },
      { days: 7, immediately: true },
      { now: true },
    ])
      expect(problem(await schedule(bob, how)), JSON.stringify(how)).toBe("400 bad-request");
    expect((await bob.load()).status).toBe(200);
    json(await schedule(bob, { days: 30 }));
    expect(problem(await cancel(bob, eve))).toBe("403 forbidden");
    expect(problem(await eve.rest("GET", `/accounts/${bob.account}`))).toBe("403 forbidden");
    expect(problem(await bob.load())).toBe("403 pending-deletion");
    json(await schedule(bob, { immediately: true }));
    expect(problem(await bob.load())).toBe("403 forbidden");
    expect(problem(await cancel(bob))).toBe("403 forbidden");
  });

  it("W11 is deleted when it is time, though everything was killed before; others go on", async () => {
    const [cid, dan] = [await owner("Cid"), await owner("Dan")];
    const { ends } = json<{ ends: number }>(await schedule(cid, { days: 7 }));
    process.kill(system.pid, "SIGKILL");
    await system.restart();
    // Nobody asks for it any more.
    const keysOf = () =>
      readRows(system.edgeDir, "documents").filter(({ account }) => account === cid.account);
    await expect.poll(keysOf, { timeout: 60_000 }).toEqual([]);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(ends);
    expect(problem(await cid.load())).toBe("403 forbidden");
    expect(problem(await cancel(cid))).toBe("403 forbidden");
    expect(problem(await schedule(cid, { days: 7 }))).toBe("403 forbidden");
    expect((await dan.load()).status).toBe(200);
  });

  it("W11 stays closed with each other store as it was before; the IAM's backup alone would open it", async () => {
    const [fay, guy] = [await owner("Fay"), await owner("Guy")];
    const backup = mkdtempSync(join(tmpdir(), "coffer-backup-"));
    const domains = [
      "hsm",
      ...readdirSync(join(system.edgeDir, "do")).map((name) => `edge/do/${name}`),
      "edge/r2",
    ];
    try {
      await system.restart(() => cpSync(system.dir, backup, { recursive: true }));
      json(await schedule(fay, { immediately: true }));
      expect(problem(await fay.load())).toBe("403 forbidden");
      const iam = domains.filter((domain) => domain.includes("/coffer-Iam"));
      const restored = async (some: string[]) => {
        await system.restart(() => {
          for (const domain of some.filter((name) => existsSync(join(backup, name)))) {
            rmSync(join(system.dir, domain), { recursive: true });
            cpSync(join(backup, domain), join(system.dir, domain), { recursive: true });
          }
        });
      };
      await restored(domains.filter((domain) => !iam.includes(domain)));
      expect(problem(await fay.load())).toBe("403 forbidden");
      expect(problem(await fay.client.rest("GET", `${fay.client.documents}/${fay.id}/content`))).toBe(
        "403 forbidden",
      );
      expect((await guy.load()).status).toBe(200);
      await restored(domains);
      expect((await fay.load()).status).toBe(200);
    } finally {
      rmSync(backup, { recursive: true, force: true });
    }
  });
});

describe("a version of a data key that is scheduled for deletion", () => {
  it("W10 is given to nobody until then, opens again when that is cancelled, and is gone when it is time", async () => {
    const ina = await EdgeClient.signedIn(system.tenant("ladder"), "Ina");
    const app = await InstanceClient.ready(ina);
    const versions = `/accounts/${app.account}/data-keys`;
    type Versions = { versions: { keyId: string; keyVersion: number; ends?: number }[] };
    const ask = { account: app.account, purpose: "document" };
    expect((await app.rest("POST", "/instances/key-identifiers", ask)).status).toBe(200);
    expect((await ina.rest("POST", versions)).status).toBe(201);
    const listed = async () => json<Versions>(await ina.rest("GET", versions)).versions;
    const [current, old] = (await listed()) as [Versions["versions"][0], Versions["versions"][0]];
    expect([current.keyVersion, old.keyVersion]).toEqual([2, 1]);
    const key = `${old.keyId}.${old.keyVersion}`;
    const deletion = `${versions}/${key}/deletion`;
    const read = () => app.rest("GET", `/instances/accounts/${app.account}/data-keys/${key}`);
    const { edk } = json<{ edk: string }>(await read());
    const load = () =>
      ina.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: app.enrolled.wrappingCertificate });
    expect((await load()).status).toBe(200);
    const newest = `${versions}/${current.keyId}.${current.keyVersion}/deletion`;
    expect(problem(await ina.rest("POST", newest, { days: 7 }))).toBe("409 conflict");
    const stranger = await EdgeClient.signedIn(system.tenant("ladder"), "Jay");
    expect(problem(await stranger.rest("POST", deletion, { days: 7 }))).toBe("403 forbidden");

    json(await ina.rest("POST", deletion, { days: 30 }));
    expect(problem(await read())).toBe("403 pending-deletion");
    expect(problem(await load())).toBe("403 forbidden");
    expect(problem(await app.rest("POST", "/instances/key-identifiers", { ...ask, key }))).toBe(
      "403 pending-deletion",
    );
    expect((await listed())[1]).toHaveProperty("ends");
    expect((await ina.rest("DELETE", deletion)).status).toBe(204);
    expect(json(await read())).toEqual({ edk });
    expect((await load()).status).toBe(200);

    const { ends } = json<{ ends: number }>(await ina.rest("POST", deletion, { days: 7 }));
    process.kill(system.pid, "SIGKILL");
    await system.restart();
    const states = () =>
      readRows(system.edgeDir, "account_data_keys").find((row) => row.id === old.keyId && row.version === 1)
        ?.state;
    await expect.poll(states, { timeout: 60_000 }).toBe("deleted");
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(ends);
    await app.authenticate();
    expect(problem(await read())).toBe("404 not-found");
    expect(problem(await ina.rest("DELETE", deletion))).toBe("404 not-found");
    expect(await listed()).toHaveLength(1);
    const kms = await hsmClient(system, IDENTITY.kms);
    const name = named(encryptedDataKeyName(old.keyId, old.keyVersion));
    const { uniqueIdentifier } = await kms.request("Locate", { attributes: { name } });
    expect(uniqueIdentifier ?? []).toEqual([]);
    kms.close();
  });
});
