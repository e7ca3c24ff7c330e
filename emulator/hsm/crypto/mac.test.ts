import { createHmac } from "node:crypto";
import { Crypto } from "@peculiar/webcrypto";
import { expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { startMac } from "./mac.ts";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const text = (of: string) => new Uint8Array(Buffer.from(of));

function mac(
  algorithm: string,
  key: Uint8Array,
  data: Uint8Array[],
  parameters: CryptographicParameters = {},
) {
  const started = startMac(algorithm, parameters, key);
  for (const piece of data) started.update(piece);
  return encodeHex(started.final());
}

// RFC 4493 §4
const key = hex("2b7e151628aed2a6abf7158809cf4f3c");
const message = hex(
  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
);
it.each([
  [0, "bb1d6929e95937287fa37d129b756746"],
  [16, "070a16b46b4d4144f79bdd9dd04a287c"],
  [40, "dfa66747de9ae63030ca32611497c827"],
  [64, "51f0bebf7e3b9d92fc49741779363cfe"],
])("AES-CMAC of %i bytes, whole and in pieces", (length, expected) => {
  const data = message.subarray(0, length);
  expect(mac("AES", key, [data])).toBe(expected);
  for (const size of [1, 7, 15, 16, 17, 32]) {
    const pieces = [];
    for (let at = 0; at < length; at += size) pieces.push(data.subarray(at, at + size));
    expect(mac("AES", key, pieces)).toBe(expected);
  }
});

// What has AES-CMAC where Node has none (docs/decisions/0027).
it.each([16, 24, 32])("AES-CMAC under %i bytes of key is what @peculiar/webcrypto makes", async (length) => {
  const { subtle } = new Crypto();
  const algorithm = { name: "AES-CMAC", length: 128 };
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  const imported = await subtle.importKey("raw", bytes, "AES-CMAC", false, ["sign"]);
  for (let size = 1; size <= 64; size++) {
    const data = crypto.getRandomValues(new Uint8Array(size));
    const expected = await subtle.sign(algorithm, imported, data);
    expect(mac("AES", bytes, [data.subarray(0, size >> 1), data.subarray(size >> 1)])).toBe(
      encodeHex(new Uint8Array(expected)),
    );
  }
});

it("HMAC of every hash that KMIP names", () => {
  for (const [name, hash] of [
    ["MD5", "md5"],
    ["SHA1", "sha1"],
    ["SHA224", "sha224"],
    ["SHA512", "sha512"],
    ["SHA3_224", "sha3-224"],
    ["SHA3_512", "sha3-512"],
  ]) {
    const expected = createHmac(hash!, key).update(message).digest("hex");
    expect(mac(`HMAC_${name}`, key, [message])).toBe(expected);
  }
});

it("a MAC is as long as its Tag Length says", () => {
  const full = mac("HMAC_SHA256", key, [message]);
  expect(mac("HMAC_SHA256", key, [message], { tagLength: 16 })).toBe(full.slice(0, 32));
  expect(mac("AES", key, [message], { tagLength: 8 })).toBe("51f0bebf7e3b9d92");
  const refused = (tagLength: number) => () => mac("AES", key, [message], { tagLength });
  for (const tagLength of [-1, 0, 1, 4, 7, 17]) expect(refused(tagLength)).toThrow(KmipError);
});

it("refuses other keys and algorithms", () => {
  for (const [algorithm, length] of [
    ["AES", 0],
    ["AES", 15],
    ["SM4", 32],
    ["HMAC_", 16],
    ["HMAC_constructor", 16],
    ["toString", 16],
  ] as const)
    expect(() => mac(algorithm, new Uint8Array(length), [text("x")])).toThrow(KmipError);
});
