/** Keys that sign on the real parts (M17): who has them made, given and used, and that no private half is anywhere in clear. */

import { createPublicKey } from "node:crypto";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { operations } from "#protocol/contract/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { AccountEdk, Load } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { caasHost, sayOperations } from "../hosts/caas.ts";
import { type ContractHost, isSigned, operated } from "../hosts/contract.ts";
import { scanBytes } from "../memory/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { hsmClient } from "../system/hsm.ts";
import { needlesOf, useSystem, watchKeys, watchTraffic } from "../system/index.ts";

const system = useSystem({ otherApps: ["other"], otherTenants: ["umbrella"] });
const data = encodeBase64url(utf8("what is signed"));
let ann: EdgeClient;
let host: ContractHost;
let keys: Keys;
let enrolled: EnrolmentAnswer;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  host = caasHost(ann);
  keys = await makeKeys();
  enrolled = json(await enrol(ann, keys));
});
beforeEach(() => sayOperations(system, true));

const ask = (of: ContractHost, operation: keyof typeof operations, body: unknown) =>
  of.send("POST", operations[operation].path, { body });
const said = (edk: string): AccountEdk => JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
const load = (client: EdgeClient, edk: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: enrolled.wrappingCertificate });
const order = (more: object = {}) =>
  ann.rest("POST", "/kms/data-keys", {
    ...{ account: ann.account, count: 1, purpose: "signature", algorithm: "ES256" },
    ...more,
  });
const made = async (policy?: KeyPolicy) =>
  json<{ edks: [string] }>(await order(policy && { policy })).edks[0];

it("M17 a pair is made in the HSM and given to an instance by a key of its own, which opens it there alone", async () => {
  const edk = await made();
  const { signing, ...rest } = said(edk);
  expect(rest).toMatchObject({
    algorithm: "ES256",
    purpose: "signature",
    policy: { operations: ["sign", "verify"] },
  });
  const { wrappedKey, receipt } = json<Load>(await load(ann, edk));
  expect(receipt.length).toBeGreaterThan(100);
  const { subtle } = crypto;
  const bytes = decodeBase64url(signing!.privateKey);
  const by = await subtle.unwrapKey(
    ...(["raw", decodeBase64url(wrappedKey), keys.wrapping.privateKey, { name: "RSA-OAEP" }] as const),
    ...(["AES-GCM", false, ["unwrapKey"]] as const),
  );
  const gcm = { name: "AES-GCM", iv: bytes.slice(0, 12) };
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await subtle.unwrapKey("pkcs8", bytes.slice(12), by, gcm, curve, false, ["sign"]);
  const signature = new Uint8Array(
    await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, decodeBase64url(data)),
  );
  const verified = { key: edk, data, signature: encodeBase64url(signature) };
  expect(await operated(host, "verify", verified)).toEqual({ valid: true });
  const spki = { key: Buffer.from(signing!.publicKey, "base64url"), format: "der", type: "spki" } as const;
  const theirs = await operated(host, "sign", { key: edk, data });
  expect(
    isSigned("ES256", createPublicKey(spki), decodeBase64url(data), decodeBase64url(theirs.signature)),
  ).toBe(true);
});

it("M17 no byte of a private half or of what it is under passes the edge, and nothing of them is left at the HSM", async () => {
  const [watched, traffic] = [watchKeys(), watchTraffic()];
  for (const algorithm of ["ES256", "Ed25519", "PS256"]) {
    const { edks } = json<{ edks: [string] }>(await order({ algorithm }));
    await operated(host, "sign", { key: edks[0], data });
    expect((await load(ann, edks[0])).status).toBe(200);
  }
  watched.stop();
  traffic.stop();
  // What a pair is under has a class of its own: it passes for no data key, which more could be done with.
  expect(watched.ofClass("data")).toEqual([]);
  for (const keyClass of ["signing", "signature"] as const) {
    const found = watched.ofClass(keyClass);
    expect(found.length, keyClass).toBeGreaterThanOrEqual(3);
    const needles = needlesOf(found);
    expect(scanBytes(traffic.bytes(), needles, "KMIP")).toEqual([]);
    expect(scanBytes(Buffer.from(system.log()), needles, "log")).toEqual([]);
  }
  expect(system.log()).not.toContain("what is signed");
  const kms = await hsmClient(system, IDENTITY.kms);
  for (const objectType of ["SymmetricKey", "PrivateKey", "PublicKey"] as const) {
    const { uniqueIdentifier } = await kms.request("Locate", { attributes: { objectType } });
    for (const uid of uniqueIdentifier) {
      const { attributes } = await kms.request("GetAttributes", {
        uniqueIdentifier: uid,
        attributeReference: ["name"],
      });
      expect(attributes.name?.[0]?.nameValue, "not of a batch").not.toMatch(/^kms\//);
    }
  }
  kms.close();
});

it("M17 signs for members of the account in the app that had the key made; a reader verifies", async () => {
  const edk = await made();
  const { signature } = await operated(host, "sign", { key: edk, data });
  const bob = await EdgeClient.signedIn(system, "Bob");
  const same = await EdgeClient.signedIn(
    { appOrigin: system.origin("other"), vaultOrigin: system.vaultOrigin },
    "Ann",
  );
  const zoe = await EdgeClient.signedIn(system.tenant("umbrella"), "Zoe");
  for (const client of [bob, same, zoe]) {
    const theirs = caasHost(client);
    expect(problem(await ask(theirs, "sign", { key: edk, data }))).toBe("403 forbidden");
    expect(problem(await ask(theirs, "verify", { key: edk, data, signature }))).toBe("403 forbidden");
    expect(problem(await ask(theirs, "publicKey", { key: edk }))).toBe("403 forbidden");
    expect(problem(await load(client, edk))).toMatch(/^403 /);
  }
  const at = `/accounts/${ann.account}/members`;
  const user = bob.tokens.user.id;
  expect((await ann.rest("POST", at, { user, role: "reader" })).status).toBe(204);
  const reader = caasHost(bob);
  expect(await operated(reader, "verify", { key: edk, data, signature })).toEqual({ valid: true });
  expect(problem(await ask(reader, "sign", { key: edk, data }))).toBe("403 forbidden");
  expect((await ann.rest("DELETE", `${at}/${user}`)).status).toBe(204);
});

it("M17 M12 keeps to what the key's policy says of signing and of verifying", async () => {
  const signing = await made({ operations: ["sign"] });
  const verifying = await made({ operations: ["verify"] });
  const { signature } = await operated(host, "sign", { key: signing, data });
  expect(problem(await ask(host, "verify", { key: signing, data, signature }))).toBe("403 forbidden");
  expect(problem(await ask(host, "publicKey", { key: signing }))).toBe("403 forbidden");
  expect(problem(await ask(host, "sign", { key: verifying, data }))).toBe("403 forbidden");
  expect(await operated(host, "verify", { key: verifying, data, signature })).toEqual({ valid: false });
  const policies: KeyPolicy[] = [
    { operations: ["sign"], tier: "hardware" },
    { operations: ["sign"], denied: [ann.tokens.custodian.dn] },
    { operations: ["sign"], expires: seconds(Date.now()) - 60 },
    // What its kind cannot do no policy gives it.
    { operations: ["encrypt", "mac"] },
  ];
  for (const policy of policies)
    expect(problem(await ask(host, "sign", { key: await made(policy), data }))).toBe("403 forbidden");
});

it("M17 signs with no key that is disabled, to be deleted or altered, and without the officer's word with none", async () => {
  const edk = await made();
  const { keyId, keyVersion } = said(edk);
  const at = `/kms/accounts/${ann.account}/keys/${keyId}.${keyVersion}`;
  const { signature } = await operated(host, "sign", { key: edk, data });
  expect((await ann.rest("PUT", at, { state: "disabled" })).status).toBe(200);
  expect(problem(await ask(host, "sign", { key: edk, data }))).toBe("403 forbidden");
  expect(problem(await load(ann, edk))).toBe("403 forbidden");
  const ends = seconds(Date.now()) + 3 * 24 * 3600;
  expect((await ann.rest("PUT", at, { state: "enabled", ends })).status).toBe(200);
  expect(problem(await ask(host, "sign", { key: edk, data }))).toBe("403 forbidden");
  expect((await ann.rest("PUT", at, { ends: null })).status).toBe(200);
  const [header, , sealed] = edk.split(".");
  const payload = { ...said(edk), algorithm: "ES384" };
  const altered = [header, Buffer.from(JSON.stringify(payload)).toString("base64url"), sealed].join(".");
  expect(problem(await ask(host, "sign", { key: altered, data }))).toBe("409 key-missing");
  await sayOperations(system, false);
  expect(problem(await ask(host, "sign", { key: edk, data }))).toBe("403 forbidden");
  expect(problem(await ask(host, "verify", { key: edk, data, signature }))).toBe("403 forbidden");
  expect(problem(await ask(host, "publicKey", { key: edk }))).toBe("403 forbidden");
});

it("M17 makes pairs for accounts alone, few at a time, of the algorithms that there are, with a policy that fits", async () => {
  expect(problem(await order({ account: undefined }))).toBe("400 bad-request");
  expect(problem(await order({ count: 5 }))).toBe("400 bad-request");
  expect(problem(await order({ algorithm: "ES512" }))).toBe("400 bad-request");
  expect(problem(await order({ algorithm: "HMAC-SHA256-HKDF-SHA512" }))).toBe("400 bad-request");
  expect(problem(await order({ purpose: "data" }))).toBe("400 bad-request");
  const principals = Array.from({ length: 16 }, (_, n) => `CN=${"a".repeat(60)}${n},O=acme`);
  expect(problem(await order({ policy: { operations: ["sign"], principals } }))).toBe("400 bad-request");
});
