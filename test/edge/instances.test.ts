/** What an instance at level master asks for itself, on the real edge with the real HSM. */
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { rotateMasterKey } from "#cli/master-key.ts";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import {
  encryptedDataKeyName,
  encryptedMasterKeyName,
  IDENTITY,
  masterKeyName,
  named,
  recipientNames,
} from "#protocol/hierarchy/index.ts";
import {
  type Edk,
  type TrustList,
  verifyAccountReceipt,
  verifyEdk,
  verifyMasterReceipt,
} from "#protocol/keys/index.ts";
import { decodeRequest } from "#protocol/kmip/index.ts";
import { createDpopKey } from "#web/client/dpop.ts";
import { answerOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { trustOf } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { hsmClient, outcome } from "../system/hsm.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

/** Long enough for what goes on meanwhile, and short enough to wait for. */
const KEPT_SECONDS = 30;
const system = useSystem({
  level: "master",
  otherTenants: ["lower", "rung", "ended"],
  levels: { rung: "account", ended: "master" },
  vars: { COFFER_KEY_CACHE_SECONDS: String(KEPT_SECONDS), COFFER_KEY_POLL_SECONDS: "60" },
});
/** Versions of data keys were made that much earlier. */
const aMinuteLater = () =>
  void changeRows(system.edgeDir, "key_identifiers", "UPDATE key_identifiers SET created = created - 60");
let ann: EdgeClient;
let app: InstanceClient;
let trust: TrustList;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  app = await InstanceClient.ready(ann);
  trust = await trustOf(app);
});

/** KMIP's operations, in a request. */
const GET = Buffer.from("42005c05000000040000000a", "hex");
const DESTROY = Buffer.from("42005c050000000400000014", "hex");
const SIGN = Buffer.from("42005c050000000400000021", "hex");
const LOCATE = Buffer.from("42005c050000000400000008", "hex");
const GET_ATTRIBUTES = Buffer.from("42005c05000000040000000b", "hex");

/**
 * How many requests for keys, each with their state, and of any other kind but signing the KMS sends to the HSM while `work` goes
 * on. What it looks for now and then, whoever asks, is not counted: where the master key is, and the trust list.
 */
async function counted<T>(work: () => Promise<T>): Promise<{ result: T; gets: number; others: number }> {
  const { serve } = Engine.prototype;
  const count = { gets: 0, others: 0 };
  Engine.prototype.serve = function (bytes, origin) {
    const asked = Buffer.from(bytes);
    if (origin.identity === IDENTITY.kms) {
      const get = asked.includes(GET);
      if (get && asked.includes(GET_ATTRIBUTES)) count.gets++;
      else if (![get, asked.includes(LOCATE), asked.includes(SIGN)].includes(true)) count.others++;
    }
    return serve.call(this, bytes, origin);
  };
  try {
    return { result: await work(), ...count };
  } finally {
    Engine.prototype.serve = serve;
  }
}

/** What the KMS asks of the HSM while `work` goes on, whatever for: the operations of each request. */
async function askedMeanwhile<T>(work: () => Promise<T>): Promise<{ result: T; asked: string[] }> {
  const { serve } = Engine.prototype;
  const asked: string[] = [];
  Engine.prototype.serve = function (bytes, origin) {
    if (origin.identity === IDENTITY.kms)
      asked.push(
        decodeRequest(bytes)
          .items.map(({ operation }) => operation)
          .join(" "),
      );
    return serve.call(this, bytes, origin);
  };
  try {
    return { result: await work(), asked };
  } finally {
    Engine.prototype.serve = serve;
  }
}

/** How many objects of that name the HSM has, as the KMS is told. */
async function inHsm(name: string): Promise<number> {
  const kms = await hsmClient(system, IDENTITY.kms);
  try {
    return (await kms.request("Locate", { attributes: { name: named(name) } })).uniqueIdentifier.length;
  } finally {
    kms.close();
  }
}

type Released = { wrappedKey: string; receipt: string; proof?: string };
const newChallenge = () => encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
/** Name at the HSM of Enc(master) for the wrapping key of an instance. */
async function nameOfMaster(instance: string): Promise<string> {
  const kms = await hsmClient(system, IDENTITY.kms);
  try {
    const locate = async (name: string) =>
      (await kms.request("Locate", { attributes: { name: named(name) } })).uniqueIdentifier[0]!;
    const uniqueIdentifier = await locate(recipientNames(instance).key);
    const { object } = await kms.request("Get", { uniqueIdentifier, keyFormatType: "X_509" });
    const value = object.publicKey!.keyBlock.keyValue as { keyMaterial: Uint8Array };
    const thumbprint = await digest(new Uint8Array(value.keyMaterial));
    return encryptedMasterKeyName(await locate(masterKeyName("development")), thumbprint);
  } finally {
    kms.close();
  }
}

async function masterKey(by: InstanceClient, challenge = newChallenge()) {
  const released = json<Released>(await by.rest("POST", "/instances/master-key", { challenge }));
  const recipient = await digest(decodeBase64url(by.enrolled.wrappingCertificate));
  const wrappedKey = decodeBase64url(released.wrappedKey);
  const of = {
    wrappedKey,
    recipient,
    tenant: "development",
    proof: released.proof,
    now: seconds(Date.now()),
  };
  const receipt = await verifyMasterReceipt(released.receipt, trust, { ...of, challenge });
  // By the HSM for this challenge, or by the key that it has named; for no other one.
  expect(receipt.challenge === challenge).toBe(released.proof === undefined);
  const other = { ...of, challenge: newChallenge() };
  await expect(verifyMasterReceipt(released.receipt, trust, other)).rejects.toMatchObject({
    code: "jws-payload",
  });
  return { receipt, wrappedKey, proof: released.proof };
}

describe("a token of an instance (W9)", () => {
  it("W9 is given for a private-key JWT of its identity key, on the vault's origin alone", async () => {
    const answer = await app.askToken(await app.assertion());
    expect(json(answer)).toMatchObject({ token_type: "DPoP", expires_in: 600 });
    expect(answer.headers["cache-control"]).toBe("no-store");
    const asCustodian = Object.assign(Object.create(Object.getPrototypeOf(ann)), ann, {
      key: app.key,
      tokens: { ...ann.tokens, access_token: app.token },
    }) as EdgeClient;
    expect(problem(await asCustodian.rest("GET", "/ra/instances"))).toBe("401 invalid-token");
    const asInstance = Object.assign(Object.create(Object.getPrototypeOf(app)), app, {
      key: ann.key,
      token: ann.tokens.access_token,
    }) as InstanceClient;
    expect(problem(await asInstance.rest("GET", `/instances/accounts/${ann.account}/key`))).toBe(
      "401 invalid-token",
    );
  });

  it("W9 is given for an assertion once", async () => {
    const assertion = await app.assertion();
    const answers = await Promise.all(Array.from({ length: 5 }, () => app.askToken(assertion)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  it("W9 is refused for what the assertion must not say", async () => {
    const now = seconds(Date.now());
    for (const change of [
      { aud: system.appOrigin },
      { iss: "another" },
      { iss: "another", sub: "another" },
      { exp: now + 3600 },
      { iat: now - 3600, exp: now - 3540 },
      { iat: now + 3600, exp: now + 3660 },
      { custodian: "CN=nobody,OU=http://localhost:1,O=development" },
      { jti: "short" },
      { more: 1 },
    ])
      expect(problem(await app.askToken(await app.assertion(change))), JSON.stringify(change)).toBe(
        "400 invalid-client",
      );
    const another = { kid: encodeBase64url(new Uint8Array(32)) };
    expect(problem(await app.askToken(await app.assertion({}, another)))).toBe("400 invalid-client");
    // Another key for the proof than for the assertion, and another key for both.
    const stranger = await createDpopKey();
    expect(problem(await app.askToken(await app.assertion(), stranger))).toBe("400 invalid-client");
    const forged = Object.assign(Object.create(Object.getPrototypeOf(app)), app, { key: stranger });
    expect(problem(await forged.askToken(await forged.assertion()))).toBe("400 invalid-client");
  });

  it("W9 is refused to an instance that was revoked, and to one below level account", async () => {
    const second = await InstanceClient.ready(ann);
    const { instance } = second.enrolled;
    expect((await ann.rest("DELETE", `/ra/instances/${instance}`)).status).toBe(204);
    expect(problem(await second.askToken(await second.assertion()))).toBe("403 forbidden");
    const bob = await EdgeClient.signedIn(system.tenant("lower"), "Bob");
    const lower = await InstanceClient.enrolled(bob);
    expect(problem(await lower.askToken(await lower.assertion()))).toBe("403 forbidden");
  });

  it("W9 is refused to an instance that the registration authority alone knows: its own custodian has to name it", async () => {
    const [dora, elsewhere] = [
      await EdgeClient.signedIn(system, "Dora"),
      await EdgeClient.signedIn(system, "Dora"),
    ];
    const eve = await EdgeClient.signedIn(system, "Eve");
    const [hers, other] = [await InstanceClient.unnamed(dora), await InstanceClient.unnamed(dora)];
    const asked = async () => problem(await hers.askToken(await hers.assertion()));
    expect(await asked()).toBe("400 invalid-client");
    // By another user, in another sign-in, under another's key, by another's id.
    expect((await hers.name(eve)).status).toBe(204);
    expect((await hers.name(elsewhere)).status).toBe(204);
    expect((await hers.name(dora, other.enrolled.identityCertificate)).status).toBe(204);
    expect((await hers.name(dora, hers.enrolled.identityCertificate, other.enrolled.instance)).status).toBe(
      204,
    );
    expect(await asked()).toBe("400 invalid-client");
    expect((await hers.name(dora)).status).toBe(204);
    expect((await hers.askToken(await hers.assertion())).status).toBe(200);
    expect(problem(await other.askToken(await other.assertion()))).toBe("400 invalid-client");
  });

  it("W9 names what is a certificate of an identity key, by a custodian who is signed in, and nothing else", async () => {
    const fred = await EdgeClient.signedIn(system, "Fred");
    const his = await InstanceClient.unnamed(fred);
    expect(problem(await his.name(fred, his.enrolled.wrappingCertificate))).toBe("400 invalid-certificate");
    expect(problem(await his.name(fred, "AAAA"))).toBe("400 invalid-certificate");
    expect(problem(await his.name(fred, "A".repeat(9000)))).toBe("400 bad-request");
    expect(problem(await his.name(fred, "no base64url!"))).toBe("400 bad-request");
    expect(problem(await his.name(fred, his.enrolled.identityCertificate, "x".repeat(200)))).toBe(
      "400 bad-request",
    );
    const stranger = Object.assign(Object.create(Object.getPrototypeOf(fred)), fred, {
      key: await createDpopKey(),
    }) as EdgeClient;
    expect(problem(await his.name(stranger))).toBe("401 invalid-token");
    expect((await fred.vaultPost("/sign-out", {})).status).toBe(204);
    expect(problem(await his.name(fred))).toBe("401 invalid-token");
    expect(
      readRows(system.edgeDir, "named_instances").filter(({ id }) => id === his.enrolled.instance),
    ).toEqual([]);
  });

  it("W9 ends with the sign-in and with the instance what a custodian has named", async () => {
    const gus = await EdgeClient.signedIn(system, "Gus");
    const [first, second] = [await InstanceClient.ready(gus), await InstanceClient.ready(gus)];
    const named = () => {
      const ids = readRows(system.edgeDir, "named_instances").map(({ id }) => id);
      return [first, second].map(({ enrolled }) => ids.includes(enrolled.instance));
    };
    expect(named()).toEqual([true, true]);
    expect((await gus.rest("DELETE", `/ra/instances/${first.enrolled.instance}`)).status).toBe(204);
    expect(named()).toEqual([false, true]);
    expect((await gus.vaultPost("/sign-out", {})).status).toBe(204);
    expect(named()).toEqual([false, false]);
  });

  it("an instance that somebody names is not used by that, and is once its key was proven", async () => {
    const used = (of: InstanceClient) =>
      readRows(system.edgeDir, "instances").find(({ id }) => id === of.enrolled.instance)?.used;
    const hal = await EdgeClient.signedIn(system, "Hal");
    const his = await InstanceClient.enrolled(hal);
    const before = used(his);
    const forged = Object.assign(Object.create(Object.getPrototypeOf(his)), his, {
      key: await createDpopKey(),
    });
    expect(problem(await forged.askToken(await forged.assertion()))).toBe("400 invalid-client");
    expect(used(his)).toBe(before);
    await his.authenticate();
    await expect.poll(() => used(his)).not.toBe(before);
  });

  it("W9 is refused once the custodian has signed out", async () => {
    const carol = await EdgeClient.signedIn(system, "Carol");
    const hers = await InstanceClient.ready(carol);
    expect((await carol.vaultPost("/sign-out", {})).status).toBe(204);
    expect(problem(await hers.askToken(await hers.assertion()))).toBe("403 forbidden");
  });
});

type Ki = { keyId: string; keyVersion: number; accountKey: { id: string; version: number } };
type EncAccount = { id: string; version: number; wrapped: string; master: string };
const { subtle } = globalThis.crypto;
const keyOf = ({ keyId, keyVersion }: Pick<Ki, "keyId" | "keyVersion">) => `${keyId}.${keyVersion}`;

const askKi = (by: InstanceClient, more: object = {}) =>
  by.rest("POST", "/instances/key-identifiers", { account: by.account, purpose: "document", ...more });
const askEdk = (by: InstanceClient, key: string) =>
  by.rest("GET", `/instances/accounts/${by.account}/data-keys/${key}`);
const renew = (by: InstanceClient, more: object = {}) =>
  by.rest("POST", `/instances/accounts/${by.account}/data-keys`, { purpose: "document", ...more });
async function readEdk(token: string): Promise<Edk> {
  const reading = verifyEdk(token, trust, seconds(Date.now()));
  await expect(reading).resolves.toBeDefined();
  return reading;
}

/** The account's key, unwrapped link by link as the instance does it. */
async function accountKey(by: InstanceClient, id?: string) {
  const path = `/instances/accounts/${by.account}/key`;
  const [{ wrappedKey, receipt }, answer] = await Promise.all([
    masterKey(by),
    by.rest("GET", id === undefined ? path : `${path}?id=${id}`),
  ]);
  const enc = json<EncAccount>(answer);
  expect(enc.master).toBe(receipt.keyId);
  const oaep = { name: "RSA-OAEP" };
  const master = await subtle.unwrapKey(
    ...(["raw", wrappedKey, by.keys.wrapping.privateKey, oaep, "AES-KW", false, ["unwrapKey"]] as const),
  );
  const wrapped = decodeBase64url(enc.wrapped);
  const key = await subtle.unwrapKey("raw", wrapped, master, "AES-KW", "AES-KW", false, [
    "wrapKey",
    "unwrapKey",
  ]);
  return { key, id: enc.id, version: enc.version };
}

/** Whether a data key opens under the account's key that its EDK names. */
async function opens(by: InstanceClient, edk: Edk): Promise<boolean> {
  const { key } = await accountKey(by, edk.accountKey!.id);
  const wrapped = decodeBase64url(edk.wrappedKey);
  return subtle.unwrapKey("raw", wrapped, key, "AES-KW", "HKDF", false, ["deriveKey"]).then(
    () => true,
    () => false,
  );
}

describe("Enc(data) and Enc(account)", () => {
  it("W2 are found by key identifier and unwrapped link by link: master, account, data", async () => {
    const ki = json<Ki>(await askKi(app));
    const { edk } = json<{ edk: string }>(await askEdk(app, keyOf(ki)));
    const read = await readEdk(edk);
    expect(read).toMatchObject({ ...ki, tenant: "development", account: app.account, purpose: "document" });
    expect(await opens(app, read)).toBe(true);
    expect(json<Ki>(await askKi(app, { key: keyOf(ki) }))).toEqual(ki);
    expect(json<Ki>(await askKi(app))).toEqual(ki);
    const list = json<{ edks: string[] }>(
      await app.rest("GET", `/instances/accounts/${app.account}/data-keys`),
    );
    expect(list.edks).toEqual([edk]);
  });

  it("A17 (and A22), W3, W8: looked for, missed, asked of the HSM once by two hundred, kept, and then a hit without it", async () => {
    const dora = await EdgeClient.signedIn(system, "Dora");
    const hers = await InstanceClient.ready(dora);
    const ki = json<Ki>(await askKi(hers));
    const ask = () => askEdk(hers, keyOf(ki));
    const cold = await counted(() => Promise.all(Array.from({ length: 200 }, ask)));
    expect(new Set(cold.result.map(({ status }) => status))).toEqual(new Set([200]));
    expect([cold.gets, cold.others]).toEqual([1, 0]);
    const warm = await counted(ask);
    expect([warm.gets, warm.others]).toEqual([0, 0]);
    expect(json(warm.result)).toEqual(json(cold.result[0]!));
    const told = () =>
      system.log().match(/key-cache[^}]*"hit\W+1,\W+miss\W+200,\W+stale\W+0,\W+evicted\W+0\D/);
    await expect.poll(told, { timeout: 20_000 }).not.toBeNull();
  });

  it("A17 W3 a hit of Enc(data) sends the HSM nothing at all", async () => {
    const hers = await InstanceClient.ready(await EdgeClient.signedIn(system, "Deb"));
    const ki = json<Ki>(await askKi(hers));
    const cold = await askedMeanwhile(() => askEdk(hers, keyOf(ki)));
    expect(cold.asked).toContain("Get GetAttributes");
    const hit = await askedMeanwhile(() => askEdk(hers, keyOf(ki)));
    expect(hit.asked).toEqual([]);
    expect(json(hit.result)).toEqual(json(cold.result));
  });

  it("W8 after a restart the first version that is asked for brings the newest with it, by one request; those are hits then", async () => {
    const hers = await InstanceClient.ready(await EdgeClient.signedIn(system, "Pia"));
    const first = json<Ki>(await askKi(hers));
    const second = await readEdk(json<{ edk: string }>(await renew(hers)).edk);
    await system.restart();
    await hers.authenticate();
    const cold = await askedMeanwhile(() => askEdk(hers, keyOf(first)));
    expect(cold.result.status).toBe(200);
    const gets = cold.asked.filter((operations) => operations.includes("Get GetAttributes"));
    expect(gets).toEqual(["Get GetAttributes Get GetAttributes"]);
    const prefetched = await askedMeanwhile(() => askEdk(hers, keyOf(second)));
    expect(prefetched.asked).toEqual([]);
    expect(await readEdk(json<{ edk: string }>(prefetched.result).edk)).toEqual(second);
  });

  it("A17 in order: the request, the HSM is asked, it answers, the key is released; and then released with nobody asked", async () => {
    const hers = await InstanceClient.ready(await EdgeClient.signedIn(system, "Dot"));
    const ki = json<Ki>(await askKi(hers));
    const { serve } = Engine.prototype;
    const order: string[] = [];
    Engine.prototype.serve = function (bytes, origin) {
      const asked = Buffer.from(bytes);
      const told = origin.identity === IDENTITY.kms && asked.includes(GET) && asked.includes(GET_ATTRIBUTES);
      if (told) order.push("asked of the HSM");
      const answer = serve.call(this, bytes, origin);
      if (told) void Promise.resolve(answer).then(() => order.push("answered by the HSM"));
      return answer;
    };
    try {
      for (const when of ["missed", "kept"]) {
        order.push(when);
        expect((await askEdk(hers, keyOf(ki))).status).toBe(200);
        order.push("released");
      }
    } finally {
      Engine.prototype.serve = serve;
    }
    expect(order).toEqual([
      ...["missed", "asked of the HSM", "answered by the HSM", "released"],
      ...["kept", "released"],
    ]);
  });

  it("A3 (A4, A10, A11, A16, A21): Enc(master) and Enc(data) are in the HSM, for the KMS alone", async () => {
    const { wrappedKey: master } = await masterKey(app);
    const { edk } = json<{ edk: string }>(await askEdk(app, keyOf(json<Ki>(await askKi(app)))));
    const { keyId, keyVersion, wrappedKey } = await readEdk(edk);
    const names = [await nameOfMaster(app.enrolled.instance), encryptedDataKeyName(keyId, keyVersion)];
    const located = async (identity: string) => {
      const client = await hsmClient(system, identity);
      const found = names.map((name) => client.request("Locate", { attributes: { name: named(name) } }));
      return {
        client,
        ids: (await Promise.all(found)).map(({ uniqueIdentifier }) => uniqueIdentifier ?? []),
      };
    };
    const kms = await located(IDENTITY.kms);
    const kept = await Promise.all(
      kms.ids.flat().map((uniqueIdentifier) => kms.client.request("Get", { uniqueIdentifier })),
    );
    const bytes = kept.map(({ object }) => {
      const value = object.symmetricKey!.keyBlock.keyValue;
      const material = value instanceof Uint8Array ? value : value!.keyMaterial;
      return encodeBase64url(new Uint8Array(material as Uint8Array));
    });
    expect(bytes).toEqual([encodeBase64url(master), wrappedKey]);
    kms.client.close();
    for (const identity of [IDENTITY.officer, IDENTITY.iam, IDENTITY.ra, IDENTITY.audit]) {
      const other = await located(identity);
      expect(other.ids, identity).toEqual([[], []]);
      for (const uniqueIdentifier of kms.ids.flat())
        expect(await outcome(other.client.request("Get", { uniqueIdentifier })), identity).not.toBe(
          "Success",
        );
      other.client.close();
    }
  });

  it("W10 a new version is made by the HSM or by the instance; those before it go on to open", async () => {
    const first = json<Ki>(await askKi(app));
    const second = await readEdk(json<{ edk: string }>(await renew(app)).edk);
    expect(second).toMatchObject({ keyId: first.keyId, keyVersion: first.keyVersion + 1 });
    expect(json<Ki>(await askKi(app))).toMatchObject({ keyVersion: second.keyVersion });
    const account = await accountKey(app);
    const own = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    const wrappedKey = encodeBase64url(
      new Uint8Array(await subtle.wrapKey("raw", own, account.key, "AES-KW")),
    );
    const made = await app.vouched({ wrappedKey, accountKey: account.id });
    const third = await readEdk(json<{ edk: string }>(await renew(app, { made })).edk);
    expect(third).toMatchObject({ keyVersion: first.keyVersion + 2, wrappedKey });
    for (const version of [first, second, third]) {
      const { edk } = json<{ edk: string }>(await askEdk(app, keyOf(version)));
      expect(await opens(app, await readEdk(edk))).toBe(true);
    }
    expect(problem(await renew(app, { made }))).toBe("409 conflict");
    const bogus = await app.vouched({
      wrappedKey: encodeBase64url(new Uint8Array(40)),
      accountKey: account.id,
    });
    expect(problem(await renew(app, { made: bogus }))).toBe("502 hsm-refused");
    expect(problem(await renew(app, { made: { ...made, accountKey: "another" } }))).toBe("409 conflict");
    expect(json<Ki>(await askKi(app))).toMatchObject({ keyVersion: third.keyVersion });
  });

  it("W11 an account key that an instance makes is one under the master key, in the place of the one that it knows", async () => {
    const gina = await EdgeClient.signedIn(system, "Gina");
    const hers = await InstanceClient.ready(gina);
    const before = await accountKey(hers);
    const path = `/instances/accounts/${hers.account}/key`;
    const put = (made: object) => hers.rest("PUT", path, made);
    const { receipt, wrappedKey } = await masterKey(hers);
    const made = () => hers.makeAccountKey(wrappedKey);
    const of = { master: receipt.keyId, replaces: before.id };
    // The HSM has the master key too, and looks.
    const bogus = encodeBase64url(new Uint8Array(40));
    expect(problem(await put({ ...of, wrapped: bogus }))).toBe("502 hsm-refused");
    expect(problem(await put({ master: receipt.keyId, wrapped: await made() }))).toBe("409 conflict");
    const wrapped = await made();
    const kept = json<{ id: string; version: number }>(await put({ ...of, wrapped }));
    expect(kept.version).toBe(before.version + 1);
    expect(await accountKey(hers)).toMatchObject({ id: kept.id });
    expect(problem(await put({ ...of, replaces: kept.id, wrapped }))).toBe("409 conflict");
    const edk = await readEdk(json<{ edk: string }>(await renew(hers)).edk);
    expect(edk.accountKey).toEqual(kept);
    expect(await opens(hers, edk)).toBe(true);
  });

  it("W10 a deleted version is gone at the KMS and in the HSM; the current one is not deleted", async () => {
    await askKi(app);
    await renew(app);
    const current = json<Ki>(await askKi(app));
    const at = (key: string) => `/instances/accounts/${app.account}/data-keys/${key}`;
    expect(problem(await app.rest("DELETE", at(keyOf(current))))).toBe("409 conflict");
    const old = keyOf({ ...current, keyVersion: 1 });
    expect((await askEdk(app, old)).status).toBe(200);
    const name = encryptedDataKeyName(current.keyId, 1);
    expect(await inHsm(name)).toBe(1);
    await system.restart(aMinuteLater);
    expect((await app.rest("DELETE", at(old))).status).toBe(204);
    expect(problem(await askEdk(app, old))).toBe("404 not-found");
    expect(problem(await askKi(app, { key: old }))).toBe("404 not-found");
    expect(problem(await app.rest("DELETE", at(old)))).toBe("404 not-found");
    const states = readRows(system.edgeDir, "account_data_keys").filter(({ version }) => version === 1);
    expect(states.map(({ state }) => state)).toContain("deleted");
    await expect.poll(() => inHsm(name), { timeout: 20_000 }).toBe(0);
  });

  it("W10 a version is not deleted at once while an instance may go on sealing under it, by what it was told", async () => {
    const custodian = await EdgeClient.signedIn(system, "Lou");
    const lou = await InstanceClient.ready(custodian);
    const old = json<Ki>(await askKi(lou));
    const at = `/instances/accounts/${lou.account}/data-keys/${keyOf(old)}`;
    await renew(lou);
    const early = await lou.rest("DELETE", at);
    expect(early.status).toBe(409);
    expect(problem(early)).toBe("409 key-in-use");
    const left = Number(early.headers["retry-after"]);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60);
    expect((await askEdk(lou, keyOf(old))).status).toBe(200);
    // Nor by its custodian; another day it is.
    const versions = `/accounts/${lou.account}/data-keys/${keyOf(old)}/deletion`;
    expect(problem(await custodian.rest("POST", versions, { immediately: true }))).toBe("409 key-in-use");
    // Yet another version does not make it younger.
    await system.restart(aMinuteLater);
    await renew(lou);
    expect((await lou.rest("DELETE", at)).status).toBe(204);
    expect(problem(await askEdk(lou, keyOf(old)))).toBe("404 not-found");
  });

  it("W10 a version that is deleted while the HSM answers is not in the list", async () => {
    const ivy = await EdgeClient.signedIn(system, "Ivy");
    const hers = await InstanceClient.ready(ivy);
    const old = json<Ki>(await askKi(hers));
    await renew(hers);
    // The KMS has forgotten both.
    await system.restart(aMinuteLater);
    await hers.authenticate();
    const keys = `/instances/accounts/${hers.account}/data-keys`;
    const { serve } = Engine.prototype;
    const [forgetting, listed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let deleting: Promise<{ status: number }> | undefined;
    Engine.prototype.serve = async function (bytes, origin) {
      const asked = Buffer.from(bytes);
      if (origin.identity !== IDENTITY.kms) return serve.call(this, bytes, origin);
      if (asked.includes(DESTROY)) {
        forgetting.resolve();
        await listed.promise;
      }
      const answer = await serve.call(this, bytes, origin);
      if (asked.includes(GET) && deleting === undefined) {
        deleting = hers.rest("DELETE", `${keys}/${keyOf(old)}`);
        // It is deleted at the KMS, and still in the HSM.
        await forgetting.promise;
      }
      return answer;
    };
    try {
      const { edks } = json<{ edks: string[] }>(await hers.rest("GET", keys));
      listed.resolve();
      expect((await deleting)?.status).toBe(204);
      const versions = await Promise.all(edks.map(async (edk) => (await readEdk(edk)).keyVersion));
      expect(versions).toEqual([old.keyVersion + 1]);
    } finally {
      Engine.prototype.serve = serve;
    }
  });

  it("W11 a rotated account key stands over new data keys; old ones open under the old", async () => {
    const before = json<Ki>(await askKi(app));
    const path = `/instances/accounts/${app.account}/key`;
    const rotated = json<{ id: string; version: number }>(await app.rest("POST", path));
    expect(rotated.version).toBe(before.accountKey.version + 1);
    expect(json<EncAccount>(await app.rest("GET", path))).toMatchObject(rotated);
    const after = await readEdk(json<{ edk: string }>(await renew(app)).edk);
    expect(after.accountKey).toEqual(rotated);
    const { edk } = json<{ edk: string }>(await askEdk(app, keyOf(before)));
    expect([await opens(app, await readEdk(edk)), await opens(app, after)]).toEqual([true, true]);
    // The custodian's own way goes on under both too (M8).
    for (const each of [edk, json<{ edk: string }>(await askEdk(app, keyOf(after))).edk]) {
      const request = { way: "rewrap", edk: each, certificate: app.enrolled.wrappingCertificate };
      expect((await ann.rest("POST", "/kms/loads", request)).status).toBe(200);
    }
    expect(problem(await app.rest("GET", `${path}?id=${crypto.randomUUID()}`))).toBe("404 not-found");
  });

  it("W9 are of the account's members alone: another's key identifier is none, another's account is refused", async () => {
    const eve = await EdgeClient.signedIn(system, "Eve");
    const hers = await InstanceClient.ready(eve);
    const ki = keyOf(json<Ki>(await askKi(app)));
    expect(problem(await askKi(hers, { account: app.account }))).toBe("403 forbidden");
    expect(problem(await askKi(hers, { key: ki }))).toBe("404 not-found");
    expect(problem(await askEdk(hers, ki))).toBe("404 not-found");
    const foreign = `/instances/accounts/${app.account}`;
    for (const path of [`${foreign}/key`, `${foreign}/data-keys`, `${foreign}/data-keys/${ki}`])
      expect(problem(await hers.rest("GET", path)), path).toBe("403 forbidden");
  });

  it("W8 are served while the HSM is away, until their time is over, and again when it is back", async () => {
    const ki = json<Ki>(await askKi(app));
    expect((await askEdk(app, keyOf(ki))).status).toBe(200);
    const { serve } = Engine.prototype;
    Engine.prototype.serve = () => Promise.reject(new Error("away"));
    try {
      expect((await askEdk(app, keyOf(ki))).status).toBe(200);
      await pause(KEPT_SECONDS * 1000);
      expect(problem(await askEdk(app, keyOf(ki)))).toBe("503 hsm-unavailable");
    } finally {
      Engine.prototype.serve = serve;
    }
    expect((await askEdk(app, keyOf(ki))).status).toBe(200);
  });

  it("W11 nothing of a shredded account is given or made any more, and the HSM forgets Enc(data)", async () => {
    const finn = await EdgeClient.signedIn(system, "Finn");
    const his = await InstanceClient.ready(finn);
    const ki = json<Ki>(await askKi(his));
    expect((await askEdk(his, keyOf(ki))).status).toBe(200);
    expect(
      await answerOf(
        callDoor(system, "IAM.scheduleDeletion", callerOf(finn), finn.account, { immediately: true }),
      ),
    ).toBe("ok");
    expect(problem(await askEdk(his, keyOf(ki)))).toBe("403 forbidden");
    expect(problem(await askKi(his))).toBe("403 forbidden");
    expect(problem(await renew(his))).toBe("403 forbidden");
    const gone = () =>
      readRows(system.edgeDir, "account_data_keys").filter(({ id }) => id === ki.keyId)[0]?.state;
    await expect.poll(gone, { timeout: 20_000 }).toBe("deleted");
    await expect
      .poll(() => inHsm(encryptedDataKeyName(ki.keyId, ki.keyVersion)), { timeout: 20_000 })
      .toBe(0);
  });
});

describe("a rotated master key", () => {
  it("W12 is followed by the account's keys; data keys stay as they are and open all the time", async () => {
    const hank = await EdgeClient.signedIn(system, "Hank");
    const his = await InstanceClient.ready(hank);
    const ki = json<Ki>(await askKi(his));
    const { edk } = json<{ edk: string }>(await askEdk(his, keyOf(ki)));
    const before = await masterKey(his);
    const officer = await hsmClient(system, IDENTITY.officer);
    const { successor } = await rotateMasterKey(officer, "development", new Date());
    officer.close();
    const path = `/instances/accounts/${his.account}/key`;
    const master = async () => json<EncAccount>(await his.rest("GET", path)).master;
    await expect.poll(master, { timeout: 30_000, interval: 500 }).toBe(successor);
    const after = await masterKey(his);
    expect(after.receipt.keyId).toBe(successor);
    expect(before.receipt.keyId).not.toBe(successor);
    expect(await opens(his, await readEdk(edk))).toBe(true);
    expect(json<{ edk: string }>(await askEdk(his, keyOf(ki))).edk).toBe(edk);
    // The custodian's own way too, and an account that comes later.
    const request = { way: "rewrap", edk, certificate: his.enrolled.wrappingCertificate };
    expect((await hank.rest("POST", "/kms/loads", request)).status).toBe(200);
  });
});

describe("level account", () => {
  it("W1 the account key is encrypted to the instance, with a receipt for its challenge; the master key to none", async () => {
    const gina = await EdgeClient.signedIn(system.tenant("rung"), "Gina");
    const hers = await InstanceClient.ready(gina);
    const { account } = hers;
    const challenge = newChallenge();
    const load = (more: object = {}) =>
      hers.rest("POST", "/instances/account-key", { account, challenge, ...more });
    const released = json<Released>(await load());
    const wrappedKey = decodeBase64url(released.wrappedKey);
    const recipient = await digest(decodeBase64url(hers.enrolled.wrappingCertificate));
    const awaited = { wrappedKey, recipient, tenant: "rung", challenge, account, now: seconds(Date.now()) };
    const receipt = await verifyAccountReceipt(released.receipt, trust, awaited);
    const { keyId, keyVersion } = receipt;
    const ki = json<Ki>(await askKi(hers));
    expect(ki.accountKey).toEqual({ id: keyId, version: keyVersion });
    const { edk } = json<{ edk: string }>(await askEdk(hers, keyOf(ki)));
    const { privateKey } = hers.keys.wrapping;
    const key = await subtle.unwrapKey("raw", wrappedKey, privateKey, "RSA-OAEP", "AES-KW", false, [
      "unwrapKey",
    ]);
    const data = decodeBase64url((await readEdk(edk)).wrappedKey);
    const opened = await subtle.unwrapKey("raw", data, key, "AES-KW", "HKDF", false, ["deriveKey"]);
    expect(opened.extractable).toBe(false);
    expect(problem(await hers.rest("POST", "/instances/master-key", { challenge }))).toBe("403 forbidden");
    expect(problem(await load({ id: crypto.randomUUID() }))).toBe("404 not-found");
    expect(problem(await load({ account: app.account }))).toBe("403 forbidden");
    // At level master the account key leaves for no instance.
    const own = { account: app.account, challenge };
    expect(problem(await app.rest("POST", "/instances/account-key", own))).toBe("403 forbidden");
  });
});

describe("Enc(master)", () => {
  it("W6 is encrypted to the instance's own wrapping key, with a receipt for its challenge, and the same key for each instance", async () => {
    const second = await InstanceClient.ready(ann);
    const opened = [app, second].map(async (by) => {
      const { wrappedKey, receipt } = await masterKey(by);
      const { privateKey } = by.keys.wrapping;
      const raw = new Uint8Array(await crypto.subtle.decrypt("RSA-OAEP", privateKey, wrappedKey));
      return { length: raw.length, digest: await digest(raw), keyId: receipt.keyId };
    });
    const [first, other] = await Promise.all(opened);
    expect(first).toEqual(other);
    expect(first!.length).toBe(32);
  });

  it("W3, W8 is asked of the HSM once for fifty who ask together; while it is kept the HSM is asked nothing", async () => {
    const third = await InstanceClient.ready(ann);
    const cold = await counted(() => Promise.all(Array.from({ length: 50 }, () => masterKey(third))));
    expect(cold.gets).toBe(1);
    const warm = await counted(() => masterKey(third));
    expect([warm.gets, warm.others]).toEqual([0, 0]);
    expect(warm.result.wrappedKey).toEqual(cold.result[0]!.wrappedKey);
    // Where the master key is, is known for ten seconds: from the answer for which it was looked for.
    const looked = async () => (await askedMeanwhile(() => masterKey(third))).asked.join();
    await expect.poll(looked, { timeout: 20_000, interval: 200 }).toContain("Locate");
    const hit = await askedMeanwhile(() => masterKey(third));
    expect(hit.asked).toEqual([]);
    expect(hit.result.proof).toBeDefined();
    expect(hit.result.wrappedKey).toEqual(warm.result.wrappedKey);
    expect(new Set(cold.result.map(({ wrappedKey }) => encodeBase64url(wrappedKey))).size).toBe(1);
  });

  it("W3, W8 is found in the HSM, as it was, after the KMS has forgotten it, and brings those of the person's other instances with it", async () => {
    const other = await InstanceClient.ready(ann);
    const before = [(await masterKey(app)).wrappedKey, (await masterKey(other)).wrappedKey];
    await system.restart();
    await app.authenticate();
    await other.authenticate();
    const again = await masterKey(app);
    const next = await askedMeanwhile(() => masterKey(other));
    expect([again.wrappedKey, next.result.wrappedKey]).toEqual(before);
    expect(next.asked).toEqual(["Sign"]);
  });

  it("W12 is given to a revoked instance no more", async () => {
    const fourth = await InstanceClient.ready(ann);
    await masterKey(fourth);
    await ann.rest("DELETE", `/ra/instances/${fourth.enrolled.instance}`);
    const challenge = newChallenge();
    expect(problem(await fourth.rest("POST", "/instances/master-key", { challenge }))).toBe(
      "403 not-recipient",
    );
    expect(problem(await app.rest("POST", "/instances/master-key", { challenge: "short" }))).toBe(
      "400 bad-request",
    );
  });

  it("W12 nothing of it stays at KMS and HSM for an instance that was revoked, nor when its sign-in ends", async () => {
    const kim = await EdgeClient.signedIn(system, "Kim");
    const both = [await InstanceClient.ready(kim), await InstanceClient.ready(kim)] as const;
    const [one, two] = both.map(({ enrolled }) => enrolled.instance) as [string, string];
    for (const by of both) await masterKey(by);
    const names = await Promise.all([one, two].map(nameOfMaster));
    const atHsm = () => Promise.all(names.map(inHsm));
    const atKms = () =>
      readRows(system.edgeDir, "encrypted_masters")
        .map(({ instance }) => instance)
        .filter((id) => id === one || id === two);
    expect(await atHsm()).toEqual([1, 1]);
    expect((await kim.rest("DELETE", `/ra/instances/${one}`)).status).toBe(204);
    expect(await atHsm()).toEqual([0, 1]);
    expect(atKms()).toEqual([two]);
    // Told again, or of what never was, it changes nothing.
    const { user } = readRows(system.edgeDir, "instances").find(({ id }) => id === one)!;
    const told = (of: string, instances: string[]) =>
      answerOf(
        callDoor(system, "KMS_FOR_RA.instancesEnded", {
          tenant: "development",
          user: of,
          instances,
        } as never),
      );
    expect(await told(String(user), [one, "another"])).toBe("ok");
    expect(await told("nobody", [two])).toBe("ok");
    expect(await atHsm()).toEqual([0, 1]);
    await masterKey(both[1]);
    expect((await kim.vaultPost("/sign-out", {})).status).toBe(204);
    await expect.poll(atHsm, { timeout: 10_000 }).toEqual([0, 0]);
    await expect.poll(atKms).toEqual([]);
  });

  it("W12 of a master key that was revoked is given no more, though it is kept", async () => {
    const jo = await EdgeClient.signedIn(system.tenant("ended"), "Jo");
    const hers = await InstanceClient.ready(jo);
    const ask = async () =>
      (await hers.rest("POST", "/instances/master-key", { challenge: newChallenge() })).status;
    expect(await ask()).toBe(200);
    const officer = await hsmClient(system, IDENTITY.officer);
    const { uniqueIdentifier } = await officer.request("Locate", {
      attributes: { name: named(masterKeyName("ended")) },
    });
    await officer.request("Revoke", {
      uniqueIdentifier: uniqueIdentifier[0]!,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
    });
    officer.close();
    // Before the time is over for which it is kept, and that after which it is looked after.
    const timeout = (KEPT_SECONDS - 5) * 1000;
    await expect.poll(ask, { timeout, interval: 500 }).not.toBe(200);
  });
});
