/** Account keys that are RSA pairs, by configuration, at level `master`: on the real parts, with an application server in Node. */

import { createPrivateKey } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { rotateMasterKey } from "#cli/master-key.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { parseHeader } from "#protocol/envelope/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { Edk } from "#protocol/keys/index.ts";
import type { Step } from "#web/microservice/index.ts";
import { answerOf, askFrom, bytesOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { PASSPHRASE, serve, told } from "../support/served.ts";
import { Wire } from "../support/wire.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

/** Asked for at each start. */
let accountKeys: "AES-256" | "RSA-3072" = "RSA-3072";
const system = useSystem({ level: "master", settings: () => ({ accountKeys }) });
const steps: Step[] = [];
/** Links that were unwrapped: by what, to what. */
const links: string[] = [];
const { unwrapKey } = crypto.subtle;
let dir: string;
let running: Awaited<ReturnType<typeof serve>>;

const again = async (wire?: Wire) => {
  running?.client.close();
  running = await serve(system, dir, steps, {}, wire);
};

beforeAll(async () => {
  crypto.subtle.unwrapKey = function (this: SubtleCrypto, ...parameters: Parameters<typeof unwrapKey>) {
    const [, , , by, to, extractable] = parameters;
    const name = (of: unknown) => (typeof of === "string" ? of : (of as { name: string }).name);
    links.push([name(by), name(to), ...(extractable ? ["extractable"] : [])].join(" → "));
    return unwrapKey.apply(this, parameters);
  } as typeof unwrapKey;
  dir = await mkdtemp(join(tmpdir(), "coffer-account-pairs-"));
  await again();
});
beforeEach(() => {
  steps.length = 0;
  links.length = 0;
});
afterAll(async () => {
  crypto.subtle.unwrapKey = unwrapKey;
  running?.client.close();
  await rm(dir, { recursive: true });
});

/** What a document's header says of its data key. */
async function edkOf(id: string): Promise<Edk> {
  const header = parseHeader(new Uint8Array(await readFile(join(dir, running.account, id))));
  const [, payload = ""] = new TextDecoder()
    .decode(header!.encryptedDataKeys[0]!.encryptedDataKey)
    .split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString());
}

type Row = {
  id: string;
  version: bigint | number;
  wrapped: Uint8Array;
  master: string;
  public_key: Uint8Array | null;
};
/** Of accounts of others, which have a key of their own from the start. */
const foreign = new Set<string>();
const kept = () =>
  (readRows(system.edgeDir, "account_keys") as unknown as Row[]).filter(({ id }) => !foreign.has(id));

it("A2 data AES, account RSA, master AES, app-specific RSA: every message and key in this order, and the data key goes after a set time", async () => {
  const id = crypto.randomUUID();
  expect((await running.upload(id, "A2's document")).status).toBe(201);
  expect(told(steps)).toEqual([
    "receive data",
    ...["ask key identifier IAM", "get key identifier IAM"],
    ...["ask data key KMS", "ask account key IAM"],
    ...[expect.stringMatching(/^get (data key KMS|account key IAM)$/)],
    ...[expect.stringMatching(/^get (data key KMS|account key IAM)$/)],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    "encrypt data",
  ]);
  // App-specific key to master key, master key to the private half, the private half to the data key; none can be exported.
  expect(links).toEqual(["RSA-OAEP → AES-GCM", "AES-GCM → RSA-OAEP", "RSA-OAEP → HKDF"]);
  const pem = await readFile(join(dir, "app-specific-key.pem"), "utf8");
  expect(createPrivateKey({ key: pem, passphrase: PASSPHRASE }).asymmetricKeyType).toBe("rsa");
  const [{ wrapped, public_key: publicKey }] = kept() as [Row];
  expect(wrapped.length).toBeGreaterThan(1700);
  expect(publicKey?.length).toBe(422);
  const edk = await edkOf(id);
  expect(edk.wrapping).toBe("RSA-OAEP-256");
  expect(Buffer.from(edk.wrappedKey, "base64url")).toHaveLength(384);
  const dropped = ["drop account key", "drop data key", "drop master key"];
  const drops = () => told(steps).filter((line) => line.startsWith("drop"));
  await expect.poll(() => drops().sort()).toEqual(dropped);
  steps.length = 0;
  expect(await (await running.download(id)).text()).toBe("A2's document");
  expect(told(steps).filter((line) => line.startsWith("decrypt"))).toEqual([
    ...["decrypt master key", "decrypt account key", "decrypt data key", "decrypt document"],
  ]);
});

it("A2 on the wire: Enc(master) to the app-specific pair, KI, Enc(data) to the account's pair, its private half under the master key, each asked of its own", async () => {
  const wire = new Wire();
  await again(wire);
  const master = "POST /instances/master-key";
  expect(wire.lines.slice(-2)).toEqual([`ask ${master}`, `get 200 ${master}`]);
  const { wrappedKey } = JSON.parse(wire.body(`get 200 ${master}`)) as { wrappedKey: string };
  expect(Buffer.from(wrappedKey, "base64url")).toHaveLength(384);
  wire.clear();
  expect((await running.upload(crypto.randomUUID(), "A2's document on the wire")).status).toBe(201);
  const identifiers = "POST /instances/key-identifiers";
  const [data, account] = ["GET /instances/accounts/…/data-keys/KI", "GET /instances/accounts/…/key"];
  const { lines } = wire;
  expect(lines.slice(0, 2)).toEqual([`ask ${identifiers}`, `get 200 ${identifiers}`]);
  expect(lines.slice(2, 4).sort()).toEqual([`ask ${data}`, `ask ${account}`].sort());
  expect(lines.slice(4).sort()).toEqual([`get 200 ${data}`, `get 200 ${account}`].sort());
  const { edk } = JSON.parse(wire.body(`get 200 ${data}`)) as { edk: string };
  const claims = JSON.parse(Buffer.from(edk.split(".")[1] ?? "", "base64url").toString()) as Edk;
  expect(Buffer.from(claims.wrappedKey, "base64url")).toHaveLength(384);
  const { wrapped } = JSON.parse(wire.body(`get 200 ${account}`)) as { wrapped: string };
  // PKCS#8 of 3072 bits by AES-GCM.
  expect(Buffer.from(wrapped, "base64url").length).toBeGreaterThan(1700);
  await again();
});

it("W10 the HSM and the instance make the next versions of a data key to the public half, and documents of before open", async () => {
  const ids = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()] as const;
  const [before, byInstance, byHsm] = ids;
  await running.upload(before, "before");
  const made = await running.enrolled.port.renew(running.account);
  await running.upload(byInstance, "made by the instance");
  expect(await edkOf(byInstance)).toMatchObject({ keyVersion: made.keyVersion, wrapping: "RSA-OAEP-256" });
  const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "server"));
  const path = `/instances/accounts/${running.account}/data-keys`;
  expect((await app.rest("POST", path, { purpose: "document" })).status).toBe(201);
  await again();
  await running.upload(byHsm, "made by the HSM");
  expect(await edkOf(byHsm)).toMatchObject({ keyVersion: made.keyVersion + 1, wrapping: "RSA-OAEP-256" });
  for (const [id, text] of [
    [before, "before"],
    [byInstance, "made by the instance"],
    [byHsm, "made by the HSM"],
  ] as const)
    expect(await (await running.download(id)).text()).toBe(text);
});

it("W11 the instance makes the next version under the account's current key, after a rotation too", async () => {
  const [before, after] = [crypto.randomUUID(), crypto.randomUUID()];
  await running.upload(before, "before");
  const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "server"));
  const path = `/instances/accounts/${running.account}/key`;
  const { id } = json<{ id: string }>(await app.rest("POST", path));
  const renewed = running.enrolled.port.renew(running.account).then(
    () => "renewed",
    (error: unknown) => String(error),
  );
  expect(await renewed).toBe("renewed");
  await running.upload(after, "after");
  expect((await edkOf(before)).accountKey?.id).not.toBe(id);
  expect((await edkOf(after)).accountKey?.id).toBe(id);
  for (const [document, text] of Object.entries({ [before]: "before", [after]: "after" }))
    expect(await (await running.download(document)).text()).toBe(text);
});

it("W10 who passes an order on, and has the public half, orders no data key of his own: an instance vouches for each, once", async () => {
  const client = await EdgeClient.signedIn(system, "server");
  const app = await InstanceClient.ready(client);
  const { account } = app;
  await running.upload(crypto.randomUUID(), "so that there is an account key");
  const [{ id, version, wrapped, master, public_key: publicKey }] = kept() as [Row];
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
  const spki = new Uint8Array(publicKey!);
  const to = await crypto.subtle.importKey("spki", spki, algorithm, false, ["encrypt"]);
  const chosen = async () =>
    new Uint8Array(await crypto.subtle.encrypt(algorithm, to, crypto.getRandomValues(new Uint8Array(32))));
  const { user: owner, ...caller } = callerOf(client);
  const accountKey = {
    ...{ id, version: Number(version), wrapped: bytesOf(wrapped), publicKey: bytesOf(spki), master },
  };
  type Vouched = Pick<Awaited<ReturnType<InstanceClient["vouched"]>>, "key" | "statement">;
  const order = (wrappedKey: Uint8Array, { key, statement }: Vouched) => {
    const made = { wrappedKey: bytesOf(wrappedKey), instance: app.enrolled.instance, key, statement };
    const of = { ...caller, account, owner, accountKey, purpose: "document", renew: true, made };
    return answerOf(askFrom(system, "IAM", "KMS_FOR_IAM.orderDataKey", of));
  };
  const vouched = (by: InstanceClient, key: Uint8Array, change = {}) =>
    by.vouched({ wrappedKey: encodeBase64url(key), accountKey: id }, { account, ...change });
  const [made, another] = [await chosen(), await chosen()];
  const word = await vouched(app, made);
  expect(await order(another, word)).toBe("forbidden");
  const own = kept().map(({ id }) => id);
  const eve = await InstanceClient.ready(await EdgeClient.signedIn(system, "Eve"));
  const ofEve = () => kept().filter(({ id }) => !own.includes(id));
  await expect.poll(ofEve).toHaveLength(1);
  for (const { id } of ofEve()) foreign.add(id);
  expect(await order(another, await vouched(eve, another))).toBe("forbidden");
  expect(await order(another, await vouched(eve, another, { instance: app.enrolled.instance }))).toBe(
    "forbidden",
  );
  expect(await order(another, { ...(await vouched(eve, another)), key: app.key.jwk })).toBe("forbidden");
  const now = Math.floor(Date.now() / 1000);
  expect(await order(another, await vouched(app, another, { iat: now - 600, exp: now - 500 }))).toBe(
    "forbidden",
  );
  expect(await order(made, word)).toBe("ok");
  expect(await order(made, word)).toBe("conflict");
  expect((await client.rest("DELETE", `/ra/instances/${app.enrolled.instance}`)).status).toBe(204);
  expect(await order(another, await vouched(app, another))).toBe("not-recipient");
});

it("W11 a rotated account key is another pair; W12 pairs move under the successor of their master key", async () => {
  const [before, after] = [crypto.randomUUID(), crypto.randomUUID()];
  await running.upload(before, "under the first pair");
  const pairs = kept().length;
  const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "server"));
  const rotated = await app.rest("POST", `/instances/accounts/${running.account}/key`);
  const { id, version } = json<{ id: string; version: number }>(rotated);
  const path = `/instances/accounts/${running.account}/data-keys`;
  expect((await app.rest("POST", path, { purpose: "document" })).status).toBe(201);
  await again();
  await running.upload(after, "under the second pair");
  expect((await edkOf(after)).accountKey).toEqual({ id, version });
  const keys = kept();
  expect(new Set(keys.map(({ public_key }) => encodeBase64url(public_key!))).size).toBe(pairs + 1);

  const officer = await hsmClient(system, IDENTITY.officer);
  const { successor } = await rotateMasterKey(officer, "development", new Date());
  officer.close();
  await again();
  const read = async (id: string) => (await running.download(id)).text();
  const until = Date.now() + 30_000;
  while (kept().some(({ master }) => master !== successor) && Date.now() < until) {
    await again();
    expect(await read(before)).toBe("under the first pair");
    await pause(500);
  }
  expect(new Set(kept().map(({ master }) => master))).toEqual(new Set([successor]));
  await again();
  expect(await read(before)).toBe("under the first pair");
  expect(await read(after)).toBe("under the second pair");
}, 60_000);

it("W1 by configuration: an account of one kind goes on as it is, and its next key is of the kind that is configured", async () => {
  const [pairs, both] = [crypto.randomUUID(), crypto.randomUUID()];
  await running.upload(pairs, "under a pair");
  running.client.close();
  accountKeys = "AES-256";
  await system.restart();
  await again();
  expect(await (await running.download(pairs)).text()).toBe("under a pair");
  const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "server"));
  expect((await app.rest("POST", `/instances/accounts/${running.account}/key`)).status).toBe(201);
  const path = `/instances/accounts/${running.account}/data-keys`;
  expect((await app.rest("POST", path, { purpose: "document" })).status).toBe(201);
  await again();
  await running.upload(both, "under a symmetric key");
  expect((await edkOf(both)).wrapping).toBe("A256KW");
  links.length = 0;
  await again();
  expect(await (await running.download(pairs)).text()).toBe("under a pair");
  expect(await (await running.download(both)).text()).toBe("under a symmetric key");
  expect(links.filter((link) => link.startsWith("RSA-OAEP → AES")).sort()).toEqual([
    ...["RSA-OAEP → AES-GCM", "RSA-OAEP → AES-KW"],
  ]);
});

it("W11 a shredded account's pairs are gone, and its documents stay closed", async () => {
  const id = crypto.randomUUID();
  await running.upload(id, "shredded");
  const owner = await EdgeClient.signedIn(system, "server");
  expect(
    await answerOf(
      callDoor(system, "IAM.scheduleDeletion", callerOf(owner), running.account, { immediately: true }),
    ),
  ).toBe("ok");
  expect(kept()).toEqual([]);
  await running.enrolled.port.lock();
  const opened = (async () => (await running.download(id)).text())();
  await expect(opened).rejects.toMatchObject({ code: "forbidden" });
});
