/** W15 on the real parts: Enc(account) in each of its places, for an application server at level `master`. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { rotateMasterKey } from "#cli/master-key.ts";
import { readAccountKeyPlace, readIdentifierPlace } from "#edge/places.ts";
import { parseHeader } from "#protocol/envelope/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import { answerOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { startSystem } from "../support/start.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const PASSPHRASE = "a secret of the server, at random";
const vars: Record<string, string> = {};
const system = useSystem({ level: "master", vars });
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-placement-"));
});
afterAll(() => rm(dir, { recursive: true }));

const PLACES = ["iam", "datastore", "store"];

async function restart(place: string) {
  vars.COFFER_ACCOUNT_KEYS = place;
  await system.restart();
}

/** An application server of this user, who has an account of their own; `keyDir`: where its app-specific key is. */
async function server(user: string, keyDir = dir) {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const appKey = () => openAppKey(appKeyFile(join(keyDir, "app-specific-key.pem")), PASSPHRASE);
  const client: Client = await connect({ app, vault, rootKey: running.rootKey, user, instance: { appKey } });
  const { port } = await client.microservice.use();
  const account = client.account();
  const context = (document: string) => ({
    ...{ tenant: client.identity.tenant, account, document, purpose: "document" },
  });
  const path = (name: string) => join(dir, `${user}-${name}`);
  return {
    ...{ client, port, account },
    async seal(name: string) {
      const stream = port.seal({ context: context(name) }, new TextEncoder().encode(`${user}: ${name}`));
      await writeFile(path(name), Buffer.from(await new Response(stream).arrayBuffer()));
    },
    async opens(name: string) {
      const stored = new Blob([new Uint8Array(await readFile(path(name)))]);
      const opened = new Response(port.open({ context: context(name) }, stored)).text();
      await expect(opened).resolves.toBe(`${user}: ${name}`);
    },
    key: async (name: string) => {
      const [own] = parseHeader(new Uint8Array(await readFile(path(name))))!.encryptedDataKeys;
      return new TextDecoder().decode(own!.providerInfo);
    },
  };
}

const rows = (table: string) => readRows(system.edgeDir, table);
/** How many Enc(account) stand in rows of the IAM, and how many others keep for it. */
const found = () => ({
  inRows: rows("account_keys").filter(({ wrapped }) => (wrapped as Uint8Array).length === 40).length,
  kept: rows("kept").length,
});

describe("W15 places", () => {
  it.each(PLACES)("W15 Enc(account) at %s: sealed there, opened after a restart", async (place) => {
    const before = found();
    await restart(place);
    const first = await server(`server-${place}`);
    await first.seal("one");
    await first.port.renew(first.account);
    await first.seal("two");
    expect(await first.key("one")).not.toBe(await first.key("two"));
    first.client.close();
    await restart(place);
    // Where it is, and where it is not.
    const after = found();
    expect(after.inRows - before.inRows).toBe(place === "iam" ? 1 : 0);
    expect(after.kept - before.kept).toBe(place === "iam" ? 0 : 1);
    const again = await server(`server-${place}`);
    await again.opens("one");
    await again.opens("two");
    again.client.close();
  });

  it("W15 reads a key from where it was put, wherever others are put by now", async () => {
    await restart("store");
    const first = await server("server-put");
    await first.seal("one");
    first.client.close();
    await restart("iam");
    const again = await server("server-put");
    await again.opens("one");
    again.client.close();
  });

  it("W15, W12 moves an account key under the new master key to where they are put by now, and leaves none behind", async () => {
    await restart("datastore");
    const first = await server("server-moved");
    await first.seal("one");
    first.client.close();
    const before = found().kept;
    await restart("store");
    const officer = await hsmClient(system, IDENTITY.officer);
    await rotateMasterKey(officer, "development", new Date());
    officer.close();
    await restart("store");
    const again = await server("server-moved");
    await again.opens("one");
    await again.seal("two");
    await again.opens("two");
    again.client.close();
    expect(found().kept).toBe(before);
    await restart("iam");
    const last = await server("server-moved");
    await last.opens("two");
    last.client.close();
  });

  it.each(["datastore", "store"])(
    "W15, W11 is gone from the %s once its account is shredded",
    async (place) => {
      await restart(place);
      const before = rows("kept").length;
      const client = await EdgeClient.signedIn(system, `shredded at ${place}`);
      const instance = await InstanceClient.ready(client);
      const { account } = client;
      await instance.rest("POST", "/instances/key-identifiers", { account, purpose: "document" });
      expect(rows("kept").length).toBe(before + 1);
      expect(
        await answerOf(
          callDoor(system, "IAM.scheduleDeletion", callerOf(client), account, { immediately: true }),
        ),
      ).toBe("ok");
      await expect.poll(() => rows("kept").length, { timeout: 20_000 }).toBe(before);
    },
  );

  it("W15 the app-specific key is beside the ciphertext, or in a store of its own", async () => {
    const own = await mkdtemp(join(tmpdir(), "coffer-placement-key-"));
    const first = await server("server-own-key", own);
    await first.seal("one");
    first.client.close();
    await system.restart();
    const again = await server("server-own-key", own);
    await again.opens("one");
    again.client.close();
    await rm(own, { recursive: true });
  });
});

/** How many rows of the table of key identifiers are at each place: by the class whose object has them. */
const identifiersAt = () =>
  Object.fromEntries(
    (["IamAccountObject", "DatastoreAccountObject", "KmsAccountObject"] as const).map((name) => [
      name,
      readRows(join(system.edgeDir, "do", `coffer-${name}`), "key_identifiers").length,
    ]),
  );
const HOLDERS = { iam: "IamAccountObject", app: "DatastoreAccountObject", kms: "KmsAccountObject" } as const;

async function restartWith(place: string) {
  vars.COFFER_KEY_IDENTIFIERS = place;
  await system.restart();
}

describe("W15 the table of key identifiers", () => {
  it.each(["app", "kms", "iam"] as const)(
    "W15 at %s: sealed by it, opened after a restart, listed, scheduled and kept",
    async (place) => {
      await restartWith(place);
      const before = identifiersAt();
      const user = `identifiers-${place}`;
      const first = await server(user);
      await first.seal("one");
      await first.port.renew(first.account);
      await first.seal("two");
      first.client.close();
      await restartWith(place);
      const holder = HOLDERS[place];
      expect(identifiersAt()).toEqual({ ...before, [holder]: before[holder]! + 2 });
      const again = await server(user);
      await again.opens("one");
      await again.opens("two");
      const { life } = again.client;
      const [current, old] = await life.keys(again.account);
      const name = `${old!.keyId}.${old!.keyVersion}`;
      expect(`${current!.keyId}.${current!.keyVersion}`).toBe(await again.key("two"));
      expect(name).toBe(await again.key("one"));
      await life.deleteDataKey(again.account, name, { days: 7 });
      again.client.close();
      const closed = await server(user);
      await expect(closed.opens("one")).rejects.toThrow("pending-deletion");
      await closed.client.life.keepDataKey(closed.account, name);
      await closed.opens("one");
      closed.client.close();
    },
  );

  it("W15 moves as a whole to where it belongs by now, and leaves nothing behind", async () => {
    const user = "identifiers-moved";
    await restartWith("iam");
    const first = await server(user);
    await first.seal("one");
    await first.port.renew(first.account);
    first.client.close();
    let at = identifiersAt();
    for (const [from, to] of [
      ["iam", "kms"],
      ["kms", "app"],
      ["app", "iam"],
    ] as const) {
      await restartWith(to);
      const again = await server(user);
      await again.opens("one");
      await again.seal(`after ${to}`);
      await again.opens(`after ${to}`);
      again.client.close();
      const moved = { ...at, [HOLDERS[from]]: at[HOLDERS[from]]! - 2, [HOLDERS[to]]: at[HOLDERS[to]]! + 2 };
      expect(identifiersAt()).toEqual(moved);
      at = moved;
    }
  });

  it.each(["app", "kms"] as const)(
    "W15, W11 is gone from the %s once its account is shredded",
    async (place) => {
      await restartWith(place);
      const before = identifiersAt();
      const client = await EdgeClient.signedIn(system, `identifiers shredded at ${place}`);
      const instance = await InstanceClient.ready(client);
      const { account } = client;
      await instance.rest("POST", "/instances/key-identifiers", { account, purpose: "document" });
      expect(identifiersAt()[HOLDERS[place]]).toBe(before[HOLDERS[place]]! + 1);
      const ended = await client.rest("POST", `/accounts/${account}/deletion`, { immediately: true });
      expect(ended.status).toBe(200);
      await expect.poll(identifiersAt, { timeout: 20_000 }).toEqual(before);
    },
  );

  it("W15 tells a stranger nothing of an account's, wherever they are", async () => {
    await restartWith("kms");
    const [ann, bob] = [await EdgeClient.signedIn(system, "Ann"), await EdgeClient.signedIn(system, "Bob")];
    const instance = await InstanceClient.ready(bob);
    const asked = await instance.rest("POST", "/instances/key-identifiers", {
      account: ann.account,
      purpose: "document",
    });
    expect(asked.status).toBe(403);
    expect((await bob.rest("GET", `/accounts/${ann.account}/data-keys`)).status).toBe(403);
  });
});

describe("W15 contradictions", () => {
  it.each([
    [{ COFFER_ACCOUNT_KEYS: "kms" }, "no two neighbours of the hierarchy are in one place"],
    [{ COFFER_ACCOUNT_KEYS: "hsm" }, "no two neighbours of the hierarchy are in one place"],
    [{ COFFER_KEY_IDENTIFIERS: "hsm" }, "COFFER_KEY_IDENTIFIERS is hsm, not iam, app, kms"],
    [{ COFFER_ACCOUNT_KEYS: "app" }, "COFFER_ACCOUNT_KEYS is app, not iam, datastore, store"],
  ])("W15 refuses %o, and starts nothing", async (wrong, why) => {
    expect(() => [readAccountKeyPlace(wrong), readIdentifierPlace(wrong)]).toThrow(why);
    await expect(startSystem({ vars: wrong })).rejects.toThrow(why);
  });
});
