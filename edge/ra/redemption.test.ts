import { X509Certificate } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeEvidence, makePlatform, type Platform } from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { ENCLAVE_EVIDENCE, verifyEvidence } from "#protocol/evidence/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Caller } from "../caller.ts";
import { ok, refuse } from "../result.ts";
import { grantMethod } from "./methods/grant.ts";
import { type EnrolmentMethod, makeGrant, methodsFor, storeGrant } from "./methods/index.ts";
import { prepareRedemption } from "./redemption.ts";
import type { InstanceKeys } from "./request.ts";
import { MIGRATIONS } from "./schema.ts";
import { openSession } from "./session.ts";
import type { Applicant } from "./types.ts";

const NOW = 1_800_000_000;
const ANN = "a".repeat(32);
const anyone: Applicant = { tenant: "acme", user: null, origin: "https://vault.example", requestId: "r" };
const ann: Applicant = { tenant: "acme", user: ANN, origin: "https://vault.example", requestId: "r" };
const binding = { user: ANN, custodian: "CN=ann", client: "c", jkt: "k", origin: "https://app.example" };
const keys = { identityThumbprint: "thumb" } as InstanceKeys;

let platform: Platform;
let sql: SqlStorage;
beforeAll(async () => {
  platform = await makePlatform(new Date(NOW * 1000));
});
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

/**
 * A second method, as one would be added: evidence of the enclave emulator, bound to the session's nonce and to the keys,
 * with no cookie. It needs this object and its place in the table.
 */
const planted: EnrolmentMethod = {
  name: "attestation",
  challenge: { nonce: 48, signedIn: false },
  async prepare(credential) {
    if (!/^[\w-]{1,4096}$/.test(credential)) return null;
    const evidence = decodeBase64url(credential);
    return {
      consume: () =>
        ok(async ({ nonce, keys, now }) => {
          const roots = [new X509Certificate(platform.root).raw];
          const expected = { roots, nonce, subject: keys.identityThumbprint, now: now * 1000 };
          return verifyEvidence(ENCLAVE_EVIDENCE, evidence, expected).then(
            () => ok({ binding, tier: "emulated" as const }),
            (error: Error) => refuse("invalid-certificate", error.message),
          );
        }),
    };
  },
};
const METHODS = [planted, grantMethod];

function opened(by: Applicant, nonceBytes = planted.challenge.nonce) {
  const session = openSession(sql, by, NOW, nonceBytes);
  if (!session.ok) throw new Error("not open");
  return session.value;
}

const evidenceOver = (nonce: Uint8Array, client = "thumb") =>
  encodeBase64url(
    makeEvidence(platform, { nonce, client, measurement: "ab".repeat(32), now: new Date(NOW * 1000) }),
  );

async function redeem(by: Applicant, id: string, method: string, credential: string, methods = METHODS) {
  const redeemed = (await prepareRedemption(by, id, { method, credential }, methods))(sql, NOW);
  if (!redeemed.ok) return redeemed;
  const { nonce, verify } = redeemed.value;
  const appraise = () => Promise.reject(new Error("nobody is asked"));
  return verify({ nonce, keys, evidence: null, appraise, now: NOW });
}

async function grantOf(user: string) {
  const made = await makeGrant(user, NOW);
  const caller = { ...binding, user } as unknown as Caller;
  expect(storeGrant(sql, caller, made, NOW).ok).toBe(true);
  return made.grant;
}

describe("a method that needs no cookie", () => {
  it("is added by one object, which is asked for challenge, binding and tier", async () => {
    const { id, nonce } = opened(anyone);
    expect(nonce).toHaveLength(48);
    expect(await redeem(anyone, id, "attestation", evidenceOver(nonce))).toEqual({
      ok: true,
      value: { binding, tier: "emulated" },
    });
  });

  it("M20 refuses evidence for another session or another key, and uses the session up", async () => {
    const other = opened(anyone);
    const { id, nonce } = opened(anyone);
    expect(await redeem(anyone, id, "attestation", evidenceOver(other.nonce))).toMatchObject({
      ok: false,
      reason: "another nonce",
    });
    expect(await redeem(anyone, id, "attestation", evidenceOver(nonce))).toMatchObject({
      ok: false,
      reason: "enrolment unknown or already used",
    });
    expect(await redeem(anyone, other.id, "attestation", evidenceOver(other.nonce, "other"))).toMatchObject({
      ok: false,
      reason: "evidence of another client",
    });
  });

  it("M13 does not take the session of somebody who is signed in, nor the other way round", async () => {
    const hers = opened(ann);
    const nobodys = opened(anyone);
    expect(await redeem(anyone, hers.id, "attestation", evidenceOver(hers.nonce))).toMatchObject({
      problem: { code: "foreign-custodian" },
    });
    expect(await redeem(ann, nobodys.id, "attestation", evidenceOver(nobodys.nonce))).toMatchObject({
      problem: { code: "foreign-custodian" },
    });
    const again = opened(ann);
    expect((await redeem(ann, again.id, "attestation", evidenceOver(again.nonce))).ok).toBe(true);
  });
});

describe("the grant", () => {
  it("M3 is for the signed-in alone, in whatever session it is presented", async () => {
    expect(methodsFor(anyone).map(({ name }) => name)).toEqual(["attestation", "secret-zero"]);
    expect(methodsFor(anyone, METHODS)).toEqual([planted]);
    expect(methodsFor(ann).map(({ name }) => name)).toEqual(["attestation", "grant", "secret-zero"]);
    const grant = await grantOf(ANN);
    expect(await redeem(anyone, opened(anyone).id, "grant", grant)).toMatchObject({
      problem: { code: "bad-request" },
    });
    expect(await redeem(ann, opened(ann).id, "grant", grant)).toMatchObject({
      ok: true,
      value: { tier: "software" },
    });
  });

  it("M20 is used up with the session, whatever is wrong with the other", async () => {
    const [first, second] = [await grantOf(ANN), await grantOf(ANN)];
    expect(await redeem(ann, "unknown", "grant", first)).toMatchObject({ ok: false });
    expect(await redeem(ann, opened(ann).id, "grant", first)).toMatchObject({
      reason: "grant unknown or already used",
    });
    const { id } = opened(ann);
    expect(await redeem(ann, id, "another", second)).toMatchObject({ problem: { code: "bad-request" } });
    expect(await redeem(ann, id, "grant", second)).toMatchObject({
      reason: "enrolment unknown or already used",
    });
  });
});
