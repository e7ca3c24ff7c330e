import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  CREDENTIAL_FAULTS,
  CREDENTIAL_FAULTS_SAID,
  type CredentialFault,
  type CredentialFaultName,
  encryptedCredential,
  makePlatform,
  type Platform,
  type PlatformKey,
  signedCredential,
} from "#emulator/enclave/index.ts";
import { encodeHex } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import {
  ATTESTATION_TYPES,
  EMULATED_EVIDENCE,
  type Expectation,
  type PlatformSecret,
  verifyEvidence,
} from "./index.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const CODE = "ab".repeat(48);
const nonce = new Uint8Array(32).fill(7);
const order = { nonce, client: "alice", measurement: CODE, now: NOW };
const assigned: PlatformKey = { name: "machine-7", secret: new Uint8Array(32).fill(9) };
let platform: Platform;
let expected: Expectation;
let spki: Uint8Array;

const secretOf = async (byte: number, name = assigned.name): Promise<PlatformSecret> => {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(32).fill(byte), "AES-GCM", false, [
    "decrypt",
  ]);
  const decrypt: PlatformSecret["decrypt"] = async (of, ciphertext) =>
    new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", ...of }, key, ciphertext));
  return { name, decrypt };
};
beforeAll(async () => {
  platform = await makePlatform(NOW);
  const { publicKey } = new X509Certificate(platform.certificate);
  spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  expected = {
    ...{
      roots: [],
      keys: [new Uint8Array([1]), spki],
      secrets: [await secretOf(1, "other"), await secretOf(9)],
    },
    ...{ nonce, subject: "alice", now: NOW.getTime(), minVersion: "2.0" },
  };
});

const VARIANTS = {
  signed: (fault?: CredentialFault) => signedCredential(platform, order, fault),
  encrypted: async (fault?: CredentialFault) => encryptedCredential(assigned, order, fault),
};
const verify = (variant: keyof typeof VARIANTS, evidence: Uint8Array, changes: Partial<Expectation> = {}) =>
  verifyEvidence(EMULATED_EVIDENCE[variant], evidence, { ...expected, ...changes });

describe.each(["signed", "encrypted"] as const)("M1 a credential that is %s", (variant) => {
  it("M1 says what runs, and until when that is known", async () => {
    const claims = {
      measurements: { code: CODE, pcr0: CODE },
      platform: { version: "2.0" },
      expires: NOW.getTime() + 120_000,
    };
    expect(await verify(variant, await VARIANTS[variant]())).toEqual(claims);
  });

  const each = (Object.keys(CREDENTIAL_FAULTS) as CredentialFaultName[]).filter(
    (name) => !CREDENTIAL_FAULTS_SAID[name].byPolicy && !CREDENTIAL_FAULTS_SAID[name].atEnrolment,
  );
  it.each(each)("M1 M20 is refused with %s", async (name) => {
    const evidence = await VARIANTS[variant](CREDENTIAL_FAULTS[name]);
    const { refused } = CREDENTIAL_FAULTS_SAID[name];
    const reason = typeof refused === "string" ? refused : refused[variant === "signed" ? 0 : 1];
    await expect(verify(variant, evidence)).rejects.toThrow(reason);
  });

  it("M1 M20 is refused with any character changed", async () => {
    const evidence = await VARIANTS[variant]();
    for (let i = 0; i < evidence.length; i++) {
      const changed = evidence.slice();
      changed[i]! ^= 1;
      await expect(verify(variant, changed), `character ${i}`).rejects.toThrow();
    }
  }, 60_000);

  it("M1 M20 is refused for another party, in production, under another key, and where none was assigned", async () => {
    const evidence = await VARIANTS[variant]();
    await expect(verify(variant, evidence, { subject: "bob" })).rejects.toThrow(/client/);
    await expect(verify(variant, evidence, { production: true })).rejects.toThrow(/not for production/);
    const none = { keys: [], secrets: [] };
    await expect(verify(variant, evidence, none)).rejects.toThrow(/no registered key/);
    // What certifies keys vouches for no credential.
    const roots = [new Uint8Array(new X509Certificate(platform.root).raw)];
    await expect(verify(variant, evidence, { ...none, roots })).rejects.toThrow(/no registered key/);
  });
});

it("M1 M20 a credential under another secret of the same name, or signed by a revoked key, is refused", async () => {
  const secrets = [await secretOf(8)];
  await expect(verify("encrypted", await VARIANTS.encrypted(), { secrets })).rejects.toThrow(
    "not encrypted under that key",
  );
  const revoked = [encodeHex(await sha256(spki.slice()))];
  await expect(verify("signed", await VARIANTS.signed(), { revoked })).rejects.toThrow("revoked");
});

it("M1 the HSM, which knows roots alone, takes no credential", () => {
  expect(ATTESTATION_TYPES).not.toContain(0x80000004);
  expect(ATTESTATION_TYPES).not.toContain(0x80000005);
});
