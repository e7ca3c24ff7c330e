import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attributes, KeyBlock, KmipClient, ManagedObject } from "#protocol/kmip/index.ts";
import { wrapAes } from "../crypto/aes-key-wrap.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Bytes, PAST, wrappedImport } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** What a request and a key block say of a key (KMIP 1.4 §2.1.3 Key Block) must be what the key is. */

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "one"));
}, 30_000);
afterAll(() => test.close());

type Said = Pick<KeyBlock, "cryptographicAlgorithm" | "cryptographicLength">;
const aes = (keyMaterial: Bytes, said: Said): ManagedObject => ({
  symmetricKey: { keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial }, ...said } },
});
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (said: Said): ManagedObject => ({
  publicKey: {
    keyBlock: {
      keyFormatType: "X_509",
      keyValue: { keyMaterial: new Uint8Array(publicKey.export({ type: "spki", format: "der" })) },
      ...said,
    },
  },
});
const pkcs8 = (said: Said): ManagedObject => ({
  privateKey: {
    keyBlock: {
      keyFormatType: "PKCS_8",
      keyValue: { keyMaterial: new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })) },
      ...said,
    },
  },
});

type Case = ["SymmetricKey" | "PublicKey" | "PrivateKey", ManagedObject, Attributes];
const KEY = new Uint8Array(16).fill(1);
const DES = new Uint8Array(24).fill(1);

describe("what comes with a key", () => {
  it.each<[string, string, Case]>([
    [
      "another algorithm in the request than in the block",
      "InvalidAttributeValue",
      [
        "SymmetricKey",
        aes(KEY, { cryptographicAlgorithm: "AES" }),
        { cryptographicAlgorithm: "HMAC_SHA256" },
      ],
    ],
    [
      "another length in the request than the key's",
      "InvalidAttributeValue",
      ["SymmetricKey", aes(KEY, { cryptographicAlgorithm: "AES" }), { cryptographicLength: 256 }],
    ],
    [
      "another length in the block than the key's",
      "InvalidField",
      ["SymmetricKey", aes(KEY, { cryptographicAlgorithm: "AES", cryptographicLength: 256 }), {}],
    ],
    [
      "RSA in the block of a key on a curve",
      "InvalidField",
      ["PublicKey", spki({ cryptographicAlgorithm: "RSA" }), {}],
    ],
    [
      "RSA in the request for one",
      "InvalidAttributeValue",
      ["PrivateKey", pkcs8({}), { cryptographicAlgorithm: "RSA" }],
    ],
    ["a longer curve in the block", "InvalidField", ["PrivateKey", pkcs8({ cryptographicLength: 384 }), {}]],
    [
      "ECDSA for a key on a curve",
      "Success",
      ["PrivateKey", pkcs8({ cryptographicAlgorithm: "EC" }), { cryptographicAlgorithm: "ECDSA" }],
    ],
    [
      "the length of DES without parity",
      "Success",
      ["SymmetricKey", aes(DES, { cryptographicAlgorithm: "DES3", cryptographicLength: 168 }), {}],
    ],
    ["nothing but the key", "Success", ["SymmetricKey", aes(KEY, {}), {}]],
  ])("registers %s: %s", async (_what, expected, [objectType, object, more]) => {
    const attributes: Attributes = { cryptographicUsageMask: ["Sign", "Verify"], ...more };
    const register = client.request("Register", { objectType, attributes, object });
    expect(await reason(register)).toBe(expected);
  });

  it("imports no wrapped key under another length", async () => {
    const kek = new Uint8Array(32).fill(3);
    const { uniqueIdentifier } = await client.request("Register", {
      objectType: "SymmetricKey",
      attributes: { cryptographicUsageMask: ["UnwrapKey"], activationDate: PAST },
      object: aes(kek, { cryptographicAlgorithm: "AES", cryptographicLength: 256 }),
    });
    const wrapped = wrapAes("NISTKeyWrap", kek, KEY);
    const { cryptographicLength, ...attributes } = { ...AES, activationDate: PAST };
    const imported = wrappedImport("short", uniqueIdentifier, new Uint8Array(wrapped), attributes);
    expect(cryptographicLength).toBe(256);
    expect(await reason(client.request("Import", imported))).toBe("InvalidField");
  });
});
