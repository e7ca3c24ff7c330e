import { beforeAll, describe, expect, it } from "vitest";
import {
  launchNitroEnclave,
  makeNitroAuthority,
  NITRO_FAULTS,
  NITRO_FAULTS_SAID,
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

  it("M20 is refused where a platform has to be of a version: it tells none", async () => {
    const evidence = await evidenceWith();
    await expect(verify(evidence, { minVersion: "0" })).rejects.toThrow(
      "the evidence tells no version of its platform",
    );
  });

  it.each(["region", "instance", "signer"])(
    "M20 is good until a millisecond before the end of the %s's certificate",
    async (link) => {
      const evidence = await evidenceWith({ certificates: (now) => ({ [link]: { notAfter: now + 1000 } }) });
      const end = NOW + 1000;
      expect(await verify(evidence, { now: end - 1 })).toHaveProperty("measurements");
      await expect(verify(evidence, { now: end })).rejects.toThrow("not the time of this evidence");
      await expect(verify(evidence, { now: end + 1 })).rejects.toThrow("certificate is not valid now");
    },
  );

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

describe("M20: evidence of a Nitro enclave with one thing wrong is refused with its own reason", () => {
  // Of the others the policy decides: edge/verifier, test/edge/attestation.test.ts.
  const each = (Object.keys(NITRO_FAULTS) as NitroFaultName[]).filter(
    (name) => !NITRO_FAULTS_SAID[name].byPolicy && !NITRO_FAULTS_SAID[name].atEnrolment,
  );
  it.each(each.map((name) => [name, NITRO_FAULTS_SAID[name].refused] as const))(
    "%s",
    async (name, reason) => {
      await expect(verify(await evidenceWith(NITRO_FAULTS[name]))).rejects.toThrow(new Error(reason));
    },
  );
});
