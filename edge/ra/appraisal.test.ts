/** What the registration authority believes of its verifier: results that the verifier's own code signs, as a faulty service would hand them on. */
import { beforeAll, describe, expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import { type Appraisal, signResult, type VerifierKey } from "#protocol/evidence/index.ts";
import { audienceOf, RESULTS_ISSUER } from "../attestation.ts";
import { fail, ok, type Result } from "../result.ts";
import { appraisalOf } from "./appraisal.ts";

const tenant = "acme";
const audience = audienceOf(tenant);
const presented = {
  ...{ type: "t", evidence: new Uint8Array(9), subject: "s" },
  nonce: new Uint8Array(32).fill(1),
  key: new Uint8Array(91).fill(2),
};
const good: Appraisal = { ok: true, policy: "p", tier: "emulated", measurements: { code: "ab" } };

let signer: VerifierKey;
let other: VerifierKey;
const newSigner = async (issuer = RESULTS_ISSUER): Promise<VerifierKey> => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const sign: VerifierKey["sign"] = async (bytes) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, bytes));
  return { issuer, publicKey: { kty: "EC", crv: "P-256", x, y }, sign };
};
beforeAll(async () => {
  signer = await newSigner();
  other = await newSigner();
});

type Change = { nonce?: Uint8Array; key?: Uint8Array; audience?: string };
const result = (change: Change = {}, by = signer, appraisal = good, at = seconds(Date.now())) =>
  signResult(by, { audience, nonce: presented.nonce, key: presented.key, ...change }, appraisal, at);

const ask = (answer: () => Promise<Result<string>>, patience?: number) =>
  appraisalOf(
    { appraise: answer, accepts: async () => ok([]) },
    { tenant, publicKey: JSON.stringify(signer.publicKey) },
    presented,
    patience,
  );
const believed = async (token: Promise<string>) => ask(async () => ok(await token));

describe("M1 M20 results of the verifier", () => {
  it("are taken as they say: what is good, and why something is not", async () => {
    expect(await believed(result())).toEqual(good);
    const bad: Appraisal = { ok: false, policy: "p", reason: "another nonce" };
    expect(await believed(result({}, signer, bad))).toEqual(bad);
  });

  it("M20 are refused when replayed: for another nonce, key or tenant, or of another time", async () => {
    await expect(believed(result({ nonce: new Uint8Array(32) }))).rejects.toThrow("another nonce");
    await expect(believed(result({ key: new Uint8Array(91) }))).rejects.toThrow("another key");
    await expect(believed(result({ audience: audienceOf("other") }))).rejects.toThrow("another audience");
    const now = seconds(Date.now());
    await expect(believed(result({}, signer, good, now - 61))).rejects.toThrow("another time");
    await expect(believed(result({}, signer, good, now + 400))).rejects.toThrow("another time");
  });

  it("M20 are refused unless its own key signed them", async () => {
    await expect(believed(result({}, other))).rejects.toThrow("no such key");
    const known = { ...other, publicKey: signer.publicKey };
    await expect(believed(result({}, known))).rejects.toThrow("signature does not verify");
    await expect(believed(result({}, { ...signer, issuer: "urn:other" }))).rejects.toThrow(
      "another verifier",
    );
    const [header, payload, signature] = (await result()).split(".");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.${signature}`;
    await expect(believed(Promise.resolve(none))).rejects.toThrow("header");
    await expect(believed(Promise.resolve(`${header}.${payload}.`))).rejects.toThrow();
  });

  it("are not there while it is down, slow, or has no key", async () => {
    await expect(ask(() => Promise.reject(new Error("network")))).rejects.toThrow("it cannot be reached");
    await expect(ask(() => new Promise(() => {}), 5)).rejects.toThrow("it does not answer");
    await expect(ask(async () => fail("internal"))).rejects.toThrow("it appraises nothing");
    const unset = appraisalOf(
      { appraise: async () => ok(await result()), accepts: async () => ok([]) },
      { tenant, publicKey: "" },
      presented,
    );
    await expect(unset).rejects.toThrow("no public key");
  });
});
