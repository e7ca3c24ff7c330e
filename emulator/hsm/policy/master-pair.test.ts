import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import {
  CEK_UNDER_PAIR,
  DATA_UNDER_PAIR,
  KEY_PAIR,
  masterKeyName,
  named,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policy,
  TO_RECIPIENT,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import type {
  Attributes,
  CryptographicParameters,
  KeyWrappingSpecification,
  RequestPayload,
} from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import { CEK_LABEL } from "#protocol/oaep-labels.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  createMaster,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  registerCertificate,
  registerRecipient,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { allDenied, denied, refused } from "../testing/refusal.ts";

/** A master key that is an RSA pair, and what is below it: symmetric account keys, and pairs by way of a content-encryption key (W1). */

let test: TestHsm;
let h: Hierarchy;
/** Of level `master`. */
let master: string;
/** Of level `data`. */
let lower: string;
let recipient: string;

function by(uniqueIdentifier: string, cryptographicParameters: CryptographicParameters) {
  const encryptionKeyInformation = { uniqueIdentifier, cryptographicParameters };
  return { ...aesKw(uniqueIdentifier), encryptionKeyInformation } satisfies KeyWrappingSpecification;
}

const get = (uniqueIdentifier: string, keyWrappingSpecification: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyWrappingSpecification });
const privateHalf = (uniqueIdentifier: string, wrapping: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", {
    ...{ uniqueIdentifier, keyFormatType: "PKCS_8" as const, keyWrappingSpecification: wrapping },
  });

async function makeMaster(name: string, level: Level, replaces?: string): Promise<string> {
  const made = await h.officer.request("CreateKeyPair", {
    commonAttributes: KEY_PAIR,
    privateKeyAttributes: {
      ...{ name: named(masterKeyName(name)), activationDate: PAST, sensitive: true },
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      ...(replaces && { link: [{ linkType: "ReplacedObjectLink", linkedObjectIdentifier: replaces }] }),
      vendorAttributes: [
        ...[policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT), policy(POLICY.level, level)],
      ],
    },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  await h.officer.request("Destroy", { uniqueIdentifier: made.publicKeyUniqueIdentifier });
  return made.privateKeyUniqueIdentifier;
}

const make = async (parent: string, uses: Attributes["cryptographicUsageMask"], client = h.kms) =>
  (
    await client.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, cryptographicUsageMask: uses, activationDate: PAST },
        vendorAttributes: [policy(POLICY.parent, parent)],
      },
    })
  ).uniqueIdentifier;
const makeAccount = (parent = master) => make(parent, ["WrapKey", "UnwrapKey"]);
const makeCek = (parent = master, client = h.kms) => make(parent, ["WrapKey"], client);
const makePair = async (parent = master) =>
  (
    await h.kms.request("CreateKeyPair", {
      commonAttributes: { ...KEY_PAIR, activationDate: PAST },
      privateKeyAttributes: {
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
        vendorAttributes: [policy(POLICY.parent, parent)],
      },
      publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
    })
  ).privateKeyUniqueIdentifier;

type Import = RequestPayload<"Import">;

function symmetricImport(
  wrapped: Bytes,
  wrapping: KeyWrappingSpecification,
  attributes?: Attributes,
): Import {
  const request = wrappedImport(crypto.randomUUID(), master, wrapped, attributes);
  request.object.symmetricKey!.keyBlock.keyWrappingData = wrapping;
  return request;
}

/** The parts of a private half in an answer to Get. */
function partsOf({ object }: Awaited<ReturnType<typeof privateHalf>>) {
  const { keyBlock } = object.privateKey!;
  const { keyValue } = keyBlock;
  const keyMaterial = keyValue instanceof Uint8Array ? keyValue : (keyValue!.keyMaterial as Bytes);
  return {
    nonce: new Uint8Array(keyBlock.keyWrappingData!.ivCounterNonce!),
    wrapped: new Uint8Array(keyMaterial),
  };
}

function pairImport(cek: string, { wrapped, nonce }: { wrapped: Bytes; nonce: Bytes }): Import {
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "PrivateKey",
    keyWrapType: "NotWrapped",
    attributes: { ...KEY_PAIR, activationDate: PAST },
    object: {
      privateKey: {
        keyBlock: {
          ...{ keyFormatType: "PKCS_8", keyValue: { keyMaterial: wrapped }, ...KEY_PAIR },
          keyWrappingData: { ...by(cek, PRIVATE_UNDER_PARENT), ivCounterNonce: nonce },
        },
      },
    },
  };
}

const bring = async (request: Import, client = h.kms) =>
  (await client.request("Import", request)).uniqueIdentifier;
const attributesOf = async (uniqueIdentifier: string) =>
  (await h.kms.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  master = await makeMaster("rsa", "master");
  lower = await makeMaster("rsa-lower", "data");
  const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.master] });
  recipient = await registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
}, 60_000);
afterAll(() => test.close());

describe("a master key that is a pair", () => {
  it("W1 wraps symmetric account keys by RSA-OAEP, takes them back, and says that they may be anybody's", async () => {
    const account = await makeAccount();
    const wrapped = keyBytes(await get(account, oaep(master)));
    expect(wrapped).toHaveLength(384);
    const again = await bring(symmetricImport(wrapped, oaep(master)));
    const data = await make(again, ["DeriveKey"]);
    const toInstance = await get(data, oaep(h.recipient));
    expect(keyBytes(toInstance)).toHaveLength(384);
    expect((await attributesOf(account)).alwaysSensitive).toBe(true);
    expect((await attributesOf(again)).alwaysSensitive).toBe(false);
  });

  it("W1 wraps the private half of an account's pair by way of a content-encryption key, and opens it again", async () => {
    const pair = await makePair();
    const cek = await makeCek();
    const half = partsOf(await privateHalf(pair, by(cek, PRIVATE_UNDER_PARENT)));
    const wrappedCek = keyBytes(await get(cek, by(master, CEK_UNDER_PAIR)));
    const opened = await bring(symmetricImport(wrappedCek, by(master, CEK_UNDER_PAIR)));
    const again = await bring(pairImport(opened, half));
    const attributes = await attributesOf(again);
    expect(attributes).toMatchObject({ sensitive: true, alwaysSensitive: false, cryptographicLength: 3072 });
    expect(attributes.vendorAttributes).toContainEqual(policy(POLICY.parent, master));
    expect(attributes.vendorAttributes).toContainEqual(policy(POLICY.level, "master"));
    const data = await make(again, ["DeriveKey"]);
    expect(keyBytes(await get(data, oaep(again)))).toHaveLength(384);
    const altered = { ...half, wrapped: half.wrapped.with(9, half.wrapped[9]! ^ 1) as Bytes };
    await refused(bring(pairImport(opened, altered))).toBe("CryptographicFailure");
  });

  it("W6 goes to a recipient of level master under a key that was made for it, and below that level to nobody", async () => {
    const cek = await make(recipient, ["WrapKey"]);
    const half = partsOf(await privateHalf(master, by(cek, PRIVATE_UNDER_PARENT)));
    const { subtle } = crypto;
    const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
    const key = await subtle.unwrapKey(
      ...(["raw", keyBytes(await get(cek, oaep(recipient))), h.recipientKeys.privateKey, rsa] as const),
      ...(["AES-GCM", false, ["unwrapKey"]] as const),
    );
    const masterKey = await subtle.unwrapKey(
      ...([
        "pkcs8",
        half.wrapped,
        key,
        { name: "AES-GCM", iv: half.nonce },
        rsa,
        false,
        ["unwrapKey"],
      ] as const),
    );
    // The recipient opens what is below it, link by link.
    const accountCek = await makeCek();
    const pair = await makePair();
    const account = partsOf(await privateHalf(pair, by(accountCek, PRIVATE_UNDER_PARENT)));
    const wrappedCek = keyBytes(await get(accountCek, by(master, CEK_UNDER_PAIR)));
    const label = utf8(CEK_LABEL);
    const opened = await subtle.unwrapKey(
      ...([
        "raw",
        wrappedCek,
        masterKey,
        { name: "RSA-OAEP", label },
        "AES-GCM",
        false,
        ["unwrapKey"],
      ] as const),
    );
    const accountKey = await subtle.unwrapKey(
      ...(["pkcs8", account.wrapped, opened, { name: "AES-GCM", iv: account.nonce }] as const),
      ...([rsa, false, ["unwrapKey"]] as const),
    );
    const data = await make(pair, ["DeriveKey"]);
    const dataKey = await subtle.unwrapKey(
      ...([
        "raw",
        keyBytes(await get(data, oaep(pair))),
        accountKey,
        rsa,
        "AES-GCM",
        true,
        ["encrypt"],
      ] as const),
    );
    const toRecipient = keyBytes(await get(data, oaep(recipient)));
    const plain = await subtle.decrypt({ name: "RSA-OAEP" }, h.recipientKeys.privateKey, toRecipient);
    expect(encodeHex(new Uint8Array(await subtle.exportKey("raw", dataKey)))).toBe(
      encodeHex(new Uint8Array(plain)),
    );
    const cekOfLevel = await make(h.recipient, ["WrapKey"]);
    await allDenied({
      "a key of level data": privateHalf(lower, by(cek, PRIVATE_UNDER_PARENT)),
      "to a recipient of another level": privateHalf(master, by(cekOfLevel, PRIVATE_UNDER_PARENT)),
      "in plain": h.kms.request("Get", { uniqueIdentifier: master, keyFormatType: "PKCS_8" }),
      "under itself": privateHalf(master, oaep(master)),
      "under an AES master key": privateHalf(master, by(h.master, PRIVATE_UNDER_PARENT)),
      "under a content-encryption key of its own": privateHalf(master, by(accountCek, PRIVATE_UNDER_PARENT)),
    });
    await refused(privateHalf(master, by(cek, PRIVATE_UNDER_PARENT), h.ra)).toBe("ObjectNotFound");
    await refused(privateHalf(master, oaep(recipient))).toBe("CryptographicFailure");
  });

  it("W12 takes the place of a symmetric one and gives it up again: account keys of both kinds go to the successor alone", async () => {
    const first = await createMaster(h.officer, masterKeyName("rsa-rotated"), undefined, "data");
    const account = await makeAccount(first);
    const pair = await makePair(first);
    const second = await makeMaster("rsa-rotated-2", "data", first);
    await refused(makeMaster("rsa-rotated-3", "data", first)).toBe("PermissionDenied");
    const symmetric = keyBytes(await get(account, oaep(second)));
    const cek = await makeCek(second);
    const half = partsOf(await privateHalf(pair, by(cek, PRIVATE_UNDER_PARENT)));
    const wrappedCek = keyBytes(await get(cek, by(second, CEK_UNDER_PAIR)));
    const opened = await bring(symmetricImport(wrappedCek, by(second, CEK_UNDER_PAIR)));
    const moved = {
      account: await bring(symmetricImport(symmetric, oaep(second))),
      pair: await bring(pairImport(opened, half)),
    };
    await denied(privateHalf(pair, by(await makeCek(lower), PRIVATE_UNDER_PARENT)));
    await denied(get(account, oaep(lower)));
    const { uniqueIdentifier: third } = await h.officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST },
        link: [{ linkType: "ReplacedObjectLink", linkedObjectIdentifier: second }],
        vendorAttributes: [
          ...[policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT), policy(POLICY.level, "data")],
        ],
      },
    });
    expect(keyBytes(await get(moved.account, aesKw(third)))).toHaveLength(40);
    const back = partsOf(await privateHalf(moved.pair, by(third, PRIVATE_UNDER_PARENT)));
    expect(back.wrapped.length).toBeGreaterThan(1700);
    await denied(get(moved.account, aesKw(h.master)));
    // What was wrapped to the first one is not opened by a later one.
    await refused(bring(symmetricImport(wrappedCek, by(lower, CEK_UNDER_PAIR)))).toBe("CryptographicFailure");
  });
});

describe("what the policy says of it", () => {
  it("a content-encryption key is made under a pair by the KMS, leaves to its master key, and wraps private halves below that", async () => {
    const cek = await makeCek();
    const pair = await makePair();
    const account = await makeAccount();
    const data = await make(account, ["DeriveKey"]);
    const cekOfLower = await makeCek(lower);
    const another = await makeCek();
    const request = { uniqueIdentifier: cek };
    await allDenied({
      "in plain": h.kms.request("Get", request),
      "to a recipient": get(cek, oaep(recipient)),
      "without its label": get(cek, oaep(master)),
      "with the label of data keys": get(cek, by(master, DATA_UNDER_PAIR)),
      "under another master key": get(cek, by(lower, CEK_UNDER_PAIR)),
      "under an AES master key": get(cek, aesKw(h.master)),
      "under an account's pair": get(cek, oaep(pair)),
      "an account key under it": get(account, aesKw(cek)),
      "a data key under it": get(data, aesKw(cek)),
      "another one under it": get(another, aesKw(cek)),
      "a pair below another master key": privateHalf(pair, by(cekOfLower, PRIVATE_UNDER_PARENT)),
      "a pair by AES-KWP": privateHalf(pair, by(cek, { blockCipherMode: "AESKeyWrapPadding" })),
      "a pair by AES-KW": privateHalf(pair, aesKw(cek)),
      "the pair under its master key at once": privateHalf(pair, oaep(master)),
      "made by the IAM": makeCek(master, h.iam),
      "made by the RA": makeCek(master, h.ra),
      "a key under it": make(cek, ["WrapKey", "UnwrapKey"]),
    });
    await refused(h.kms.request("Encrypt", { ...request, data: new Uint8Array(16) })).not.toBe("Success");
    // One that was made opens nothing, and one that came back wraps nothing.
    const half = partsOf(await privateHalf(pair, by(cek, PRIVATE_UNDER_PARENT)));
    await refused(bring(pairImport(cek, half))).toBe("IncompatibleCryptographicUsageMask");
    const wrapped = keyBytes(await get(cek, by(master, CEK_UNDER_PAIR)));
    const opened = await bring(symmetricImport(wrapped, by(master, CEK_UNDER_PAIR)));
    await refused(privateHalf(pair, by(opened, PRIVATE_UNDER_PARENT))).toBe(
      "IncompatibleCryptographicUsageMask",
    );
    const asked = { ...AES, activationDate: PAST, cryptographicUsageMask: ["WrapKey" as const] };
    const wrapping = symmetricImport(wrapped, by(master, CEK_UNDER_PAIR), asked);
    const still = await bring(wrapping);
    await refused(privateHalf(pair, by(still, PRIVATE_UNDER_PARENT))).not.toBe("Success");
  });

  it("a content-encryption key ends within a minute", async () => {
    for (const uid of [
      await makeCek(),
      await bring(
        symmetricImport(
          keyBytes(await get(await makeCek(), by(master, CEK_UNDER_PAIR))),
          by(master, CEK_UNDER_PAIR),
        ),
      ),
    ]) {
      const { deactivationDate } = await attributesOf(uid);
      expect(deactivationDate!.getTime() - Date.now()).toBeLessThanOrEqual(60_000);
    }
  });

  it("what was wrapped as one kind of child does not come back as another", async () => {
    const kinds = {
      account: { uid: await makeAccount(), with: TO_RECIPIENT },
      data: { uid: await make(master, ["DeriveKey"]), with: DATA_UNDER_PAIR },
      cek: { uid: await makeCek(), with: CEK_UNDER_PAIR },
    } satisfies Record<string, { uid: string; with: CryptographicParameters }>;
    for (const [name, kind] of Object.entries(kinds)) {
      const wrapped = keyBytes(await get(kind.uid, by(master, kind.with)));
      for (const [other, { with: parameters }] of Object.entries(kinds)) {
        const answer = h.kms.request("Import", symmetricImport(wrapped, by(master, parameters)));
        if (other !== name) await refused(answer).toBe("CryptographicFailure");
        else await answer;
        if (other !== name) await denied(get(kind.uid, by(master, parameters)));
      }
      await denied(get(kind.uid, by(master, UNDER_PARENT)));
    }
  });

  it("the officer alone makes it, as RSA-3072, and it signs and decrypts nothing", async () => {
    const order = (more: object = {}) => ({
      commonAttributes: KEY_PAIR,
      privateKeyAttributes: {
        cryptographicUsageMask: ["WrapKey" as const, "UnwrapKey" as const],
        vendorAttributes: [policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT)],
        ...more,
      },
      publicKeyAttributes: { cryptographicUsageMask: ["WrapKey" as const] },
    });
    for (const client of [h.kms, h.iam, h.ra, h.audit])
      await denied(client.request("CreateKeyPair", order()));
    await denied(h.officer.request("CreateKeyPair", order({ sensitive: false })));
    for (const commonAttributes of [
      { ...KEY_PAIR, cryptographicLength: 2048 },
      { cryptographicAlgorithm: "EC" as const, cryptographicLength: 256 },
    ])
      await denied(h.officer.request("CreateKeyPair", { ...order(), commonAttributes }));
    const data = new Uint8Array(384);
    for (const client of [h.kms, h.officer]) {
      await refused(client.request("Sign", { uniqueIdentifier: master, data })).not.toBe("Success");
      await refused(client.request("Decrypt", { uniqueIdentifier: master, data })).not.toBe("Success");
    }
    await denied(h.officer.request("Get", { uniqueIdentifier: master, keyFormatType: "PKCS_8" }));
  });
});
