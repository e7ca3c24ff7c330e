import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { type DerivationParameters, KmipError } from "#protocol/kmip/index.ts";
import { agreedSecret, DERIVATIONS } from "./derivation.ts";
import { transparentPublicKey } from "./transparent-key.ts";

const key = new Uint8Array(16);
const derived = (method: string, parameters: DerivationParameters, length: number) =>
  DERIVATIONS[method]!(
    { key, algorithm: "AES", parameters, length },
    { spend: () => {}, heavy: (_units, job) => job() },
  );
const refused = (work: () => unknown) => expect(work).toThrow(KmipError);

describe("HKDF gives 255 blocks and no more (RFC 5869 §2.3)", () => {
  it.each([
    ["SHA_256", 255 * 32],
    ["SHA_512", 255 * 64],
  ] as const)("%s", async (hashingAlgorithm, maximum) => {
    const parameters = { cryptographicParameters: { hashingAlgorithm } };
    expect((await derived("HKDF", parameters, maximum)).length).toBe(maximum);
    refused(() => derived("HKDF", parameters, maximum + 1));
  });
});

it("PBKDF2 does no more rounds than it is worth, over all blocks of its output", async () => {
  const salt = new Uint8Array(8);
  expect((await derived("PBKDF2", { salt, iterationCount: 1 }, 4)).length).toBe(4);
  refused(() => derived("PBKDF2", { salt, iterationCount: 0 }, 4));
  refused(() => derived("PBKDF2", { salt, iterationCount: 10_000_001 }, 4));
  refused(() => derived("PBKDF2", { salt, iterationCount: 1_000_000 }, 16_384));
});

describe("what is hashed for every block is bounded, and charged", () => {
  const cryptographicParameters = { hashingAlgorithm: "MD5" } as const;
  const long = new Uint8Array(1_000_000);
  const derive = (method: string, over: { key?: Uint8Array; data?: Uint8Array }, length: number) => {
    let charged = 0;
    const parameters = { cryptographicParameters, derivationData: over.data ?? new Uint8Array(8) };
    const spend = (units: number) => {
      charged += units;
    };
    const made = DERIVATIONS[method]!(
      { key: over.key ?? key, algorithm: "AES", parameters, length },
      { spend, heavy: (_units, job) => job() },
    );
    return { made, charged };
  };

  it.each(["HKDF", "NIST800_108_C", "NIST800_108_F", "NIST800_108_DPI"])("%s", async (method) => {
    refused(() => derive(method, { data: long }, 2048));
    if (method !== "HKDF") refused(() => derive(method, { key: long }, 2048));
    const { made, charged } = derive(method, { data: long.subarray(0, 10_000) }, 2048);
    expect((await made).length).toBeGreaterThanOrEqual(2048);
    // 128 blocks of MD5, each over all of the data.
    expect(charged).toBeGreaterThan((128 * 10_000) / 200);
  });
});

describe("agreement", () => {
  const pair = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });

  it.each(["prime256v1", "secp521r1", "secp256k1", "brainpoolP384r1", "sect283k1"])("on %s", (namedCurve) => {
    const [a, b] = [pair(namedCurve), pair(namedCurve)];
    const secret = agreedSecret(a.privateKey, b.publicKey);
    expect(encodeHex(secret)).toBe(encodeHex(agreedSecret(b.privateKey, a.publicKey)));
    refused(() => agreedSecret(a.privateKey, pair("secp384r1").publicKey));
  });

  it.each([
    ["x25519", "CURVE25519", 32],
    ["x448", "CURVE448", 56],
  ] as const)("on %s, with no point of small order", (type, recommendedCurve, length) => {
    const own = generateKeyPairSync(type as "x25519");
    const other = generateKeyPairSync(type as "x25519");
    expect(encodeHex(agreedSecret(own.privateKey, other.publicKey))).toBe(
      encodeHex(agreedSecret(other.privateKey, own.publicKey)),
    );
    for (const first of [0, 1]) {
      const qString = new Uint8Array(length);
      qString[0] = first;
      const point = transparentPublicKey(
        { keyFormatType: "TransparentECPublicKey" },
        { recommendedCurve, qString },
      );
      refused(() => agreedSecret(own.privateKey, point));
    }
  });

  it("is not for keys that sign", () => {
    const own = generateKeyPairSync("ed25519");
    refused(() => agreedSecret(own.privateKey, own.publicKey));
  });
});
