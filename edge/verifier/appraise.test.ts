import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  launchNitroEnclave,
  makeEvidence,
  makeNitroAuthority,
  makePlatform,
  type Platform,
} from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { EMULATED_EVIDENCE, verifyEvidence } from "#protocol/evidence/index.ts";
import { evidenceBinder } from "#protocol/evidence-binder.ts";
import { appraise } from "./appraise.ts";
import { type Policy, parseAttestation, policyOf } from "./policy.ts";

const NOW = Date.now();
const CODE = "ab".repeat(48);
const nonce = new Uint8Array(32).fill(7);
let platform: Platform;
let policy: Policy;
beforeAll(async () => {
  platform = await makePlatform(new Date(NOW));
  const root = encodeBase64url(new X509Certificate(platform.root).raw);
  policy = {
    id: "p",
    accept: [{ type: EMULATED_EVIDENCE.eat, roots: [root] }],
    references: [{ release: 3, measurements: { code: CODE } }],
  };
});

const evidenceOf = (measurement = CODE) =>
  makeEvidence(platform, { nonce, client: "s", measurement, now: new Date(NOW) });
const ask = (under: Policy | undefined, change: object = {}, where: object = {}) => {
  const asked = { type: EMULATED_EVIDENCE.eat, evidence: evidenceOf(), nonce, subject: "s", ...change };
  return appraise(under, asked, { now: NOW, production: false, ...where });
};

describe("M1 appraisal", () => {
  it("M1 takes what the policy takes, and says how far it can be trusted", async () => {
    expect(await ask(policy)).toEqual({
      ok: true,
      policy: "p",
      tier: "emulated",
      measurements: { code: CODE, pcr0: CODE },
    });
    expect(await ask({ ...policy, floor: 3 })).toMatchObject({ ok: true });
  });

  it("M1 takes no emulated evidence in production, whatever the policy says", async () => {
    expect(await ask(policy, {}, { production: true })).toMatchObject({
      ok: false,
      reason: "emulated platforms are not for production",
    });
  });

  it("M1 M20 M21 refuses what no policy names", async () => {
    expect(await ask(undefined)).toMatchObject({ ok: false, reason: "no evidence is taken here" });
    expect(await ask({ ...policy, references: [] })).toMatchObject({
      reason: "what runs is no release that is known here",
    });
    expect(await ask(policy, { type: "application/other" })).toMatchObject({
      reason: "not an accepted type",
    });
    expect(await ask(policy, { evidence: evidenceOf("cd".repeat(48)) })).toMatchObject({ ok: false });
    expect(await ask({ ...policy, floor: 4 })).toMatchObject({ reason: "release 3 is older than 4" });
    const twice = [{ release: 3, measurements: { code: CODE, pcr3: CODE } }];
    expect(await ask({ ...policy, references: twice }), "a register that the evidence has not").toMatchObject(
      { ok: false },
    );
  });

  it("M1 M20 each register that a policy names has to hold: of image, kernel, app, machine, signer, and what the code has locked", async () => {
    const authority = await makeNitroAuthority(new Date(NOW));
    const enclave = await launchNitroEnclave(authority, { code: utf8("the code"), clock: () => NOW });
    enclave.registers.extend(16, utf8("configuration"));
    enclave.registers.lock(16);
    const evidence = await enclave.attest({ nonce, userData: await evidenceBinder(nonce, "s") });
    const type = EMULATED_EVIDENCE.nitro;
    const accept = [{ type, roots: [encodeBase64url(authority.root)] }];
    const by = (measurements: Record<string, string>) => {
      const references = [{ release: 3, measurements }];
      return ask({ ...policy, accept, references }, { type, evidence });
    };
    const { measurements } = await verifyEvidence(type, evidence, {
      ...{ roots: [authority.root], nonce, subject: "s", now: NOW },
    });
    const named = ["code", "pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8", "pcr16"];
    expect(Object.keys(measurements)).toEqual(expect.arrayContaining(named));
    expect(await by({ ...measurements })).toMatchObject({ ok: true });
    for (const name of named)
      for (const wrong of ["ab".repeat(48), "0".repeat(96)])
        if (measurements[name] !== wrong)
          expect(await by({ ...measurements, [name]: wrong }), name).toMatchObject({
            ok: false,
            reason: "what runs is no release that is known here",
          });
    expect(await by({ ...measurements, pcr17: "ab".repeat(48) }), "not locked").toMatchObject({ ok: false });
  });

  it("M20 refuses a platform that is older than the policy takes, or that tells no version", async () => {
    const [accepted] = policy.accept;
    const by = (minVersion: string) => ask({ ...policy, accept: [{ ...accepted!, minVersion }] });
    expect(await by("2.0")).toMatchObject({ ok: true });
    expect(await by("2.1")).toMatchObject({
      ok: false,
      reason: "the platform is out of date: version 2.0, and 2.1 is the oldest that is taken",
    });
    const authority = await makeNitroAuthority(new Date(NOW));
    const enclave = await launchNitroEnclave(authority, { code: utf8("the code"), clock: () => NOW });
    const type = EMULATED_EVIDENCE.nitro;
    const evidence = await enclave.attest({ nonce, userData: await evidenceBinder(nonce, "s") });
    const accept = [{ type, roots: [encodeBase64url(authority.root)], minVersion: "0" }];
    expect(await ask({ ...policy, accept }, { type, evidence })).toMatchObject({
      ok: false,
      reason: "the evidence tells no version of its platform",
    });
  });

  it("M20 refuses a platform whose key is revoked", async () => {
    const spki = new X509Certificate(platform.certificate).publicKey.export({ type: "spki", format: "der" });
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(spki));
    const revoked = [Buffer.from(digest).toString("hex")];
    const [accepted] = policy.accept;
    expect(await ask({ ...policy, accept: [{ ...accepted!, revoked }] })).toMatchObject({
      reason: "a key of the platform is revoked",
    });
  });
});

describe("a policy as text", () => {
  it("is of a tenant or of all, and none of it counts where a part is wrong", () => {
    const text = JSON.stringify({ "*": policy, acme: { ...policy, id: "a" } });
    expect(policyOf(text, "acme")?.id).toBe("a");
    expect(policyOf(text, "other")?.id).toBe("p");
    expect(policyOf("", "acme")).toBeUndefined();
    expect(policyOf(undefined, "acme")).toBeUndefined();
    expect(policyOf("{", "acme")).toBeUndefined();
    expect(policyOf(JSON.stringify({ "*": { ...policy, more: 1 } }), "acme")).toBeUndefined();
  });

  it.each([
    ["a release without its code", { references: [{ release: 1, measurements: {} }] }],
    ["a type that nobody knows", { accept: [{ type: "application/other", roots: [] }] }],
    ["a version that is none", { accept: [{ type: EMULATED_EVIDENCE.eat, minVersion: "2.x" }] }],
    ["a release that is no number", { references: [{ release: 0, measurements: { code: CODE } }] }],
  ])("is refused with %s", (_, change) => {
    expect(() => parseAttestation(JSON.stringify({ "*": { ...policy, ...change } }))).toThrow();
  });
});
