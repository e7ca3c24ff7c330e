import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import {
  EVIDENCE_FAULTS,
  EVIDENCE_FAULTS_SAID,
  type EvidenceFaultName,
  makeEvidence,
  makePlatform,
  type Platform,
  revokedKeyOf,
} from "#emulator/enclave/index.ts";
import { encodeHex, utf8 } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { TIER_POLICY } from "../pki/index.ts";
import {
  ATTESTATION_TYPES,
  type Claims,
  ENCLAVE_EVIDENCE,
  type EvidenceFormat,
  type Expectation,
  verifyEvidence,
} from "./index.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const CODE = "ab".repeat(48);
const nonce = new Uint8Array(32).fill(7);
const order = { nonce, client: "alice", measurement: CODE, now: NOW };
const der = (pem: string) => new Uint8Array(x509.PemConverter.decodeFirst(pem));

let platform: Platform;
let other: Platform;
let expected: Expectation;
beforeAll(async () => {
  [platform, other] = await Promise.all([makePlatform(NOW), makePlatform(NOW)]);
  expected = {
    ...{ roots: [der(platform.root)], revoked: [revokedKeyOf(platform)], minVersion: "2" },
    ...{ nonce, subject: "alice", now: NOW.getTime() },
  };
});

const verify = (evidence: Uint8Array, changes: Partial<Expectation> = {}) =>
  verifyEvidence(ENCLAVE_EVIDENCE, evidence, { ...expected, ...changes });

describe("evidence of the enclave emulator", () => {
  it("says what runs, and until when that is known", async () => {
    const claims = {
      measurements: { code: CODE, pcr0: CODE },
      platform: { version: "2.0" },
      expires: NOW.getTime() + 120_000,
    };
    expect(await verify(makeEvidence(platform, order))).toEqual(claims);
    const roots = [new Uint8Array([1]), der(other.root), der(platform.root)];
    expect(await verify(makeEvidence(platform, order), { roots })).toEqual(claims);
  });

  it.each<[string, () => Partial<Expectation>, RegExp]>([
    ["for another nonce", () => ({ nonce: new Uint8Array(32) }), /nonce/],
    ["for another party", () => ({ subject: "bob" }), /client/],
    ["under another root", () => ({ roots: [der(other.root)] }), /root/],
    ["where nobody is trusted", () => ({ roots: [] }), /root/],
    ["before it begins", () => ({ now: NOW.getTime() - 301_000 }), /time/],
    ["after it has ended", () => ({ now: NOW.getTime() + 120_000 }), /time/],
    ["at no time", () => ({ now: Number.NaN }), /not valid now/],
  ])("refuses evidence %s", async (_, change, reason) => {
    await expect(verify(makeEvidence(platform, order), change())).rejects.toThrow(reason);
  });

  it("M20 is good at the last second of the platform's certificate, and no longer", async () => {
    // Its key "expired" ended a second before.
    const ending = await makePlatform(new Date(NOW.getTime() + 1000));
    const evidence = makeEvidence(ending, order, { by: "expired" });
    const roots = [der(ending.root)];
    expect(await verify(evidence, { roots })).toHaveProperty("measurements");
    await expect(verify(evidence, { roots, now: NOW.getTime() + 1 })).rejects.toThrow("not valid now");
  });

  it("M20 is good until a millisecond before its end", async () => {
    const evidence = makeEvidence(platform, order, { later: -119 });
    const end = NOW.getTime() + 1000;
    expect(await verify(evidence, { now: end - 1 })).toHaveProperty("measurements");
    await expect(verify(evidence, { now: end })).rejects.toThrow("not the time of this evidence");
  });

  it("is refused where the platform's key is revoked", async () => {
    const { publicKey } = new x509.X509Certificate(platform.certificate);
    const revoked = [encodeHex(await sha256(new Uint8Array(publicKey.rawData)))];
    const evidence = makeEvidence(platform, order);
    await expect(verify(evidence, { revoked })).rejects.toThrow("a key of the platform is revoked");
    expect(await verify(evidence, { revoked: ["ab".repeat(32)] })).toMatchObject({
      measurements: { code: CODE, pcr0: CODE },
    });
  });

  it("is refused in production, whatever roots there are", async () => {
    await expect(verify(makeEvidence(platform, order), { production: true })).rejects.toThrow(
      "not for production",
    );
  });

  it("refuses evidence with any character changed", async () => {
    const evidence = makeEvidence(platform, order);
    for (let i = 0; i < evidence.length; i++) {
      const changed = evidence.slice();
      changed[i]! ^= 1;
      await expect(verify(changed), `character ${i}`).rejects.toThrow();
    }
  }, 60_000);

  it("refuses evidence signed by a key that is for something else", async () => {
    const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await crypto.subtle.generateKey(p256, true, ["sign", "verify"]);
    const authority = await crypto.subtle.generateKey(p256, true, ["sign", "verify"]);
    const validity = { notBefore: NOW, notAfter: new Date(NOW.getTime() + 86_400_000) };
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=root",
      keys: authority,
      signingAlgorithm: p256,
      ...validity,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    const key = x509.PemConverter.encode(
      await crypto.subtle.exportKey("pkcs8", keys.privateKey),
      "PRIVATE KEY",
    );
    const evidenceFor = async (purposes: string[], policies = [TIER_POLICY.emulated]) => {
      const certificate = await x509.X509CertificateGenerator.create({
        subject: "CN=platform",
        issuer: root.subject,
        publicKey: keys.publicKey,
        signingKey: authority.privateKey,
        signingAlgorithm: p256,
        ...validity,
        extensions: [
          ...(purposes.length > 0 ? [new x509.ExtendedKeyUsageExtension(purposes)] : []),
          ...(policies.length > 0 ? [new x509.CertificatePolicyExtension(policies)] : []),
        ],
      });
      return makeEvidence({ certificate: certificate.toString("pem"), key }, order);
    };
    const roots = [new Uint8Array(root.rawData)];
    expect(await verify(await evidenceFor(["2.23.133.8.3"]), { roots })).toMatchObject({
      measurements: { code: CODE, pcr0: CODE },
    });
    for (const purposes of [[], ["1.3.6.1.5.5.7.3.2"]])
      await expect(verify(await evidenceFor(purposes), { roots })).rejects.toThrow("not for attestation");
    for (const policies of [[], [TIER_POLICY.hardware]])
      await expect(verify(await evidenceFor(["2.23.133.8.3"], policies), { roots })).rejects.toThrow(
        "must say so",
      );
  });

  it("verifies nothing without a nonce", async () => {
    const empty = makeEvidence(platform, { ...order, nonce: new Uint8Array() });
    await expect(verify(empty, { nonce: new Uint8Array() })).rejects.toThrow("not a nonce");
  });
});

describe("M20: evidence of the enclave emulator with one thing wrong is refused with its own reason", () => {
  // Of the others the policy decides: edge/verifier, test/edge/attestation.test.ts.
  const each = (Object.keys(EVIDENCE_FAULTS) as EvidenceFaultName[]).filter(
    (name) => !EVIDENCE_FAULTS_SAID[name].byPolicy && !EVIDENCE_FAULTS_SAID[name].atEnrolment,
  );
  it.each(each.map((name) => [name, EVIDENCE_FAULTS_SAID[name].refused] as const))(
    "%s",
    async (name, reason) => {
      const evidence = makeEvidence(platform, order, EVIDENCE_FAULTS[name]);
      await expect(verify(evidence)).rejects.toThrow(reason);
    },
  );
});

describe("M20: the version of a platform", () => {
  const of = (version: string, minVersion?: string) =>
    verify(makeEvidence(platform, { ...order, version }), minVersion === undefined ? {} : { minVersion });

  it("is held number by number against the oldest that is taken", async () => {
    for (const [version, min] of [
      ["2.0", "2.0"],
      ["2", "2.0.0.0"],
      ["2.10", "2.9"],
      ["10.0", "9.99"],
      ["2.0.0.1", "2.0"],
      ["0.1", "0"],
    ] as const)
      await expect(of(version, min), `${version} for ${min}`).resolves.toMatchObject({
        platform: { version },
      });
    for (const [version, min] of [
      ["2.9", "2.10"],
      ["9.99", "10"],
      ["2.0", "2.0.0.1"],
      ["0", "0.0.0.1"],
    ] as const)
      await expect(of(version, min), `${version} for ${min}`).rejects.toThrow("out of date");
  });

  it("is one to four numbers, in its own scheme", async () => {
    for (const version of ["", "2.", ".2", "02", "-1", "1e3", "2.0.0.0.0", "1234567890", "2.0 ", "\uff12"])
      await expect(of(version), version).rejects.toThrow("the version of the platform is malformed");
    for (const hwversion of [["2.0"], ["2.0", 16384], ["2.0", 1, 1], "2.0", { 0: "2.0", 1: 1 }, null, [2, 1]])
      await expect(
        verify(makeEvidence(platform, order, { claims: { hwversion } })),
        JSON.stringify(hwversion),
      ).rejects.toThrow("the version of the platform is malformed");
  });

  it("need not be told where any will do", async () => {
    const untold = makeEvidence(platform, order, EVIDENCE_FAULTS["platform-version-absent"]);
    const { minVersion: _, ...any } = expected;
    expect(await verifyEvidence(ENCLAVE_EVIDENCE, untold, any)).not.toHaveProperty("platform");
  });
});

describe("formats of evidence", () => {
  it("are told apart by their names", async () => {
    const evidence = makeEvidence(platform, order);
    for (const type of ["SAMLAssertion", 0x80000098, "application/eat+jwt", "", undefined])
      await expect(verifyEvidence(type, evidence, expected)).rejects.toThrow("not an accepted type");
    expect(ATTESTATION_TYPES).toContain(ENCLAVE_EVIDENCE);
    expect(new Set(ATTESTATION_TYPES).size).toBe(ATTESTATION_TYPES.length);
  });

  /** A second format, as one would be added: it needs this object and its place in the table. */
  const planted = (claims: Partial<Claims> = {}): EvidenceFormat => ({
    mediaType: "application/test",
    attestationType: 0x80000099,
    tier: "hardware",
    limit: 100,
    async verify(evidence, { nonce, now }) {
      if (evidence.join() !== nonce.join()) throw new Error("another nonce");
      const measurements = { code: CODE, pcr4: CODE };
      return { measurements, platform: { version: "1" }, expires: now + 1000, ...claims };
    },
  });
  const verifyPlanted = (
    evidence: Uint8Array,
    claims?: Partial<Claims>,
    type: string | number = 0x80000099,
  ) => verifyEvidence(type, evidence, { ...expected, minVersion: "0" }, [planted(claims)]);

  it("are added by one object", async () => {
    const claims = {
      measurements: { code: CODE, pcr4: CODE },
      platform: { version: "1" },
      expires: NOW.getTime() + 1000,
    };
    expect(await verifyPlanted(nonce)).toEqual(claims);
    expect(await verifyPlanted(nonce, {}, "application/test")).toEqual(claims);
    await expect(verifyPlanted(utf8("another"))).rejects.toThrow("another nonce");
    await expect(verifyPlanted(nonce, { platform: {} })).rejects.toThrow("no version of its platform");
  });

  it("bounds what a format says", async () => {
    const many = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`pcr${i}`, CODE]));
    for (const measurements of [
      { ...many, code: CODE },
      { code: "ab" },
      { code: CODE, pcr4: CODE.toUpperCase() },
      { code: CODE, "a register": CODE },
      { pcr0: CODE },
    ])
      await expect(verifyPlanted(nonce, { measurements } as Partial<Claims>)).rejects.toThrow("measurement");
    for (const expires of [NOW.getTime(), Number.NaN])
      await expect(verifyPlanted(nonce, { expires })).rejects.toThrow("time");
    await expect(verifyPlanted(new Uint8Array(101))).rejects.toThrow("too long");
  });
});
