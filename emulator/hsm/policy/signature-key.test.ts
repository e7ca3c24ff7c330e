import { createPublicKey, verify } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import {
  ALLOWED,
  KEY,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policy,
  SIGNATURE_KEYS,
  type SignatureKey,
} from "#protocol/hierarchy/index.ts";
import type { Attributes, KeyWrappingSpecification, RequestPayload } from "#protocol/kmip/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  aesKw,
  type Bytes,
  createData,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { denied } from "../testing/refusal.ts";

/** Key pairs that sign for an account (M17): made below its key, released under a key of their own alone, and used where the officer says so. */

let test: TestHsm;
let h: Hierarchy;
const say = (value: string) =>
  h.officer.request("SetAttribute", {
    uniqueIdentifier: h.master,
    newAttribute: { vendorAttributes: [policy(POLICY.operations, value)] },
  });
beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
}, 30_000);
afterAll(() => test.close());
beforeEach(() => say(ALLOWED));

const data = utf8("what is signed");
const byGcm = (uniqueIdentifier: string): KeyWrappingSpecification => ({
  ...aesKw(uniqueIdentifier),
  encryptionKeyInformation: { uniqueIdentifier, cryptographicParameters: PRIVATE_UNDER_PARENT },
});
const below = (parent = h.account) => ({ vendorAttributes: [policy(POLICY.parent, parent)] });

/** A key for one private half. */
async function createKey(usage: NonNullable<Attributes["cryptographicUsageMask"]> = ["WrapKey"]) {
  const attributes = { ...KEY, ...below(), cryptographicUsageMask: usage, activationDate: PAST };
  return (await h.kms.request("Create", { objectType: "SymmetricKey", attributes })).uniqueIdentifier;
}

async function createPair(kind: SignatureKey, parent = h.account) {
  return h.kms.request("CreateKeyPair", {
    commonAttributes: { ...SIGNATURE_KEYS[kind].key },
    privateKeyAttributes: { ...below(parent), cryptographicUsageMask: ["Sign"], sensitive: true },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  });
}

const getPrivate = (uniqueIdentifier: string, by: KeyWrappingSpecification) =>
  h.kms.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_8", keyWrappingSpecification: by });

/** A pair as it leaves, and what came back of it. */
async function madeAndBack(kind: SignatureKey) {
  const key = await createKey();
  const pair = await createPair(kind);
  const wrapped = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: key, keyWrappingSpecification: aesKw(h.account) }),
  );
  const given = await getPrivate(pair.privateKeyUniqueIdentifier, byGcm(key));
  const block = given.object.privateKey!.keyBlock;
  const spki = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: pair.publicKeyUniqueIdentifier, keyFormatType: "X_509" }),
  );
  const back = await importKey(wrapped);
  const imported = await importPrivate(kind, {
    by: back,
    material: keyBytes(given),
    nonce: new Uint8Array(block.keyWrappingData!.ivCounterNonce!),
  });
  return { key, pair, wrapped, spki, back, imported, length: keyBytes(given).length };
}

async function importKey(
  wrapped: Bytes,
  usage: NonNullable<Attributes["cryptographicUsageMask"]> = ["UnwrapKey"],
) {
  const attributes = { ...KEY, cryptographicUsageMask: usage, activationDate: PAST };
  const asked = wrappedImport(crypto.randomUUID(), h.account, wrapped, attributes);
  return (await h.kms.request("Import", asked)).uniqueIdentifier;
}

async function importPrivate(
  kind: SignatureKey,
  { by, material, nonce }: { by: string; material: Bytes; nonce: Uint8Array<ArrayBuffer> },
) {
  const { cryptographicAlgorithm } = SIGNATURE_KEYS[kind].key;
  const keyWrappingData = { ...byGcm(by), ivCounterNonce: nonce };
  const { uniqueIdentifier } = await h.kms.request("Import", {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "PrivateKey",
    keyWrapType: "NotWrapped",
    attributes: { ...SIGNATURE_KEYS[kind].key, cryptographicUsageMask: ["Sign"], activationDate: PAST },
    object: {
      privateKey: {
        keyBlock: {
          keyFormatType: "PKCS_8",
          keyValue: { keyMaterial: material },
          cryptographicAlgorithm,
          keyWrappingData,
        },
      },
    },
  });
  return uniqueIdentifier;
}

const sign = (uniqueIdentifier: string, kind: SignatureKey, more: Partial<RequestPayload<"Sign">> = {}) =>
  h.kms.request("Sign", {
    ...{ uniqueIdentifier, data, cryptographicParameters: { ...SIGNATURE_KEYS[kind].sign } },
    ...more,
  });

it.each(Object.keys(SIGNATURE_KEYS) as SignatureKey[])(
  "M17 %s: a pair leaves under a key of its own, comes back and signs",
  async (kind) => {
    const { spki, imported, length } = await madeAndBack(kind);
    // An EDK has room for no more; of ML-DSA it is the seed alone, with PKCS#8 and the tag around it.
    if (kind === "ML-DSA-65") expect(length).toBe(32 + 22 + 16);
    else expect(length).toBeLessThan(2048);
    const { signatureData } = await sign(imported, kind);
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    const hash = { ES256: "sha256", ES384: "sha384", Ed25519: null, PS256: "sha256", "ML-DSA-65": null }[
      kind
    ];
    const padding = kind === "PS256" ? { padding: 6, saltLength: 32 } : {};
    expect(verify(hash, data, { key, ...padding }, signatureData!)).toBe(true);
  },
  30_000,
);

it("M17 signs nothing where the officer has not allowed it, nor in another way than its own", async () => {
  const { imported } = await madeAndBack("ES256");
  await sign(imported, "ES256");
  for (const more of [
    { cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA384" } },
    { cryptographicParameters: {} },
    { data: undefined, digestedData: new Uint8Array(32) },
    { initIndicator: true },
  ] as Partial<RequestPayload<"Sign">>[])
    await denied(sign(imported, "ES256", more));
  await say("false");
  await denied(sign(imported, "ES256"));
});

it("M17 gives the private half to no recipient, in no clear form and under no other key", async () => {
  const { key, pair, imported } = await madeAndBack("ES256");
  const dataKey = await createData(h.kms, h.account);
  for (const half of [pair.privateKeyUniqueIdentifier, imported]) {
    await denied(getPrivate(half, oaep(h.recipient)));
    await denied(getPrivate(half, byGcm(h.account)));
    await denied(getPrivate(half, byGcm(dataKey)));
    await expect(h.kms.request("Get", { uniqueIdentifier: half })).rejects.toThrow();
  }
  // The key that it is under goes to its account, and wraps no data key.
  await denied(h.kms.request("Get", { uniqueIdentifier: key, keyWrappingSpecification: oaep(h.recipient) }));
  for (const by of [aesKw(key), byGcm(key)])
    await denied(h.kms.request("Get", { uniqueIdentifier: dataKey, keyWrappingSpecification: by }));
});

it("M17 a key that comes back opens private halves, and wraps none: nobody has one under a key that he knows", async () => {
  const { back, pair, wrapped } = await madeAndBack("ES256");
  // Whatever it is said to be for.
  for (const brought of [back, await importKey(wrapped, ["WrapKey", "UnwrapKey"])])
    await expect(getPrivate(pair.privateKeyUniqueIdentifier, byGcm(brought))).rejects.toThrow();
  // As a data key the same bytes go to a recipient, and open nothing here.
  const asData = await importKey(wrapped, ["DeriveKey"]);
  await h.kms.request("Get", { uniqueIdentifier: asData, keyWrappingSpecification: oaep(h.recipient) });
  await denied(getPrivate(pair.privateKeyUniqueIdentifier, byGcm(asData)));
});

it("M17 makes no pair for another use, of another kind or with another mask", async () => {
  await expect(createPair("ES256", h.master)).rejects.toThrow();
  const order = {
    privateKeyAttributes: { ...below(), cryptographicUsageMask: ["Sign" as const], sensitive: true },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify" as const] },
  };
  for (const kind of [
    { cryptographicAlgorithm: "EC", cryptographicDomainParameters: { recommendedCurve: "P_521" } },
    { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
    { cryptographicAlgorithm: "Ed448" },
  ] as Attributes[])
    await denied(h.kms.request("CreateKeyPair", { commonAttributes: kind, ...order }));
  for (const uses of [["Sign", "WrapKey"], ["Sign", "Decrypt"], ["Decrypt"]] as const) {
    const privateKeyAttributes = { ...order.privateKeyAttributes, cryptographicUsageMask: [...uses] };
    await expect(
      h.kms.request("CreateKeyPair", {
        commonAttributes: { ...SIGNATURE_KEYS.ES256.key },
        ...order,
        privateKeyAttributes,
      }),
    ).rejects.toThrow();
  }
});
