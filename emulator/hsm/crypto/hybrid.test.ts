import crypto, { createPrivateKey, createPublicKey, decapsulate, diffieHellman } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { VECTOR } from "#protocol/hybrid.fixture.ts";
import { HYBRID_LENGTH, hybridParts, isHybridSpki } from "#protocol/hybrid.ts";
import { sealHybrid, wrapHybrid } from "./hybrid.ts";

const bytes = (name: keyof typeof VECTOR) => decodeBase64url(VECTOR[name]);
const privateKey = (name: "agreementPrivate" | "kemPrivate" | "ephemeralPrivate") =>
  createPrivateKey({ key: Buffer.from(bytes(name)), format: "der", type: "pkcs8" });
const publicKey = (name: "agreement" | "kem") =>
  createPublicKey({ key: Buffer.from(bytes(name)), format: "der", type: "spki" });

const { encapsulate } = crypto;
afterEach(() => {
  crypto.encapsulate = encapsulate;
});

it("seals as a vector does that none of this code made", () => {
  const agreed = diffieHellman({
    privateKey: privateKey("ephemeralPrivate"),
    publicKey: publicKey("agreement"),
  });
  const shared = decapsulate(privateKey("kemPrivate"), Buffer.from(bytes("ciphertext")));
  expect(encodeBase64url(shared)).toBe(VECTOR.sharedKey);
  const recipient = { agreement: bytes("agreement"), kem: bytes("kem") };
  const sent = { share: bytes("share"), ciphertext: bytes("ciphertext") };
  const secrets = { agreement: agreed, kem: shared };
  const wrapped = sealHybrid({ secrets, recipient, ...sent }, bytes("key"));
  expect(wrapped).toHaveLength(HYBRID_LENGTH);
  expect(hybridParts(wrapped)).toEqual({ ...sent, sealed: bytes("sealed") });
});

it("wraps under secrets that are new each time, keys of 32 bytes alone", () => {
  const to = [publicKey("agreement"), publicKey("kem")] as const;
  const [one, other] = [wrapHybrid(...to, bytes("key")), wrapHybrid(...to, bytes("key"))].map(hybridParts);
  for (const part of ["share", "ciphertext", "sealed"] as const)
    expect(one?.[part]).not.toEqual(other?.[part]);
  for (const length of [0, 16, 40])
    expect(() => wrapHybrid(...to, new Uint8Array(length))).toThrow(/32 bytes/);
});

it("refuses an X25519 key with which every secret is zero", () => {
  for (const u of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
    const der = Buffer.from(`302a300506032b656e032100${u}`, "hex");
    const low = createPublicKey({ key: der, format: "der", type: "spki" });
    expect(() => wrapHybrid(low, publicKey("kem"), bytes("key"))).toThrow(/do not agree/);
  }
});

it("says so on a Node without ML-KEM", () => {
  crypto.encapsulate = undefined as unknown as typeof encapsulate;
  expect(() => wrapHybrid(publicKey("agreement"), publicKey("kem"), bytes("key"))).toThrow(
    expect.objectContaining({ code: "FeatureNotSupported" }),
  );
});

it("knows the one form that each public key has", () => {
  for (const kind of ["agreement", "kem"] as const) {
    const spki = bytes(kind);
    expect(isHybridSpki(kind, spki)).toBe(true);
    expect(isHybridSpki(kind === "kem" ? "agreement" : "kem", spki)).toBe(false);
    expect(isHybridSpki(kind, spki.subarray(1))).toBe(false);
    expect(isHybridSpki(kind, Uint8Array.from([...spki, 0]))).toBe(false);
    expect(isHybridSpki(kind, spki.with(5, 0x31))).toBe(false);
  }
});
