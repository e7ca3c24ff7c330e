import { beforeAll, describe, expect, it } from "vitest";
import {
  launchNitroEnclave,
  makeNitroAuthority,
  NITRO_FAULTS,
  NITRO_FORMS,
  type NitroAuthority,
  type NitroFault,
  type NitroFaultName,
} from "#emulator/enclave/index.ts";
import { encodeHex, utf8 } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { evidenceBinder } from "../evidence-binder.ts";
import { ECDSA_P384, parseCertificate } from "../pki/index.ts";
import {
  AWS_NITRO_ROOT_G1,
  EMULATED_NITRO_EVIDENCE,
  type Expectation,
  NITRO_EVIDENCE,
  verifyEvidence,
  verifyNitroDocument,
} from "./index.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const nonce = new Uint8Array(32).fill(7);
const code = utf8("the code of the enclave");
const ZERO = "0".repeat(96);

let authority: NitroAuthority;
let expected: Expectation;
let userData: Uint8Array;
beforeAll(async () => {
  authority = await makeNitroAuthority(new Date(NOW));
  expected = { roots: [authority.root], nonce, subject: "alice", now: NOW };
  userData = await evidenceBinder(nonce, "alice");
});

async function evidenceWith(fault: NitroFault = {}) {
  const enclave = await launchNitroEnclave(authority, { code, clock: () => NOW }, fault);
  return enclave.attest({ nonce, userData });
}

const verify = (
  evidence: Uint8Array,
  changes: Partial<Expectation> = {},
  type: number = EMULATED_NITRO_EVIDENCE,
) => verifyEvidence(type, evidence, { ...expected, ...changes });

/** SHA-384 of zeros and what a register was extended with once. */
async function extended(data: Uint8Array): Promise<string> {
  const joined = new Uint8Array([...new Uint8Array(48), ...data]);
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-384", joined)));
}

describe("a document of a Nitro enclave", () => {
  it("says what runs, and until when that is known", async () => {
    const enclave = await launchNitroEnclave(authority, { code, clock: () => NOW });
    enclave.registers.extend(16, utf8("configuration"));
    enclave.registers.lock(16);
    enclave.registers.extend(17, utf8("not locked, so not told"));
    const { measurements, expires } = await verify(await enclave.attest({ nonce, userData }));
    const image = await extended(new Uint8Array(await crypto.subtle.digest("SHA-384", code)));
    const instance = enclave.moduleId.split("-enc")[0]!;
    expect(measurements).toMatchObject({
      code: image,
      pcr0: image,
      pcr4: await extended(utf8(instance)),
      pcr5: ZERO,
      pcr16: await extended(utf8("configuration")),
    });
    expect(Object.keys(measurements)).toHaveLength(18);
    expect(expires).toBe(NOW + 300_000);
  });

  it.each(Object.entries(NITRO_FORMS))("is taken in the form %s", async (_, form) => {
    expect(await verify(await evidenceWith(form))).toMatchObject({ expires: expect.any(Number) });
  });

  it("of an instance with NitroTPM says what its firmware started", async () => {
    const { measurements } = await verify(await evidenceWith(NITRO_FORMS.nitrotpm));
    expect(measurements.code).toBe(measurements.pcr4);
    expect(measurements.code).not.toBe(measurements.pcr0);
  });

  it("is taken by a clock that is behind, and at the edge of its life", async () => {
    const evidence = await evidenceWith();
    for (const difference of [-300_000, 0, 299_999])
      expect(await verify(evidence, { now: NOW + difference })).toMatchObject({ expires: NOW + 300_000 });
    for (const difference of [-300_001, 300_000])
      await expect(verify(evidence, { now: NOW + difference })).rejects.toThrow(/future|not the time/);
  });

  it.each<[string, () => Partial<Expectation>, string]>([
    ["for another nonce", () => ({ nonce: new Uint8Array(32) }), "another nonce"],
    ["for another party", () => ({ subject: "bob" }), "evidence of another client"],
    ["under another root", () => ({ roots: [AWS_NITRO_ROOT_G1] }), "the bundle is not under a root"],
    ["where nobody is trusted", () => ({ roots: [] }), "the bundle is not under a root"],
    ["a day later", () => ({ now: NOW + 86_400_000 }), "the certificates: certificate is not valid now"],
    ["at no time", () => ({ now: Number.NaN }), "the document is from the future"],
  ])("is refused %s", async (_, change, reason) => {
    await expect(verify(await evidenceWith(), change())).rejects.toThrow(new Error(reason));
  });

  it("is refused as AWS's own where it is the emulator's, whatever roots are trusted", async () => {
    const roots = [authority.root, AWS_NITRO_ROOT_G1];
    const evidence = await evidenceWith();
    expect(await verify(evidence, { roots })).toMatchObject({ expires: NOW + 300_000 });
    await expect(verify(evidence, { roots }, NITRO_EVIDENCE)).rejects.toThrow("not under a root");
  });

  it("is refused where a key of its path is revoked", async () => {
    const evidence = await evidenceWith();
    const { certificate, bundle } = await verifyNitroDocument(evidence, expected);
    for (const der of [certificate, ...bundle]) {
      const { spki } = parseCertificate(der, ECDSA_P384);
      const revoked = ["ab".repeat(32), encodeHex(await sha256(spki))];
      await expect(verify(evidence, { revoked })).rejects.toThrow("a key of the platform is revoked");
    }
  });

  it("is refused in production where it is emulated", async () => {
    await expect(verify(await evidenceWith(), { production: true })).rejects.toThrow("not for production");
    // AWS's own is looked at: it is the root that is wrong here.
    await expect(verify(await evidenceWith(), { production: true }, NITRO_EVIDENCE)).rejects.toThrow("root");
  });

  it("tells of debug mode where that will do", async () => {
    const { measurements } = await verify(await evidenceWith({ debug: true }), { debug: true });
    expect(measurements).toMatchObject({ code: ZERO, pcr0: ZERO, pcr1: ZERO, pcr2: ZERO });
    expect(measurements.pcr4).not.toBe(ZERO);
  });
});

/** Why each is refused. */
const REASONS: Record<NitroFaultName, string> = {
  "nonce-absent": "another nonce",
  "nonce-wrong": "another nonce",
  "binder-absent": "evidence of another client",
  "binder-wrong": "evidence of another client",
  stale: "not the time of this evidence",
  "clock-ahead": "the document is from the future",
  "clock-behind": "the document is not from the time of its signer",
  "signer-expired": "the certificates: certificate is not valid now",
  "signer-not-yet-valid": "the certificates: certificate is not valid now",
  "instance-expired": "the certificates: certificate is not valid now",
  "instance-not-yet-valid": "the certificates: certificate is not valid now",
  "region-expired": "the certificates: certificate is not valid now",
  "region-not-yet-valid": "the certificates: certificate is not valid now",
  "date-impossible": "the certificates: no such moment",
  "root-wrong": "the bundle is not under a root",
  "root-of-another-chain": "the certificates: bad signature",
  "root-of-an-attacker-inside": "the certificates: bad signature",
  "path-too-long": "the certificates: may not issue this",
  "issuer-no-authority": "the certificates: an authority in the wrong place",
  "issuer-key-usage": "the certificates: may not issue this",
  "signer-authority": "the certificates: an authority in the wrong place",
  "signer-key-usage": "the certificates: a key that is not for signatures",
  "issuer-curve": "the certificates: a key of another curve",
  "signer-not-emulated": "evidence of the emulator must say so",
  "instance-not-emulated": "evidence of the emulator must say so",
  "bundle-empty": "the bundle of certificates is missing, or too long",
  "bundle-reversed": "the bundle is not under a root",
  "bundle-cut": "the certificates: another issuer",
  "bundle-too-long": "the bundle of certificates is missing, or too long",
  "certificate-absent": "a certificate is missing, or too long",
  "certificate-too-long": "a certificate is missing, or too long",
  debug: "the platform is in debug mode",
  "register-zero": "the platform is in debug mode",
  "register-absent": "the measurement is missing",
  "register-short": "a register of another length",
  "register-out-of-range": "no such register",
  "registers-none": "the registers are missing, or too many",
  "registers-too-many": "the registers are missing, or too many",
  "registers-of-two-kinds": "registers of two kinds",
  "register-twice": "CBOR has a key twice",
  "instance-wrong": "the module id is not of the instance that was measured",
  "algorithm-none": "another algorithm than ES384",
  "algorithm-minus-one": "another algorithm than ES384",
  "algorithm-es256": "another algorithm than ES384",
  "header-critical": "a protected header that is not known here",
  "header-unprotected": "the unprotected header is not empty",
  "bit-flipped": "the signature is wrong",
  "tag-other": "CBOR has another tag",
  "tag-twice": "CBOR has another tag",
  "trailing-byte": "CBOR has trailing bytes",
  "trailing-byte-inside": "CBOR has trailing bytes",
  "cut-off": "CBOR is cut off",
  oversized: "evidence is too long",
  "user-data-too-long": "user_data is not of an allowed length",
  "nonce-too-long": "nonce is not of an allowed length",
  "public-key-empty": "public_key is not of an allowed length",
  "field-twice": "CBOR has a key twice",
  "field-unknown": "a field that is not known here",
  "field-absent": "another digest than SHA384",
  "module-id-null": "the module id is missing",
  "time-null": "the time is missing",
  "time-negative": "the time is missing",
  "digest-other": "another digest than SHA384",
  "nested-too-deep": "CBOR is nested too deep",
  "not-a-map": "the document is not a map",
};

describe("M20: evidence of a Nitro enclave with one thing wrong is refused with its own reason", () => {
  it.each(Object.entries(REASONS) as [NitroFaultName, string][])("%s", async (name, reason) => {
    await expect(verify(await evidenceWith(NITRO_FAULTS[name]))).rejects.toThrow(new Error(reason));
  });
});
