import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import {
  KEY_PAIR,
  masterKeyName,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policy,
  policyAttribute,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import type { Attributes, CryptographicParameters, KeyWrappingSpecification } from "#protocol/kmip/index.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
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

/** Symmetric app-specific keys: of one instance each, to which the HSM wraps the tenant's master key (W1, W12). */

let test: TestHsm;
let h: Hierarchy;
/** Master keys of level `master`: an AES key, and a pair. */
let master: string;
let pair: string;
/** Recipients at level `master`: of two instances, and of another tenant. */
let recipient: string;
let other: string;
let foreign: string;

const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };

function by(uniqueIdentifier: string, cryptographicParameters: CryptographicParameters) {
  const encryptionKeyInformation = { uniqueIdentifier, cryptographicParameters };
  return { ...aesKw(uniqueIdentifier), encryptionKeyInformation };
}

const make = async (forWhom: string, client = h.kms, more: Attributes = {}) =>
  (
    await client.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST },
        vendorAttributes: [policy(POLICY.parent, forWhom)],
        ...more,
      },
    })
  ).uniqueIdentifier;
const get = (uniqueIdentifier: string, keyWrappingSpecification: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyWrappingSpecification });
const privateHalf = (uniqueIdentifier: string, keyWrappingSpecification: KeyWrappingSpecification) =>
  h.kms.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_8", keyWrappingSpecification });

async function register(more: object = {}): Promise<string> {
  const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.master], ...more });
  return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
}

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  master = await createMaster(h.officer, masterKeyName("app"), undefined, "master");
  const made = await h.officer.request("CreateKeyPair", {
    commonAttributes: { ...KEY_PAIR, activationDate: PAST },
    privateKeyAttributes: {
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      vendorAttributes: [
        ...[policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT), policy(POLICY.level, "master")],
      ],
    },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  pair = made.privateKeyUniqueIdentifier;
  [recipient, other, foreign] = await Promise.all([
    register(),
    register(),
    register({ tenants: ["Umbrella"] }),
  ]);
}, 60_000);
afterAll(() => test.close());

describe("a symmetric app-specific key", () => {
  it("W1 is made in the HSM, goes to its instance alone, and unwraps the master key there, of either kind", async () => {
    const key = await make(recipient);
    const { attributes } = await h.kms.request("GetAttributes", {
      ...{ uniqueIdentifier: key, attributeReference: [] },
    });
    expect(policyAttribute(attributes, POLICY.class)).toBe("app-specific");
    const { subtle } = crypto;
    const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
    const released = keyBytes(await get(key, oaep(recipient)));
    const handle = (name: string) =>
      subtle.unwrapKey(
        ...(["raw", released, h.recipientKeys.privateKey, rsa, name, false, ["unwrapKey"]] as const),
      );
    const wrapped = keyBytes(await get(master, by(key, UNDER_PARENT)));
    expect(wrapped).toHaveLength(40);
    const masterKey = await subtle.unwrapKey(
      ...(["raw", wrapped, await handle("AES-KW"), "AES-KW", "AES-KW", true, ["unwrapKey"]] as const),
    );
    const toRecipient = await subtle.decrypt(
      ...(["RSA-OAEP", h.recipientKeys.privateKey, keyBytes(await get(master, oaep(recipient)))] as const),
    );
    expect(encodeHex(new Uint8Array(await subtle.exportKey("raw", masterKey)))).toBe(
      encodeHex(new Uint8Array(toRecipient)),
    );
    const { keyBlock } = (await privateHalf(pair, by(key, PRIVATE_UNDER_PARENT))).object.privateKey!;
    const iv = new Uint8Array(keyBlock.keyWrappingData!.ivCounterNonce!);
    const value = keyBlock.keyValue;
    const bytes = value instanceof Uint8Array ? value : (value!.keyMaterial as Uint8Array);
    const opened = await subtle.unwrapKey(
      ...(["pkcs8", new Uint8Array(bytes), await handle("AES-GCM"), { name: "AES-GCM", iv }] as const),
      ...([rsa, false, ["unwrapKey"]] as const),
    );
    expect(opened.algorithm).toMatchObject({ modulusLength: 3072 });
  });

  it("W1 wraps nothing but this tenant's master key, and goes to nobody else", async () => {
    const key = await make(recipient);
    const data = await createData(h.kms, h.account);
    const [ofOther, ofForeign, lower] = [await make(other), await make(foreign), await make(h.recipient)];
    const cek = (
      await h.kms.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...{ ...AES, cryptographicUsageMask: ["WrapKey"], activationDate: PAST },
          vendorAttributes: [policy(POLICY.parent, recipient)],
        },
      })
    ).uniqueIdentifier;
    await allDenied({
      "in plain": h.kms.request("Get", { uniqueIdentifier: key }),
      "to another instance": get(key, oaep(other)),
      "to another tenant's instance": get(key, oaep(foreign)),
      "under the master key": get(key, aesKw(master)),
      "under an account key": get(key, aesKw(h.account)),
      "under another instance's": get(key, aesKw(ofOther)),
      "an account key under it": get(h.account, aesKw(key)),
      "a data key under it": get(data, aesKw(key)),
      "a content-encryption key under it": get(cek, aesKw(key)),
      "a master key for another tenant's instance": get(master, aesKw(ofForeign)),
      "a master key for an instance of another level": get(master, aesKw(lower)),
      "a master key of another level": get(h.master, aesKw(key)),
      "a master key by AES-KWP": get(master, by(key, { blockCipherMode: "AESKeyWrapPadding" })),
      "a master key by AES-GCM": get(master, by(key, PRIVATE_UNDER_PARENT)),
      "a pair by AES-KW": privateHalf(pair, aesKw(key)),
      "a master key under a content-encryption key": get(master, aesKw(cek)),
      "what is brought in under it": h.kms.request(
        ...(["Import", wrappedImport(crypto.randomUUID(), key, new Uint8Array(40))] as const),
      ),
      "one that can be exported": make(recipient, h.kms, { sensitive: false }),
      "made by the RA": make(recipient, h.ra),
      "made by the IAM": make(recipient, h.iam),
    });
    await refused(get(key, oaep(recipient), h.ra)).toBe("ObjectNotFound");
    const use = { uniqueIdentifier: key, data: new Uint8Array(16) };
    await refused(h.kms.request("Encrypt", use)).not.toBe("Success");
    await refused(h.kms.request("Decrypt", use)).not.toBe("Success");
  });

  it("W12 each instance has its own, a new one takes the place of an old one, and a revoked instance's wraps nothing more", async () => {
    const [first, second] = [await make(recipient), await make(recipient)];
    const revoked = await register();
    const ofRevoked = await make(revoked);
    await get(master, aesKw(ofRevoked));
    await h.ra.request("Revoke", { uniqueIdentifier: revoked, revocationReason });
    await denied(get(master, aesKw(ofRevoked)));
    await h.kms.request("Revoke", { uniqueIdentifier: first, revocationReason });
    await refused(get(master, aesKw(first))).toBe("WrongKeyLifecycleState");
    await h.kms.request("Destroy", { uniqueIdentifier: first });
    expect(keyBytes(await get(master, aesKw(second)))).toHaveLength(40);
  });
});
