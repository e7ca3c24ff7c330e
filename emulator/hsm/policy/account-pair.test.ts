import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import {
  KEY_PAIR,
  masterKeyName,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policy,
  TO_RECIPIENT,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import type {
  Attributes,
  KeyWrappingSpecification,
  KmipClient,
  RequestPayload,
} from "#protocol/kmip/index.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  createData,
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

/** Asymmetric account keys: an RSA pair under an AES master key, and AES data keys under the pair (W1). */

let test: TestHsm;
let h: Hierarchy;
let master: string;
/** Enc(account key): the private half under the master key, with its nonce; and the public half. */
let account: { wrapped: Bytes; nonce: Bytes; spki: Bytes };
/** A recipient at level master. */
let recipient: string;

const order = (parent: string, more: Attributes = {}, ofPublic: Attributes = {}) => ({
  commonAttributes: { ...KEY_PAIR, activationDate: PAST },
  privateKeyAttributes: {
    cryptographicUsageMask: ["WrapKey" as const, "UnwrapKey" as const],
    vendorAttributes: [policy(POLICY.parent, parent)],
    ...more,
  },
  publicKeyAttributes: { cryptographicUsageMask: ["WrapKey" as const], ...ofPublic },
});

function gcm(uniqueIdentifier: string): KeyWrappingSpecification {
  return {
    ...aesKw(uniqueIdentifier),
    encryptionKeyInformation: { uniqueIdentifier, cryptographicParameters: PRIVATE_UNDER_PARENT },
  };
}

const privateHalf = (uniqueIdentifier: string, by: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_8", keyWrappingSpecification: by });

const materialOf = (block: { keyValue?: unknown } | undefined) => {
  const value = block?.keyValue;
  return new Uint8Array(value instanceof Uint8Array ? value : (value as { keyMaterial: Bytes }).keyMaterial);
};

/** Makes an account's pair as the KMS does, and leaves nothing behind. */
async function createPair(): Promise<typeof account> {
  const made = await h.kms.request("CreateKeyPair", order(master));
  const wrapped = await privateHalf(made.privateKeyUniqueIdentifier, gcm(master));
  const block = wrapped.object.privateKey!.keyBlock;
  const { object } = await h.kms.request("Get", {
    uniqueIdentifier: made.publicKeyUniqueIdentifier,
    keyFormatType: "X_509",
  });
  for (const uniqueIdentifier of [made.privateKeyUniqueIdentifier, made.publicKeyUniqueIdentifier]) {
    await h.kms.request("Revoke", {
      uniqueIdentifier,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    await h.kms.request("Destroy", { uniqueIdentifier });
  }
  return {
    wrapped: materialOf(block),
    nonce: new Uint8Array(block.keyWrappingData!.ivCounterNonce!),
    spki: materialOf(object.publicKey!.keyBlock),
  };
}

type Import = RequestPayload<"Import">;

/** An Import of a private half that the master key wrapped. */
function pairImport(by = master, { wrapped, nonce } = account): Import {
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "PrivateKey",
    keyWrapType: "NotWrapped",
    attributes: { ...KEY_PAIR, activationDate: PAST },
    object: {
      privateKey: {
        keyBlock: {
          keyFormatType: "PKCS_8",
          keyValue: { keyMaterial: wrapped },
          ...KEY_PAIR,
          keyWrappingData: { ...gcm(by), ivCounterNonce: nonce },
        },
      },
    },
  };
}

const importPair = async (client: KmipClient = h.kms) =>
  (await client.request("Import", pairImport())).uniqueIdentifier;

/** An Import of a data key that was wrapped to the public half. */
function dataImport(by: string, wrapped: Bytes): Import {
  const request = wrappedImport(crypto.randomUUID(), by, wrapped);
  request.object.symmetricKey!.keyBlock.keyWrappingData = oaep(by);
  return request;
}

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  master = await createMaster(h.officer, masterKeyName("pairs"), undefined, "master");
  account = await createPair();
  const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.master] });
  recipient = await registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
}, 60_000);
afterAll(() => test.close());

async function dataUnderPair() {
  const pair = await importPair();
  const data = await createData(h.kms, pair);
  const get = (by: KeyWrappingSpecification) =>
    h.kms.request("Get", { uniqueIdentifier: data, keyWrappingSpecification: by });
  return { pair, data, wrapped: keyBytes(await get(oaep(pair))), toRecipient: await get(oaep(recipient)) };
}

async function openedByRecipient(answer: Awaited<ReturnType<typeof privateHalf>>) {
  const key = { name: "RSA-OAEP" };
  return encodeHex(
    new Uint8Array(await crypto.subtle.decrypt(key, h.recipientKeys.privateKey, keyBytes(answer))),
  );
}

describe("an account's RSA pair under an AES master key", () => {
  it("W1 data AES, account RSA, master AES, app-specific RSA: the instance unwraps link by link", async () => {
    const { wrapped, toRecipient } = await dataUnderPair();
    const encMaster = keyBytes(
      await h.kms.request("Get", { uniqueIdentifier: master, keyWrappingSpecification: oaep(recipient) }),
    );
    const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
    const { subtle } = crypto;
    const masterKey = await subtle.unwrapKey(
      ...(["raw", encMaster, h.recipientKeys.privateKey, rsa, "AES-GCM", false, ["unwrapKey"]] as const),
    );
    const accountKey = await subtle.unwrapKey(
      ...(["pkcs8", account.wrapped, masterKey, { name: "AES-GCM", iv: account.nonce }] as const),
      ...([rsa, false, ["unwrapKey"]] as const),
    );
    const dataKey = await subtle.unwrapKey(
      ...(["raw", wrapped, accountKey, rsa, "AES-GCM", true, ["encrypt"]] as const),
    );
    const bytes = encodeHex(new Uint8Array(await subtle.exportKey("raw", dataKey)));
    expect(bytes).toBe(await openedByRecipient(toRecipient));
  });

  it("W1 Enc(account) and Enc(data) come back, and the data key goes to a recipient", async () => {
    const first = await dataUnderPair();
    const pair = await importPair();
    const { uniqueIdentifier } = await h.kms.request("Import", dataImport(pair, first.wrapped));
    const again = await h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: oaep(recipient) });
    expect(await openedByRecipient(again)).toBe(await openedByRecipient(first.toRecipient));
  });

  it("W1 says what it is: Always Sensitive what was under the master key, not what was under a public half", async () => {
    const { pair, wrapped } = await dataUnderPair();
    const { uniqueIdentifier } = await h.kms.request("Import", dataImport(pair, wrapped));
    const flags = async (uid: string) => {
      const request = { uniqueIdentifier: uid, attributeReference: [] };
      const { attributes } = await h.kms.request("GetAttributes", request);
      return [attributes.cryptographicAlgorithm, attributes.sensitive, attributes.alwaysSensitive];
    };
    expect(await flags(pair)).toEqual(["RSA", true, true]);
    expect(await flags(uniqueIdentifier)).toEqual(["AES", true, false]);
    // Anyone who has the public half can wrap a key of his own to it: only signed Enc(data) counts.
    const publicKey = await crypto.subtle.importKey(
      ...(["spki", account.spki, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["encrypt"]] as const),
    );
    const chosen = await crypto.subtle.encrypt({ name: "RSA-OAEP" }, publicKey, new Uint8Array(32));
    const foreign = await h.kms.request("Import", dataImport(pair, new Uint8Array(chosen)));
    expect(await flags(foreign.uniqueIdentifier)).toEqual(["AES", true, false]);
  });

  it("W12 moves to the successor of its master key", async () => {
    const old = await createMaster(h.officer, masterKeyName("pairs-rotated"));
    const made = await h.kms.request("CreateKeyPair", order(old));
    const { uniqueIdentifier: successor } = await h.officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST },
        link: [{ linkType: "ReplacedObjectLink", linkedObjectIdentifier: old }],
        vendorAttributes: [policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT)],
      },
    });
    const moved = await privateHalf(made.privateKeyUniqueIdentifier, gcm(successor));
    const block = moved.object.privateKey!.keyBlock;
    const wrapped = materialOf(block);
    const nonce = new Uint8Array(block.keyWrappingData!.ivCounterNonce!);
    await h.kms.request("Import", pairImport(successor, { ...account, wrapped, nonce }));
    await denied(privateHalf(made.privateKeyUniqueIdentifier, gcm(master)));
  });
});

describe("what the policy says of a pair", () => {
  it("the private half leaves under its master key by AES-GCM, and in no other way", async () => {
    const pair = await importPair();
    await allDenied({
      plain: h.kms.request("Get", { uniqueIdentifier: pair }),
      "PKCS#8": h.kms.request("Get", { uniqueIdentifier: pair, keyFormatType: "PKCS_8" }),
      "by AES-KW": privateHalf(pair, aesKw(master)),
      "by AES-KWP": privateHalf(pair, {
        ...aesKw(master),
        encryptionKeyInformation: {
          uniqueIdentifier: master,
          cryptographicParameters: { blockCipherMode: "AESKeyWrapPadding" },
        },
      }),
      "by another master key": privateHalf(pair, gcm(h.master)),
      "by itself": privateHalf(pair, oaep(pair)),
      "to a recipient": privateHalf(pair, oaep(recipient)),
      "with its encoding": privateHalf(pair, { ...gcm(master), encodingOption: "TTLVEncoding" }),
    });
  });

  it("a data key is under a pair by RSA-OAEP-256, and a symmetric account key by AES-KW", async () => {
    const pair = await importPair();
    const data = await createData(h.kms, pair);
    const get = (uniqueIdentifier: string, by: KeyWrappingSpecification) =>
      h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: by });
    const by = (parameters: object): KeyWrappingSpecification => ({
      ...oaep(pair),
      encryptionKeyInformation: { uniqueIdentifier: pair, cryptographicParameters: parameters },
    });
    await denied(get(data, by(UNDER_PARENT)));
    await denied(get(data, by(PRIVATE_UNDER_PARENT)));
    await denied(get(data, by({ ...TO_RECIPIENT, hashingAlgorithm: "SHA_1" })));
    await denied(get(data, by({ ...TO_RECIPIENT, paddingMethod: "PKCS1V1_5" })));
    await denied(get(data, oaep(await importPairAgain())));
    await denied(get(h.account, gcm(h.master)));
    await denied(get(h.data, gcm(h.account)));
    const foreign = dataImport(pair, new Uint8Array(384));
    foreign.object.symmetricKey!.keyBlock.keyWrappingData = aesKw(pair);
    await denied(h.kms.request("Import", foreign));
    await refused(h.kms.request("Import", dataImport(pair, new Uint8Array(384)))).toBe(
      "CryptographicFailure",
    );
  });

  const importPairAgain = async () => {
    const other = await h.kms.request("CreateKeyPair", order(master));
    return other.privateKeyUniqueIdentifier;
  };

  it("a pair is made and brought in by the KMS alone, under a master key, as RSA-3072", async () => {
    const make = (request: object, client = h.kms) => client.request("CreateKeyPair", request);
    for (const client of [h.iam, h.ra, h.audit]) await denied(make(order(master), client));
    const orphan = { cryptographicUsageMask: ["Sign"] };
    await denied(make({ ...order(master), privateKeyAttributes: orphan }));
    await denied(make(order(h.account)));
    await denied(make(order(h.data)));
    await denied(make(order(master, { sensitive: false })));
    await denied(make(order(master, {}, { vendorAttributes: [policy(POLICY.parent, master)] })));
    for (const commonAttributes of [
      { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
      { cryptographicAlgorithm: "EC", cryptographicLength: 256 },
    ])
      await denied(make({ ...order(master), commonAttributes }));
    await denied(importPair(h.iam));
    const swapped = pairImport(h.master);
    await refused(h.kms.request("Import", swapped)).toBe("CryptographicFailure");
    const altered = pairImport();
    const wrapped = account.wrapped.with(3, account.wrapped[3]! ^ 1) as Bytes;
    altered.object.privateKey!.keyBlock.keyValue = { keyMaterial: wrapped };
    await refused(h.kms.request("Import", altered)).toBe("CryptographicFailure");
    const other = pairImport();
    other.object.privateKey!.keyBlock.keyFormatType = "PKCS_1";
    await denied(h.kms.request("Import", other));
  });

  it("the private half signs and decrypts nothing, and the public half wraps no key of the hierarchy", async () => {
    const made = await h.kms.request("CreateKeyPair", order(master));
    const uniqueIdentifier = made.privateKeyUniqueIdentifier;
    const data = new Uint8Array(384);
    await denied(h.kms.request("Sign", { uniqueIdentifier, data }));
    await denied(h.kms.request("Decrypt", { uniqueIdentifier, data }));
    await denied(
      h.kms.request("Get", {
        uniqueIdentifier: h.data,
        keyWrappingSpecification: oaep(made.publicKeyUniqueIdentifier),
      }),
    );
  });
});

describe("a pair at level account", () => {
  let pair: string;
  /** A recipient at level account, and one of another tenant. */
  let instance: string;
  let foreign: string;
  beforeAll(async () => {
    const level = await createMaster(h.officer, masterKeyName("pairs-at-account"), undefined, "account");
    pair = (await h.kms.request("CreateKeyPair", order(level))).privateKeyUniqueIdentifier;
    const register = async (more: object) => {
      const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.account], ...more });
      return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
    };
    instance = await register({});
    foreign = await register({ tenants: ["Umbrella"] });
  });

  const createCek = async (for_: string, client = h.kms, more: Attributes = {}) => {
    const vendorAttributes = [policy(POLICY.parent, for_)];
    const attributes = { ...AES, cryptographicUsageMask: ["WrapKey" as const], activationDate: PAST };
    const request = {
      objectType: "SymmetricKey" as const,
      attributes: { ...attributes, vendorAttributes, ...more },
    };
    return (await client.request("Create", request)).uniqueIdentifier;
  };
  const get = (uniqueIdentifier: string, by: KeyWrappingSpecification, client = h.kms) =>
    client.request("Get", { uniqueIdentifier, keyWrappingSpecification: by });

  it("W1 goes to a recipient under a key that was made for it: CEK by RSA-OAEP, PKCS#8 by AES-GCM", async () => {
    const cek = await createCek(instance);
    const wrapped = await privateHalf(pair, gcm(cek));
    const { keyBlock } = wrapped.object.privateKey!;
    const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
    const { subtle } = crypto;
    const key = await subtle.unwrapKey(
      ...(["raw", keyBytes(await get(cek, oaep(instance))), h.recipientKeys.privateKey, rsa] as const),
      ...(["AES-GCM", false, ["unwrapKey"]] as const),
    );
    const iv = new Uint8Array(keyBlock.keyWrappingData!.ivCounterNonce!);
    const opened = await subtle.unwrapKey(
      ...(["pkcs8", materialOf(keyBlock), key, { name: "AES-GCM", iv }, rsa, false, ["unwrapKey"]] as const),
    );
    expect(opened.algorithm).toMatchObject({ name: "RSA-OAEP", modulusLength: 3072 });
  });

  it("W1 leaves in no other way, and its key to nobody else", async () => {
    const cek = await createCek(instance);
    const other = await createCek(foreign);
    const another = await importPair();
    const data = await createData(h.kms, another);
    await allDenied({
      "the key in plain": h.kms.request("Get", { uniqueIdentifier: cek }),
      "the key to another recipient": get(cek, oaep(foreign)),
      "the key to a pair": get(cek, oaep(pair)),
      "the private half for a recipient of another tenant": privateHalf(pair, gcm(other)),
      "the private half by AES-KWP": privateHalf(pair, {
        ...aesKw(cek),
        encryptionKeyInformation: {
          uniqueIdentifier: cek,
          cryptographicParameters: { blockCipherMode: "AESKeyWrapPadding" },
        },
      }),
      "a pair at another level": privateHalf(another, gcm(cek)),
      "a data key": get(data, gcm(cek)),
      "an account key": get(h.account, aesKw(cek)),
      "a key that another made for the recipient": createCek(instance, h.ra),
    });
    await refused(get(cek, oaep(instance), h.ra)).toBe("ObjectNotFound");
    const encrypt = h.kms.request("Encrypt", { uniqueIdentifier: cek, data: new Uint8Array(16) });
    await expect(encrypt).rejects.toThrow();
    await denied(createCek(instance, h.kms, { sensitive: false }));
  });

  it("W12 goes to no recipient that was revoked after its key was made", async () => {
    const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.account] });
    const revoked = await registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
    const cek = await createCek(revoked);
    await privateHalf(pair, gcm(cek));
    await h.ra.request("Revoke", {
      uniqueIdentifier: revoked,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    await denied(privateHalf(pair, gcm(cek)));
  });
});
