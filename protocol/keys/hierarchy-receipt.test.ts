import { beforeAll, expect, it } from "vitest";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { encodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { digest } from "../digest.ts";
import {
  type Awaited,
  joinJws,
  jwkFromSpki,
  proofInput,
  signingInput,
  type TrustList,
  thumbprint,
  trustListPayload,
  verifyAccountReceipt,
  verifyMasterReceipt,
  verifyReceipt,
} from "./index.ts";

const NOW = 1_800_000_000;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

let trust: TrustList;
let signed: (payload: object) => Promise<string>;
let awaited: Awaited;
let master: { [member: string]: unknown };

beforeAll(async () => {
  const pair = await crypto.subtle.generateKey(ECDSA, false, ["sign", "verify"]);
  const key = jwkFromSpki(new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey)));
  trust = await trustListPayload([{ key, purpose: "receipt" }], { serial: 1, iat: NOW - 1, exp: NOW + 1000 });
  const kid = await thumbprint(key);
  signed = async (payload) => {
    const input = signingInput({ typ: SIGN_TYPE.receipt, kid }, payload);
    return joinJws(input, new Uint8Array(await crypto.subtle.sign(ECDSA, pair.privateKey, utf8(input))));
  };
  awaited = {
    wrappedKey: new Uint8Array(384).fill(7),
    recipient: await digest("certificate"),
    tenant: "acme",
    challenge: encodeBase64url(new Uint8Array(32).fill(9)),
    now: NOW,
  };
  const { recipient, tenant, challenge, wrappedKey } = awaited;
  master = {
    ...{ version: 1, kind: "master", wrappedKeyDigest: await digest(wrappedKey), keyId: "7", keyVersion: 1 },
    ...{ recipient, tenant, challenge, iat: NOW, exp: NOW + 60 },
  };
});

it("takes the receipt of what was asked for", async () => {
  expect(await verifyMasterReceipt(await signed(master), trust, awaited)).toEqual(master);
  const account = { ...master, kind: "account", account: "matter-1" };
  const asked = { ...awaited, account: "matter-1" };
  expect(await verifyAccountReceipt(await signed(account), trust, asked)).toEqual(account);
});

it("takes none for another challenge, recipient, tenant, account or wrapped key, none of another kind, and none after its end", async () => {
  const receipt = await signed(master);
  const otherBytes = { wrappedKey: new Uint8Array(384) };
  for (const other of [
    { challenge: encodeBase64url(new Uint8Array(32)) },
    { recipient: await digest("another") },
    { tenant: "other" },
    otherBytes,
  ])
    await expect(verifyMasterReceipt(receipt, trust, { ...awaited, ...other })).rejects.toMatchObject({
      code: "jws-payload",
    });
  const late = { ...awaited, now: NOW + 60 };
  await expect(verifyMasterReceipt(receipt, trust, late)).rejects.toMatchObject({ code: "jws-expired" });
  const refused = { code: "jws-payload" };
  const asked = { ...awaited, account: "matter-1" };
  await expect(verifyAccountReceipt(receipt, trust, asked)).rejects.toMatchObject(refused);
  const account = await signed({ ...master, kind: "account", account: "matter-2" });
  await expect(verifyAccountReceipt(account, trust, asked)).rejects.toMatchObject(refused);
  await expect(verifyMasterReceipt(account, trust, awaited)).rejects.toMatchObject(refused);
  await expect(verifyReceipt(receipt, trust, { ...awaited, edk: "a.b.c" })).rejects.toMatchObject(refused);
});

it("W3, W9 takes a receipt of an earlier start with the proof of its own key for this challenge, and no other proof", async () => {
  const makeKey = async () => {
    const pair = await crypto.subtle.generateKey(ECDSA, false, ["sign", "verify"]);
    const jwk = jwkFromSpki(new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey)));
    const prove = async (receipt: string, challenge: string) => {
      const input = utf8(proofInput(receipt, challenge));
      return encodeBase64url(new Uint8Array(await crypto.subtle.sign(ECDSA, pair.privateKey, input)));
    };
    return { jwk, prove };
  };
  const { jwk, prove } = await makeKey();
  const earlier = encodeBase64url(new Uint8Array(32).fill(3));
  const said = { ...master, challenge: earlier, cnf: { jwk } };
  const receipt = await signed(said);
  const { challenge } = awaited;
  const proof = await prove(receipt, challenge);
  const take = (token: string, more: Partial<Awaited & { proof: string }>) =>
    verifyMasterReceipt(token, trust, { ...awaited, ...more });
  expect(await take(receipt, { proof })).toEqual(said);
  // To the start that the HSM has signed it for it needs none.
  expect(await take(receipt, { challenge: earlier })).toEqual(said);
  const refused = { code: "jws-payload" };
  await expect(take(receipt, {})).rejects.toMatchObject(refused);
  const another = await signed({ ...said, keyId: "8" });
  const changed = proof.startsWith("A") ? `B${proof.slice(1)}` : `A${proof.slice(1)}`;
  for (const forged of [
    await (await makeKey()).prove(receipt, challenge),
    await prove(receipt, earlier),
    await prove(another, challenge),
    ...[changed, "", "*", proof.slice(0, 40)],
  ])
    await expect(take(receipt, { proof: forged }), forged).rejects.toMatchObject(refused);
  // A key that the HSM has not named: in a receipt without one, in another's, at a key that is none.
  const bare = await signed({ ...master, challenge: earlier });
  await expect(take(bare, { proof: await prove(bare, challenge) })).rejects.toMatchObject(refused);
  const swapped = await signed({ ...said, cnf: { jwk: (await makeKey()).jwk } });
  await expect(take(swapped, { proof: await prove(swapped, challenge) })).rejects.toMatchObject(refused);
  const none = await signed({ ...said, cnf: { jwk: { ...jwk, x: "A".repeat(43) } } });
  await expect(take(none, { proof: await prove(none, challenge) })).rejects.toMatchObject(refused);
  await expect(take(receipt, { proof, now: NOW + 60 })).rejects.toMatchObject({ code: "jws-expired" });
  for (const other of [{ recipient: await digest("another") }, { wrappedKey: new Uint8Array(384) }])
    await expect(take(receipt, { proof, ...other })).rejects.toMatchObject(refused);
  // An account key's receipt names none.
  const account = await signed({ ...said, kind: "account", account: "matter-1" });
  const asked = { ...awaited, challenge: earlier, account: "matter-1" };
  await expect(verifyAccountReceipt(account, trust, asked)).rejects.toMatchObject(refused);
});
