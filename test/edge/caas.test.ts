/** The CaaS on the real parts (M16): what it does for whom, what it refuses, and that no key is anywhere on the way. */

import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { operations } from "#protocol/contract/index.ts";
import { splitMessage } from "#protocol/envelope/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { caasHost, sayOperations } from "../hosts/caas.ts";
import { type ContractHost, operated } from "../hosts/contract.ts";
import { scanBytes } from "../memory/index.ts";
import { answerOf, bytesOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { hsmClient } from "../system/hsm.ts";
import { needlesOf, readRows, useSystem, watchKeys, watchTraffic } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const COMMIT = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
const MAC = "HMAC-SHA256-HKDF-SHA512";
const system = useSystem({
  otherApps: ["other"],
  otherTenants: ["umbrella"],
  vars: { COFFER_OPERATIONS_PER_MINUTE: "120" },
});
const data = encodeBase64url(utf8("a letter to the CaaS"));
let ann: EdgeClient;
let bob: EdgeClient;
let host: ContractHost;

beforeAll(async () => {
  [ann, bob] = await Promise.all([EdgeClient.signedIn(system, "Ann"), EdgeClient.signedIn(system, "Bob")]);
  host = caasHost(ann);
});
beforeEach(() => sayOperations(system, true));

const ask = (of: ContractHost, operation: keyof typeof operations, body: unknown) =>
  of.send("POST", operations[operation].path, { body });
const nameOf = (edk: string) => {
  const { keyId, keyVersion } = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
  return `${keyId}.${keyVersion}`;
};
const entries = () => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));
/** What is recorded of a key. */
const rowsOf = (edk: string) => entries().filter(({ resource }) => resource === `key/${nameOf(edk)}`);
const describeIt = async (edk: string) =>
  json<{ releases: number }>(await ann.rest("GET", `/kms/accounts/${ann.account}/keys/${nameOf(edk)}`));

async function everything(of: ContractHost, key: string, macKey: string, message: string) {
  const context = of.context();
  const asked: [keyof typeof operations, unknown][] = [
    ["encrypt", { key, context, data }],
    ["decrypt", { context, message }],
    ["mac", { key: macKey, data }],
    ["macVerify", { key: macKey, data, mac: "A".repeat(43) }],
  ];
  return Promise.all(asked.map(async ([operation, body]) => problem(await ask(of, operation, body))));
}

it("M16 the CaaS does nothing for a tenant whose officer has not allowed it, and nothing any more once it is forbidden", async () => {
  const [key, macKey] = [await host.key(COMMIT), await host.key(MAC)];
  const context = host.context();
  const { message } = await operated(host, "encrypt", { key, context, data });
  await sayOperations(system, false);
  expect(await everything(host, key, macKey, message)).toEqual(Array(4).fill("403 forbidden"));
  expect(problem(await ask(host, "hash", { algorithm: "SHA-256", data }))).toBe("403 forbidden");
  expect(problem(await ask(host, "random", { length: 8 }))).toBe("403 forbidden");
  // Nobody has said anything of the other tenant.
  const zoe = await EdgeClient.signedIn(system.tenant("umbrella"), "Zoe");
  const theirs = caasHost(zoe);
  const asked = { key: await theirs.key(COMMIT), context: theirs.context(), data };
  expect(problem(await ask(theirs, "encrypt", asked))).toBe("403 forbidden");
  expect(problem(await ask(theirs, "random", { length: 8 }))).toBe("403 forbidden");
  await sayOperations(system, true);
  expect(await operated(host, "decrypt", { context, message })).toEqual({ data });
});

it("M16 the CaaS works for members of the account in the app that had the key made, and for nobody else", async () => {
  const [key, macKey] = [await host.key(COMMIT), await host.key(MAC)];
  const { message } = await operated(host, "encrypt", { key, context: host.context(), data });
  const other = await EdgeClient.signedIn(
    { appOrigin: system.origin("other"), vaultOrigin: system.vaultOrigin },
    "Ann",
  );
  const zoe = await EdgeClient.signedIn(system.tenant("umbrella"), "Zoe");
  for (const client of [bob, other, zoe]) {
    const foreign = { ...caasHost(client), context: host.context };
    expect(await everything(foreign, key, macKey, message)).toEqual(Array(4).fill("403 forbidden"));
  }
  // A reader opens and verifies, and no more.
  const at = `/accounts/${ann.account}/members`;
  const user = bob.tokens.user.id;
  expect((await ann.rest("POST", at, { user, role: "reader" })).status).toBe(204);
  const reader = { ...caasHost(bob), context: host.context };
  expect(await operated(reader, "decrypt", { context: host.context(), message })).toEqual({ data });
  expect(problem(await ask(reader, "encrypt", { key, context: host.context(), data }))).toBe("403 forbidden");
  expect(problem(await ask(reader, "mac", { key: macKey, data }))).toBe("403 forbidden");
  expect((await ann.rest("DELETE", `${at}/${user}`)).status).toBe(204);
  expect(problem(await ask(reader, "decrypt", { context: host.context(), message }))).toBe("403 forbidden");
});

it("M16 M12 the CaaS keeps to the key's policy, and to a tier, which nobody has here", async () => {
  const made = async (policy: KeyPolicy) => {
    const order = { account: ann.account, count: 1, purpose: "document", policy };
    return json<{ edks: [string] }>(await ann.rest("POST", "/kms/data-keys", order)).edks[0];
  };
  const context = host.context();
  const encrypting = await made({ operations: ["encrypt"] });
  const { message } = await operated(host, "encrypt", { key: encrypting, context, data });
  expect(problem(await ask(host, "decrypt", { context, message }))).toBe("403 forbidden");
  for (const policy of [
    { operations: ["decrypt"] },
    { operations: ["encrypt"], tier: "hardware" },
    { operations: ["encrypt"], tier: "software" },
    { operations: ["encrypt"], principals: [bob.tokens.custodian.dn] },
    { operations: ["encrypt"], denied: [ann.tokens.custodian.dn] },
  ] as KeyPolicy[])
    expect(problem(await ask(host, "encrypt", { key: await made(policy), context, data }))).toBe(
      "403 forbidden",
    );
});

it("M16 the CaaS has no key that is disabled, scheduled for deletion or altered, and records each decision", async () => {
  const key = await host.key(MAC);
  const at = `/kms/accounts/${ann.account}/keys/${nameOf(key)}`;
  const { mac } = await operated(host, "mac", { key, data });
  expect((await describeIt(key)).releases).toBe(1);
  expect((await ann.rest("PUT", at, { state: "disabled" })).status).toBe(200);
  expect(problem(await ask(host, "macVerify", { key, data, mac }))).toBe("403 forbidden");
  const ends = seconds(Date.now()) + 3 * 24 * 3600;
  expect((await ann.rest("PUT", at, { state: "enabled", ends })).status).toBe(200);
  expect(problem(await ask(host, "macVerify", { key, data, mac }))).toBe("403 forbidden");
  expect((await ann.rest("PUT", at, { ends: null })).status).toBe(200);
  expect(await operated(host, "macVerify", { key, data, mac })).toEqual({ valid: true });
  const [header, payload, signature] = key.split(".") as [string, string, string];
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, account: bob.account })).toString("base64url");
  for (const edk of [`${header}.${forged}.${signature}`, `${header}.${payload}.${"A".repeat(86)}`])
    expect(problem(await ask(host, "mac", { key: edk, data }))).toBe("409 key-missing");
  await expect
    .poll(() => rowsOf(key).map(({ action, outcome }) => `${action} ${outcome}`))
    .toEqual(
      expect.arrayContaining([
        "kms:mac allow",
        "kms:answer allow",
        "kms:macVerify deny",
        "kms:macVerify allow",
      ]),
    );
});

it("M16 the CaaS works with the tenant's own keys, and with what is longest", async () => {
  const order = { count: 1, purpose: "data", algorithm: COMMIT };
  const [key] = json<{ edks: [string] }>(await ann.rest("POST", "/kms/data-keys", order)).edks;
  const context = { tenant: ann.tokens.tenant, purpose: "data" };
  const longest = encodeBase64url(new Uint8Array(1 << 20).map((_, index) => index % 253));
  const { message } = await operated(host, "encrypt", { key, context, data: longest });
  expect((await operated(host, "decrypt", { context, message })).data === longest).toBe(true);
  // It names its custodian alone.
  const theirs = { ...caasHost(bob), context: () => context };
  expect(problem(await ask(theirs, "decrypt", { context, message }))).toBe("403 forbidden");
});

it("M16 a CaaS whose code was changed chooses no message id, nonce or header, and has nothing done beyond the bounds", async () => {
  const caller = callerOf(ann);
  const key = await host.key(COMMIT);
  const other = await host.key(COMMIT);
  const context = host.context();
  const bytes = (text: string) => bytesOf(Buffer.from(text, "base64url"));
  const asCaas = (operation: string, asked: object, edk = key) =>
    callDoor<{ message: { $bytes: string } }>(system, `KMS_FOR_CAAS.${operation}`, caller, edk, {
      operation,
      ...asked,
    });
  // As it asked before, with an id that it has seen and a header and nonces of its own.
  const { message: seen } = await operated(host, "encrypt", { key, context, data });
  const { header, pieces } = splitMessage(new Uint8Array(Buffer.from(seen, "base64url")));
  const own = {
    messageId: bytesOf(header.messageId),
    start: bytesOf(header.body),
    pieces: pieces.map(({ iv, additionalData }) => ({
      ...{ iv: bytesOf(iv), additionalData: bytesOf(additionalData), bytes: bytes(data) },
    })),
  };
  expect(await answerOf(asCaas("encrypt", { context, ...own }))).not.toBe("ok");
  const made: string[] = [];
  for (const plain of [data, encodeBase64url(utf8("another letter"))]) {
    const done = await asCaas("encrypt", { context, ...own, data: bytes(plain) });
    if (!done.ok) throw new Error(done.problem.code);
    const message = new Uint8Array(Buffer.from(done.value.message.$bytes, "base64"));
    const said = splitMessage(message).header;
    expect(said.context).toEqual(context);
    expect(new TextDecoder().decode(said.encryptedDataKeys[0]?.encryptedDataKey)).toBe(key);
    made.push(encodeBase64url(said.messageId));
    // It is a good message, of what was to be encrypted.
    expect(await operated(host, "decrypt", { context, message: encodeBase64url(message) })).toEqual({
      data: plain,
    });
  }
  expect(new Set([encodeBase64url(header.messageId), ...made]).size).toBe(3);
  // Of a message that it takes apart, the header is read by the KMS: with another id, context or key it is none.
  const swapped = (at: number) => {
    const copy = Buffer.from(seen, "base64url");
    copy[at]! ^= 1;
    return { context, message: bytesOf(copy) };
  };
  expect(await answerOf(asCaas("decrypt", swapped(5))), "the message id").toBe("decrypt-failed");
  expect(await answerOf(asCaas("decrypt", swapped(60))), "the context").toBe("decrypt-failed");
  const elsewhere = { context: { ...context, document: crypto.randomUUID() }, message: bytes(seen) };
  expect(await answerOf(asCaas("decrypt", elsewhere))).toBe("decrypt-failed");
  expect(await answerOf(asCaas("decrypt", { context, message: bytes(seen) }, other))).toBe("decrypt-failed");
  expect(await answerOf(asCaas("decrypt", { context, message: bytes(seen) }))).toBe("ok");
  // Bounds that the gateway has looked at are the KMS's too.
  const long = bytesOf(new Uint8Array((1 << 20) + 1));
  const longer = bytesOf(new Uint8Array((1 << 20) + (1 << 17)));
  expect(await answerOf(asCaas("encrypt", { context, data: long }))).toBe("too-large");
  expect(await answerOf(asCaas("decrypt", { context, message: longer }))).toBe("too-large");
  const macKey = await host.key(MAC);
  expect(await answerOf(asCaas("mac", { data: long }, macKey))).toBe("too-large");
  expect(await answerOf(asCaas("macVerify", { data: bytes(data), mac: bytes(data) }, macKey))).toBe(
    "bad-request",
  );
  const without = (asked: object) => answerOf(callDoor(system, "KMS_FOR_CAAS.withoutKey", caller, asked));
  expect(await without({ operation: "random", length: 1 << 24 })).toBe("too-large");
  expect(await without({ operation: "hash", algorithm: "SHA-256", data: long })).toBe("too-large");
});

it("M16 no key byte passes the edge, no content the log, and nothing is left at the HSM", async () => {
  const [watched, traffic] = [watchKeys(), watchTraffic()];
  const [key, macKey] = [await host.key(COMMIT), await host.key(MAC)];
  const context = host.context();
  const { message } = await operated(host, "encrypt", { key, context, data });
  await operated(host, "decrypt", { context, message });
  await operated(host, "mac", { key: macKey, data });
  const altered = Buffer.from(message, "base64url");
  altered[altered.length - 1]! ^= 1;
  const refused = { context, message: altered.toString("base64url") };
  expect(problem(await ask(host, "decrypt", refused))).toBe("422 decrypt-failed");
  watched.stop();
  traffic.stop();
  for (const keyClass of ["message", "mac", "data", "account"] as const) {
    const keys = watched.ofClass(keyClass);
    expect(keys.length, keyClass).toBeGreaterThan(0);
    const needles = needlesOf(keys);
    expect(scanBytes(traffic.bytes(), needles, "KMIP")).toEqual([]);
    expect(scanBytes(Buffer.from(system.log()), needles, "log")).toEqual([]);
  }
  expect(system.log()).not.toContain("a letter to the CaaS");
  expect(system.log()).not.toContain(data);
  const kms = await hsmClient(system, IDENTITY.kms);
  const { uniqueIdentifier } = await kms.request("Locate", { attributes: { objectType: "SymmetricKey" } });
  for (const uid of uniqueIdentifier) {
    const { attributes } = await kms.request("GetAttributes", {
      uniqueIdentifier: uid,
      attributeReference: ["name"],
    });
    expect(attributes.name?.[0]?.nameValue, "not of a batch").not.toMatch(/^kms\//);
  }
  kms.close();
});

it("M16 the CaaS has nothing of an account that is shredded, and is bounded", async () => {
  const cat = await EdgeClient.signedIn(system, "Cat");
  const theirs = caasHost(cat);
  const key = await theirs.key(MAC);
  const answers: Record<string, number> = {};
  for (let round = 0; round < 8; round++) {
    const some = Array.from({ length: 40 }, () => ask(theirs, "mac", { key, data }));
    for (const { status } of await Promise.all(some)) answers[status] = (answers[status] ?? 0) + 1;
    if (answers[429]) break;
  }
  expect(answers[200]).toBeGreaterThan(100);
  expect(answers[429]).toBeGreaterThan(0);
  expect((await cat.rest("POST", `/accounts/${cat.account}/deletion`, { days: 7 })).status).toBeLessThan(300);
  expect(problem(await ask(theirs, "mac", { key, data }))).toMatch(/^403 /);
}, 120_000);
