import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { TO_RECIPIENT } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient, RequestPayload } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Bytes, keyBytes, PAST } from "../testing/hierarchy.ts";
import { refused } from "../testing/refusal.ts";

/** Keys under AES-GCM and under RSA, as WebCrypto wraps and unwraps them. */

type Import = RequestPayload<"Import">;
const GCM = { blockCipherMode: "GCM" } as const;

let test: TestHsm;
let client: KmipClient;
/** A key that wraps and unwraps, and its bytes. */
let kek: string;
const kekBytes = crypto.getRandomValues(new Uint8Array(32));
const secret = crypto.getRandomValues(new Uint8Array(32));

beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "user"));
  kek = await register(kekBytes, { cryptographicUsageMask: ["WrapKey", "UnwrapKey"] });
}, 30_000);
afterAll(() => test.close());

async function register(keyMaterial: Bytes, attributes: Attributes = {}): Promise<string> {
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "SymmetricKey",
    attributes: { ...AES, activationDate: PAST, cryptographicUsageMask: ["Encrypt"], ...attributes },
    object: {
      symmetricKey: { keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial }, ...AES } as never },
    },
  });
  return uniqueIdentifier;
}

function getUnder(uniqueIdentifier: string, by: string, parameters: object = GCM) {
  return client.request("Get", {
    uniqueIdentifier,
    keyWrappingSpecification: {
      wrappingMethod: "Encrypt",
      encodingOption: "NoEncoding",
      encryptionKeyInformation: { uniqueIdentifier: by, cryptographicParameters: parameters },
    },
  });
}

function wrappedBy(
  by: string,
  keyMaterial: Bytes,
  { ivCounterNonce, parameters = GCM }: { ivCounterNonce?: Bytes; parameters?: object } = {},
): Import {
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "SymmetricKey",
    keyWrapType: "NotWrapped",
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], activationDate: PAST },
    object: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial },
          ...(AES as { cryptographicAlgorithm: "AES"; cryptographicLength: number }),
          keyWrappingData: {
            wrappingMethod: "Encrypt",
            encodingOption: "NoEncoding",
            encryptionKeyInformation: { uniqueIdentifier: by, cryptographicParameters: parameters },
            ...(ivCounterNonce ? { ivCounterNonce } : {}),
          },
        },
      },
    },
  };
}

const valueIn = async (uniqueIdentifier: string) =>
  encodeHex(keyBytes(await client.request("Get", { uniqueIdentifier })));

describe("a key under AES-GCM", () => {
  it("opens in WebCrypto, with the nonce that stands beside it", async () => {
    const key = await register(secret);
    const answer = await getUnder(key, kek);
    const data = answer.object.symmetricKey!.keyBlock.keyWrappingData!;
    expect(data.ivCounterNonce?.length).toBe(12);
    const wrapped = keyBytes(answer);
    expect(wrapped.length).toBe(48);
    const unwrapping = await crypto.subtle.importKey("raw", kekBytes, "AES-GCM", false, ["unwrapKey"]);
    const algorithm = { name: "AES-GCM", iv: new Uint8Array(data.ivCounterNonce!), tagLength: 128 };
    const opened = await crypto.subtle.unwrapKey(
      ...(["raw", wrapped, unwrapping, algorithm, "AES-GCM", true, ["encrypt"]] as const),
    );
    expect(encodeHex(new Uint8Array(await crypto.subtle.exportKey("raw", opened)))).toBe(encodeHex(secret));
    // Each time another nonce.
    const again = (await getUnder(key, kek)).object.symmetricKey!.keyBlock.keyWrappingData!;
    expect(again.ivCounterNonce).not.toEqual(data.ivCounterNonce);
  });

  it("is imported as WebCrypto wraps it, and comes back as it left", async () => {
    const wrapping = await crypto.subtle.importKey("raw", kekBytes, "AES-GCM", false, ["wrapKey"]);
    const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", true, ["encrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const wrapped = new Uint8Array(
      await crypto.subtle.wrapKey("raw", key, wrapping, { name: "AES-GCM", iv, tagLength: 128 }),
    );
    const request = wrappedBy(kek, wrapped, { ivCounterNonce: iv });
    const { uniqueIdentifier } = await client.request("Import", request);
    expect(await valueIn(uniqueIdentifier)).toBe(encodeHex(secret));
    for (const change of [
      { ...request, object: wrappedBy(kek, wrapped).object },
      { ...request, object: wrappedBy(kek, wrapped, { ivCounterNonce: new Uint8Array(12) }).object },
      { ...request, object: wrappedBy(kek, wrapped, { ivCounterNonce: new Uint8Array(16) }).object },
      { ...request, object: wrappedBy(kek, wrapped.slice(0, 16), { ivCounterNonce: iv }).object },
      { ...request, object: wrappedBy(kek, wrapped.slice(0, 47), { ivCounterNonce: iv }).object },
      {
        ...request,
        object: wrappedBy(kek, wrapped.with(0, wrapped[0]! ^ 1) as Bytes, { ivCounterNonce: iv }).object,
      },
    ])
      await refused(client.request("Import", { ...change, uniqueIdentifier: crypto.randomUUID() })).toBe(
        "CryptographicFailure",
      );
    const short = { ...GCM, tagLength: 12 };
    await refused(
      client.request("Import", wrappedBy(kek, wrapped, { ivCounterNonce: iv, parameters: short })),
    ).toBe("UnsupportedCryptographicParameters");
  });

  it("is kept secret by a key that does nothing else", async () => {
    const key = await register(secret, { sensitive: true });
    for (const use of ["Encrypt", "Decrypt", "DeriveKey", "MACGenerate"] as const) {
      const other = await client.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...{ ...AES, activationDate: PAST, sensitive: true },
          cryptographicUsageMask: ["WrapKey", use],
        },
      });
      await refused(getUnder(key, other.uniqueIdentifier)).toBe("IncompatibleCryptographicUsageMask");
    }
    const only = await client.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, activationDate: PAST, sensitive: true },
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      },
    });
    const wrapped = await getUnder(key, only.uniqueIdentifier);
    expect(keyBytes(wrapped).length).toBe(48);
  });
});

describe("a key under RSA-OAEP", () => {
  it("is imported by the private half, and never called always sensitive", async () => {
    const pair = await client.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072, activationDate: PAST },
      privateKeyAttributes: { cryptographicUsageMask: ["UnwrapKey"], sensitive: true },
      publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
    });
    const { object } = await client.request("Get", {
      uniqueIdentifier: pair.publicKeyUniqueIdentifier,
      keyFormatType: "X_509",
    });
    const spki = (object.publicKey!.keyBlock.keyValue as { keyMaterial: Bytes }).keyMaterial;
    const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
    const publicKey = await crypto.subtle.importKey("spki", spki, algorithm, false, ["encrypt"]);
    const wrapped = new Uint8Array(await crypto.subtle.encrypt({ name: "RSA-OAEP" }, publicKey, secret));
    const by = pair.privateKeyUniqueIdentifier;
    const request = wrappedBy(by, wrapped, { parameters: TO_RECIPIENT });
    const { uniqueIdentifier } = await client.request("Import", request);
    const { attributes } = await client.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: [],
    });
    expect(attributes).toMatchObject({ sensitive: true, alwaysSensitive: false });
    const out = await getUnder(uniqueIdentifier, kek);
    const iv = new Uint8Array(out.object.symmetricKey!.keyBlock.keyWrappingData!.ivCounterNonce!);
    const opening = await crypto.subtle.importKey("raw", kekBytes, "AES-GCM", false, ["decrypt"]);
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, opening, keyBytes(out));
    expect(encodeHex(new Uint8Array(opened))).toBe(encodeHex(secret));
    await refused(client.request("Get", { uniqueIdentifier })).toBe("Sensitive");
    for (const bytes of [wrapped.slice(1), wrapped.with(9, wrapped[9]! ^ 1) as Bytes, new Uint8Array(384)])
      await refused(client.request("Import", wrappedBy(by, bytes, { parameters: TO_RECIPIENT }))).toBe(
        "CryptographicFailure",
      );
    const pkcs1 = { paddingMethod: "PKCS1V1_5" };
    await refused(client.request("Import", wrappedBy(by, wrapped, { parameters: pkcs1 }))).toBe(
      "UnsupportedCryptographicParameters",
    );
    // The public half opens nothing.
    const other = wrappedBy(pair.publicKeyUniqueIdentifier, wrapped, { parameters: TO_RECIPIENT });
    await refused(client.request("Import", other)).toBe("IncompatibleCryptographicUsageMask");
  });
});
