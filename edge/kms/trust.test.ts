import { beforeEach, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import {
  type EcPublicJwk,
  joinJws,
  jwkFromSpki,
  signingInput,
  TRUST_TYPE,
  thumbprint,
  trustListPayload,
} from "#protocol/keys/index.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import { Trust } from "./trust.ts";

const NOW = 1_700_000_000;
const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Signer = { jwk: EcPublicJwk; kid: string; spki: Uint8Array<ArrayBuffer>; key: CryptoKey };

async function signer(): Promise<Signer> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ES256, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const jwk = jwkFromSpki(spki);
  return { jwk, kid: await thumbprint(jwk), spki, key: privateKey };
}

async function signed({ kid, key }: Signer, typ: string, payload: object): Promise<string> {
  const input = signingInput({ typ, kid }, payload);
  return joinJws(input, new Uint8Array(await crypto.subtle.sign(ES256, key, utf8(input))));
}

const edkBy = (by: Signer) =>
  signed(by, SIGN_TYPE.edk, {
    version: 1,
    keyId: crypto.randomUUID(),
    keyVersion: 1,
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
    tenant: "acme",
    account: "matter-1",
    owner: "user-1",
    created: NOW - 10,
    purpose: "document",
    accountKey: { id: "ki-1", version: 1 },
    wrapping: "A256KW",
    wrappedKey: "A".repeat(54),
    policy: { operations: ["encrypt", "decrypt"] },
  });

let root: Signer;
let first: Signer;
let second: Signer;
let now: number;
let hsm: { list: string; reads: number };
let trust: Trust;

async function listOf(by: Signer, keys: Signer[], exp = NOW + 10_000): Promise<string> {
  const trusted = keys.map(({ jwk }) => ({ key: jwk, purpose: "edk" as const }));
  return signed(by, TRUST_TYPE, await trustListPayload(trusted, { serial: 1, iat: NOW - 10_000, exp }));
}

beforeEach(async () => {
  [root, first, second] = await Promise.all([signer(), signer(), signer()]);
  now = NOW;
  hsm = { list: await listOf(root, [first]), reads: 0 };
  const opaque = async () => {
    hsm.reads++;
    return utf8(hsm.list);
  };
  trust = new Trust({ opaque, publicKey: async () => root.spki }, () => now);
});

it("knows the key of a new list at once, and looks for one at most once a minute", async () => {
  await trust.verifyEdk(await edkBy(first));
  await trust.verifyEdk(await edkBy(first));
  expect(hsm.reads).toBe(1);
  const edk = await edkBy(second);
  for (now of [NOW + 1, NOW + 30, NOW + 59])
    await expect(trust.verifyEdk(edk)).rejects.toMatchObject({ code: "jws-key" });
  expect(hsm.reads).toBe(1);
  hsm.list = await listOf(root, [first, second]);
  now = NOW + 61;
  await expect(trust.verifyEdk(edk)).resolves.toMatchObject({ account: "matter-1" });
  expect(hsm.reads).toBe(2);
});

it("believes no key for more than a minute after it was taken off the list", async () => {
  const edk = await edkBy(second);
  hsm.list = await listOf(root, [first, second]);
  await trust.verifyEdk(edk);
  hsm.list = await listOf(root, [first]);
  now = NOW + 61;
  await expect(trust.verifyEdk(edk)).rejects.toMatchObject({ code: "jws-key" });
});

it.each<[string, () => Promise<string>]>([
  ["has ended", () => listOf(root, [first], NOW - 1000)],
  ["another root signed", () => listOf(second, [first])],
  ["is no list", async () => "not a list"],
])("blames the HSM, and not the EDK, for a trust list that %s", async (_, list) => {
  hsm.list = await list();
  await expect(trust.verifyEdk(await edkBy(first))).rejects.toBeInstanceOf(UnexpectedAnswer);
});

it("is read once for all objects of an isolate, which know a new list as soon as one of them does", async () => {
  const place = {};
  const opaque = async () => {
    hsm.reads++;
    return utf8(hsm.list);
  };
  const objects = Array.from(
    { length: 3 },
    () => new Trust({ opaque, publicKey: async () => root.spki }, () => now, place),
  );
  for (const object of objects) await object.verifyEdk(await edkBy(first));
  expect(hsm.reads).toBe(1);
  const edk = await edkBy(second);
  now = NOW + 61;
  await expect(objects[0]!.verifyEdk(edk)).rejects.toMatchObject({ code: "jws-key" });
  hsm.list = await listOf(root, [first, second]);
  now = NOW + 80;
  await expect(objects[1]!.verifyEdk(edk)).rejects.toMatchObject({ code: "jws-key" });
  expect(hsm.reads).toBe(2);
  now = NOW + 122;
  await objects[1]!.verifyEdk(edk);
  await objects[2]!.verifyEdk(edk);
  expect(hsm.reads).toBe(3);
});
