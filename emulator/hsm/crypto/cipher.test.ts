import { createCipheriv, createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { wrapAes } from "./aes-key-wrap.ts";
import { unwrapWith, wrapWith } from "./block-key-wrap.ts";
import { openCcm, sealCcm } from "./ccm.ts";
import { startDecryption, startEncryption } from "./cipher.ts";
import { openGcm, sealGcm } from "./gcm-long-iv.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const hex = (text: string): Bytes => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const text = (of: string): Bytes => new Uint8Array(Buffer.from(of));
const bytes = (length: number, seed = "x"): Bytes =>
  new Uint8Array(createHash("shake256", { outputLength: length }).update(seed).digest());
const noRandom = () => {
  throw new Error("an IV is given");
};
const failing = (work: () => unknown, code: string) =>
  expect(work).toThrow(expect.toSatisfy((error) => error instanceof KmipError && error.code === code));

interface Sealed {
  algorithm?: string;
  key: Bytes;
  iv?: Bytes;
  additionalData?: Bytes;
  parameters: CryptographicParameters;
}

function seal(input: Sealed, data: Bytes) {
  const encryption = startEncryption({ algorithm: "AES", ...input }, noRandom);
  const out = Buffer.concat([encryption.update(data), encryption.final()]);
  return { data: encodeHex(out), tag: encryption.tag ? encodeHex(encryption.tag()) : undefined };
}

function open(input: Sealed, data: Bytes, tag?: Bytes): string {
  const decryption = startDecryption({ algorithm: "AES", ...input });
  if (tag) decryption.expectTag?.(tag);
  return encodeHex(Buffer.concat([decryption.update(data), decryption.final()]));
}

describe("CCM", () => {
  // NIST SP 800-38C, appendix C, examples 1 to 3.
  const key = hex("404142434445464748494a4b4c4d4e4f");
  it.each([
    ["10111213141516", "0001020304050607", "20212223", "7162015b", "4dac255d"],
    [
      "1011121314151617",
      "000102030405060708090a0b0c0d0e0f",
      "202122232425262728292a2b2c2d2e2f",
      "d2a1f0e051ea5f62081a7792073d593d",
      "1fc64fbfaccd",
    ],
    [
      "101112131415161718191a1b",
      "000102030405060708090a0b0c0d0e0f10111213",
      "202122232425262728292a2b2c2d2e2f3031323334353637",
      "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5",
      "484392fbc1b09951",
    ],
  ])("gives the example of NIST with nonce %s", (nonce, aad, plain, data, tag) => {
    const input = {
      key,
      iv: hex(nonce),
      additionalData: hex(aad),
      parameters: { blockCipherMode: "CCM", tagLength: tag.length / 2 },
    } as const;
    expect(seal(input, hex(plain))).toEqual({ data, tag });
    expect(open(input, hex(data), hex(tag))).toBe(plain);
    const wrong = hex(tag);
    wrong[0]! ^= 1;
    failing(() => open(input, hex(data), wrong), "CryptographicFailure");
    failing(() => open(input, hex(data), hex(tag).subarray(1)), "InvalidField");
  });

  it("takes an empty message", () => {
    const input = { key, iv: bytes(12), parameters: { blockCipherMode: "CCM" } } as const;
    const { data, tag } = seal(input, new Uint8Array());
    expect(data).toBe("");
    expect(open(input, new Uint8Array(), hex(tag!))).toBe("");
  });

  it("refuses nonces and tags that it does not define", () => {
    for (const length of [0, 6, 14]) {
      const input = { key, iv: bytes(length), parameters: { blockCipherMode: "CCM" } } as const;
      failing(() => seal(input, text("x")), "CryptographicFailure");
    }
    for (const tagLength of [0, 2, 5, 15, 18]) {
      const input = { key, iv: bytes(12), parameters: { blockCipherMode: "CCM", tagLength } } as const;
      failing(() => seal(input, text("x")), "GeneralFailure");
    }
  });
});

describe("CCM from CTR and CBC", () => {
  it.each([16, 24, 32])("is that of OpenSSL, key of %i bytes", (length) => {
    for (const [ivLength, tagLength, size, aadSize] of [
      [7, 4, 0, 0],
      [8, 6, 1, 14],
      [11, 10, 16, 15],
      [12, 16, 17, 0xff00],
      [13, 14, 4096, 1],
    ] as const) {
      const [key, iv, plain, aad] = [bytes(length), bytes(ivLength), bytes(size), bytes(aadSize)];
      const name = `aes-${length * 8}-ccm` as "aes-128-ccm";
      const cipher = createCipheriv(name, key, iv, { authTagLength: tagLength });
      cipher.setAAD(aad, { plaintextLength: size });
      const data = encodeHex(Buffer.concat([cipher.update(plain), cipher.final()]));
      const input = { algorithm: "AES", key, iv, additionalData: aad, tagLength };
      const sealed = sealCcm(input, plain);
      expect(encodeHex(sealed.data)).toBe(data);
      expect(encodeHex(sealed.tag)).toBe(encodeHex(cipher.getAuthTag()));
      expect(encodeHex(openCcm(input, sealed.data, sealed.tag))).toBe(encodeHex(plain));
    }
  });

  it("gives packet vector 1 of RFC 5528 with Camellia", () => {
    const input = {
      algorithm: "Camellia",
      key: hex("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"),
      iv: hex("00000003020100a0a1a2a3a4a5"),
      additionalData: hex("0001020304050607"),
      parameters: { blockCipherMode: "CCM", tagLength: 8 },
    } as const;
    expect(seal(input, hex("08090a0b0c0d0e0f101112131415161718191a1b1c1d1e"))).toEqual({
      data: "ba737185e719310492f38a5f1251da55fafbc949848a0d",
      tag: "fcaece746b3db9ad",
    });
  });

  it.each(["Camellia", "SM4"])("serves %s", (algorithm) => {
    const parameters = { blockCipherMode: "CCM", tagLength: 8 } as const;
    const input = { algorithm, key: bytes(16), iv: bytes(12), additionalData: text("aad"), parameters };
    const { data, tag } = seal(input, text("message"));
    expect(open(input, hex(data), hex(tag!))).toBe(encodeHex(text("message")));
    for (const change of [{ iv: bytes(11) }, { key: bytes(16, "y") }, { additionalData: text("add") }])
      failing(() => open({ ...input, ...change }, hex(data), hex(tag!)), "CryptographicFailure");
    const wrong = hex(tag!);
    wrong[7]! ^= 1;
    failing(() => open(input, hex(data), wrong), "CryptographicFailure");
    failing(() => open(input, hex(data), hex(tag!).subarray(0, 7)), "InvalidField");
    for (const length of [0, 6, 14])
      failing(() => seal({ ...input, iv: bytes(length) }, text("x")), "CryptographicFailure");
    failing(() => seal({ ...input, iv: bytes(13) }, bytes(65_536)), "CryptographicFailure");
  });
});

describe("GCM", () => {
  const parameters = { blockCipherMode: "GCM" } as const;

  it("opens nothing by a part of its tag", () => {
    const input = { key: bytes(16), iv: bytes(12), parameters };
    const { data, tag } = seal(input, text("message"));
    expect(open(input, hex(data), hex(tag!))).toBe(encodeHex(text("message")));
    for (const length of [0, 1, 4, 12, 15])
      failing(() => open(input, hex(data), hex(tag!).subarray(0, length)), "InvalidField");
  });

  it.each([16, 24, 32])("agrees with OpenSSL on IVs that both take, key of %i bytes", (length) => {
    for (const [ivLength, size] of [
      [1, 0],
      [13, 1],
      [16, 16],
      [100, 47],
      [128, 4096],
    ] as const) {
      const [key, iv, plain, aad] = [bytes(length), bytes(ivLength), bytes(size), bytes(size % 21)];
      const name = `aes-${length * 8}-gcm`;
      const cipher = createCipheriv(name as "aes-128-gcm", key, iv).setAAD(aad);
      const data = encodeHex(Buffer.concat([cipher.update(plain), cipher.final()]));
      const sealed = sealGcm({ name, key, iv, additionalData: aad, tagLength: 16 }, plain);
      expect(encodeHex(sealed.data)).toBe(data);
      expect(encodeHex(sealed.tag)).toBe(encodeHex(cipher.getAuthTag()));
    }
  });

  it("takes IVs that OpenSSL does not take", () => {
    const input = { key: bytes(16), iv: bytes(257), additionalData: text("aad"), parameters };
    const { data, tag } = seal(input, text("message"));
    expect(open(input, hex(data), hex(tag!))).toBe(encodeHex(text("message")));
    const wrong = hex(tag!);
    wrong[15]! ^= 0x80;
    failing(() => open(input, hex(data), wrong), "CryptographicFailure");
    failing(() => open({ ...input, iv: bytes(258) }, hex(data), hex(tag!)), "CryptographicFailure");
    failing(() => open(input, hex(data), hex(tag!).subarray(0, 12)), "InvalidField");
    expect(() => openGcm({ name: "aes-128-gcm", ...input, tagLength: 12 }, hex(data), hex(tag!))).toThrow(
      RangeError,
    );
  });

  it("refuses an empty IV", () => {
    failing(() => seal({ key: bytes(16), iv: bytes(0), parameters }, text("x")), "CryptographicFailure");
  });
});

it("ciphers of other countries work in the same modes", () => {
  // RFC 5794 appendix A, RFC 3713 appendix A and GB/T 32907-2016 appendix A: one block each.
  const ecb = { blockCipherMode: "ECB" } as const;
  const key = hex("000102030405060708090a0b0c0d0e0f");
  const block = hex("00112233445566778899aabbccddeeff");
  expect(seal({ algorithm: "ARIA", key, parameters: ecb }, block).data).toBe(
    "d718fbd6ab644c739da95f3be6451778",
  );
  const key2 = hex("0123456789abcdeffedcba9876543210");
  expect(seal({ algorithm: "Camellia", key: key2, parameters: ecb }, key2).data).toBe(
    "67673138549669730857065648eabe43",
  );
  expect(seal({ algorithm: "SM4", key: key2, parameters: ecb }, key2).data).toBe(
    "681edf34d206965e86b3e94f536e4246",
  );
  const gcm = { algorithm: "ARIA", key, iv: bytes(12), parameters: { blockCipherMode: "GCM" } } as const;
  const { data, tag } = seal(gcm, block);
  expect(open(gcm, hex(data), hex(tag!))).toBe(encodeHex(block));
  failing(
    () => seal({ algorithm: "SM4", key, iv: bytes(12), parameters: { blockCipherMode: "GCM" } }, block),
    "UnsupportedCryptographicParameters",
  );
});

it("ChaCha20 does not begin its counter again", () => {
  const input = (initialCounterValue: number, nonce = 12) => ({
    algorithm: "ChaCha20",
    key: bytes(32),
    iv: bytes(nonce),
    parameters: { initialCounterValue },
  });
  expect(seal(input(-1), bytes(64)).data).toHaveLength(128);
  failing(() => seal(input(-1), bytes(65)), "CryptographicFailure");
  failing(() => open(input(-2), bytes(129)), "CryptographicFailure");
  expect(seal(input(-1, 8), bytes(65)).data).toHaveLength(130);
});

describe("key wrap with other ciphers", () => {
  const input = (algorithm: string, blockCipherMode: "NISTKeyWrap" | "AESKeyWrapPadding", length = 16) => ({
    algorithm,
    key: bytes(length),
    parameters: { blockCipherMode },
  });

  it.each(["NISTKeyWrap", "AESKeyWrapPadding"] as const)("%s is that of OpenSSL", (method) => {
    for (const length of [1, 7, 8, 9, 16, 24, 32, 40, 4096]) {
      if (method === "NISTKeyWrap" && (length < 16 || length % 8 !== 0)) continue;
      const [key, data] = [bytes(32), bytes(length)];
      const wrapped = wrapWith("AES", method, key, data);
      expect(encodeHex(wrapped)).toBe(encodeHex(wrapAes(method, key, data)));
      expect(encodeHex(unwrapWith("AES", method, key, wrapped))).toBe(encodeHex(data));
    }
  });

  it.each(["ARIA", "Camellia", "SM4"])("%s opens what it wrapped, and nothing else", (algorithm) => {
    for (const method of ["NISTKeyWrap", "AESKeyWrapPadding"] as const) {
      const { data } = seal(input(algorithm, method), bytes(24));
      expect(open(input(algorithm, method), hex(data))).toBe(encodeHex(bytes(24)));
      for (let at = 0; at < data.length / 2; at++) {
        const wrong = hex(data);
        wrong[at]! ^= 1;
        failing(() => open(input(algorithm, method), wrong), "CryptographicFailure");
      }
      for (const length of [0, 8, 15, 23])
        failing(() => open(input(algorithm, method), bytes(length)), "CryptographicFailure");
      failing(() => seal(input(algorithm, method), bytes(0)), "CryptographicFailure");
    }
    failing(() => seal(input(algorithm, "NISTKeyWrap"), bytes(8)), "CryptographicFailure");
    failing(() => seal(input(algorithm, "NISTKeyWrap", 20), bytes(16)), "UnsupportedCryptographicParameters");
  });

  it.each(["AES", "Camellia"])("%s takes 64 KiB and no more: nothing else is done meanwhile", (algorithm) => {
    for (const method of ["NISTKeyWrap", "AESKeyWrapPadding"] as const) {
      const { data } = seal(input(algorithm, method), bytes(65_536));
      expect(open(input(algorithm, method), hex(data))).toBe(encodeHex(bytes(65_536)));
      failing(() => seal(input(algorithm, method), bytes(65_544)), "InvalidField");
      failing(() => open(input(algorithm, method), bytes(65_552)), "InvalidField");
    }
  });
});
