import { createPrivateKey, createPublicKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { decryptRsa, encryptRsa } from "./rsa-encryption.ts";
import { startVerification } from "./signature.ts";

/** RSA with two different hashes, against what `openssl pkeyutl` made with this key. */

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const PKCS8 = bytes(
  "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBANcZ6dvz0oFJTggD/LKrbQWcmHgLgJI7r8BsfgwVVEEs4SLb" +
    "AjTpamyVoh493G2ffaDE44Cv3slbLr2dxWaxBrClfL2/wJmXyuiFSIMqSfjdR1xiWHcx+OHbLZO8mNHi4Ucjfe2k/OC/6j9O" +
    "b1cSSNS6HNRn1bT6fl79725fYrDdAgMBAAECgYEAmFmgS8uMI0oaXI8GYj4Mv9bEHvJ2pBxmRPIS7NgGjwsMgrWAAJ36ZOIu" +
    "qyDBiVtXjZEmWbU3JILSvjaK5EsqIpJtshuQncTthYRT7GmJVgK8++iM5K77if/eSOEb3EHou0EnDmVM1s82iqPWIy9N2mYM" +
    "7SW2jEDsEJQZ7n24jAECQQD5UVVJ6Do5D01Ali9g63lo7xMQ9WtY7J32DwVuL5eRhRWYVMnm2qYK4qp1SkzTCt+ogaQ2Ps26" +
    "DjmH21QzM1RdAkEA3N3Ov1uGfFSuZULGVpcYqeFHKJfAuMiIyvy7sBn6smX+MtnmsEXg2tVti6c5UOVJgWl9ltC5TYSkqR+d" +
    "UAcGgQJAcCj50IzrnH3YyCSIXfaxINbk4e02hMO18Fsjm0VHz4xqgaQrTHKy3hTIkImDdDHhGmJwKIMqc/gwQ4EVKQ9/dQJA" +
    "QAuhtCOaL9tuZraiROGzqS9GLyMyI2MjJ5l542rlI24n9B7zohHhThOtnF11ZVvXoMsyO9VypmPcS557Q4WGAQJATg+Jlfr4" +
    "oomLq/quso9kcWyTl3RdmoyswtSZSx9On0zvyfalUPbVOe8CQthuwBwAcqRyZH+NUP4VpalbmdoujQ==",
);
const ENCRYPTED = bytes(
  "PrcKYKIhHcbS24sQK/60SPV5rFlrG+F9UUg9R84P4KdI/uZqvTNqIbMOkxePAMVNI8p4WWzCQonIVBbq0Gwi9OoZ/X9zjOE1" +
    "zsyYBR3cRcZyBzGeZUWmX1vMMpt93qfMhZv90FbPP9RVbxz189VIMDdRFA9M588O0hqtILgWaZ4=",
);
const SIGNED = bytes(
  "p/MPA1qDoPJLIQ58NnOKuid1kGnk9gaC3QxiDqOKE544Gcj/7rHUZuO9YffH0yS3OvhyJ2IIpUkMgx0jGLCFstHeMXYurzVV" +
    "8D1MpoJZYc3JKvuPTNADvBvWz3QXb5i8qFrHUjGKWh4BqT5Yh3DwvlxpmYDHZVE7m9hlHK+ekdY=",
);

const privateKey = createPrivateKey({ key: Buffer.from(PKCS8), format: "der", type: "pkcs8" });
const publicKey = createPublicKey(privateKey);
const message = new Uint8Array(Buffer.from("message"));
const refused = (work: () => unknown) => expect(work).toThrow(KmipError);

describe("OAEP with SHA-256, MGF1 with SHA-1", () => {
  const parameters: CryptographicParameters = {
    paddingMethod: "OAEP",
    hashingAlgorithm: "SHA_256",
    maskGenerator: "MGF1",
    maskGeneratorHashingAlgorithm: "SHA_1",
    pSource: new Uint8Array(Buffer.from("label")),
  };

  it("opens what OpenSSL made, and what it made itself", () => {
    expect(new Uint8Array(decryptRsa(privateKey, parameters, ENCRYPTED))).toEqual(message);
    const own = encryptRsa(publicKey, parameters, message);
    expect(new Uint8Array(decryptRsa(privateKey, parameters, own))).toEqual(message);
  });

  it("opens nothing with other hashes or another label", () => {
    for (const other of [
      { maskGeneratorHashingAlgorithm: "SHA_256" },
      { hashingAlgorithm: "SHA_1" },
      { pSource: new Uint8Array() },
    ] as const)
      refused(() => decryptRsa(privateKey, { ...parameters, ...other }, ENCRYPTED));
  });
});

it("PSS with SHA-256, MGF1 with SHA-512: takes what OpenSSL signed", () => {
  const verified = (more: CryptographicParameters, signature: Uint8Array = SIGNED) => {
    const verification = startVerification(publicKey, {
      paddingMethod: "PSS",
      hashingAlgorithm: "SHA_256",
      maskGeneratorHashingAlgorithm: "SHA_512",
      saltLength: 20,
      ...more,
    });
    verification.update(message);
    return verification.final()(signature);
  };
  expect(verified({})).toBe(true);
  expect(verified({ maskGeneratorHashingAlgorithm: "SHA_256" })).toBe(false);
  expect(verified({ hashingAlgorithm: "SHA_512" })).toBe(false);
  expect(verified({ saltLength: 21 })).toBe(false);
  expect(verified({}, SIGNED.subarray(1))).toBe(false);
});

describe("a ciphertext is as long as the modulus (RFC 8017 §7.1.2, §7.2.2)", () => {
  it.each<CryptographicParameters>([
    { paddingMethod: "PKCS1V1_5" },
    { paddingMethod: "OAEP", hashingAlgorithm: "SHA_256" },
    { paddingMethod: "OAEP", hashingAlgorithm: "SHA_256", maskGeneratorHashingAlgorithm: "SHA_1" },
  ])("$paddingMethod $maskGeneratorHashingAlgorithm", (parameters) => {
    let encrypted: Uint8Array;
    // One that is a smaller number than others: without its first byte it would be the same number.
    do encrypted = encryptRsa(publicKey, parameters, message);
    while (encrypted[0] !== 0);
    expect(new Uint8Array(decryptRsa(privateKey, parameters, encrypted))).toEqual(message);
    const longer = Buffer.concat([Buffer.of(0), encrypted]);
    for (const wrong of [encrypted.subarray(1), longer, new Uint8Array()])
      refused(() => decryptRsa(privateKey, parameters, wrong));
  });
});
