import { expect, it } from "vitest";
import type { Edk } from "#protocol/keys/index.ts";
import { ENGINE_SIGNATURES, signingPair } from "./authority.fixture.ts";
import { unwrapKeyOf } from "./signing-key.ts";

const { subtle } = crypto;

it.each(ENGINE_SIGNATURES)(
  "M17 %s: nobody can export the private half, and it does nothing but sign",
  async (algorithm) => {
    const rsa = {
      name: "RSA-OAEP",
      hash: "SHA-256",
      modulusLength: 3072,
      publicExponent: new Uint8Array([1, 0, 1]),
    };
    const own = await subtle.generateKey(rsa, false, ["encrypt", "unwrapKey"]);
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const wrappedKey = new Uint8Array(await subtle.encrypt("RSA-OAEP", own.publicKey, bytes));
    const edk = { algorithm, signing: await signingPair(bytes, algorithm) } as Edk;
    const wrapped = { wrapping: "RSA-OAEP" as const, wrappedKey };
    const key = await unwrapKeyOf(subtle, { wrappingKey: own.privateKey }, wrapped, edk);
    expect([key.type, key.extractable, key.usages]).toEqual(["private", false, ["sign"]]);
    for (const format of ["pkcs8", "jwk"] as const)
      await expect(subtle.exportKey(format, key)).rejects.toThrow(/not extractable/i);
  },
  20_000,
);
