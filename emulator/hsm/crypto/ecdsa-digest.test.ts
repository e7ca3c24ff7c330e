import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { KmipError } from "#protocol/kmip/index.ts";
import { sequence, unsigned } from "./der.ts";
import { signEcdsaDigest, verifyEcdsaDigest } from "./ecdsa-digest.ts";

const bytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const pairOn = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });

describe.each(["prime256v1", "secp384r1", "secp521r1", "secp256k1"])("ECDSA over digests on %s", (name) => {
  const { publicKey, privateKey } = pairOn(name);

  it.each(["sha1", "sha256", "sha512"])("is OpenSSL's, by %s", (hash) => {
    for (let i = 0; i < 3; i++) {
      const message = bytes(i);
      const digest = createHash(hash).update(message).digest();
      expect(verify(hash, message, publicKey, signEcdsaDigest(privateKey, digest))).toBe(true);
      const signature = sign(hash, message, privateKey);
      expect(verifyEcdsaDigest(publicKey, digest, signature)).toBe(true);
      expect(verifyEcdsaDigest(pairOn(name).publicKey, digest, signature)).toBe(false);
      digest[0]! ^= 1;
      expect(verifyEcdsaDigest(publicKey, digest, signature)).toBe(false);
    }
  });

  it("takes a digest that is 0, and no other form of the numbers", () => {
    const digest = new Uint8Array(32);
    const signature = signEcdsaDigest(privateKey, digest);
    expect(verify(null, digest, publicKey, signature)).toBe(false);
    expect(verifyEcdsaDigest(publicKey, digest, signature)).toBe(true);
    for (const other of [
      new Uint8Array(),
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, Buffer.of(0)]),
      sequence(unsigned(0n), unsigned(0n)),
      sequence(unsigned(1n), unsigned(0n)),
      sequence(unsigned(1n << 600n), unsigned(1n)),
    ])
      expect(verifyEcdsaDigest(publicKey, digest, other)).toBe(false);
  });
});

it("other curves have no signatures over digests", () => {
  const { privateKey } = pairOn("sect283k1");
  expect(() => signEcdsaDigest(privateKey, bytes(32))).toThrow(KmipError);
});
