import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import {
  DATA_UNDER_MASTER,
  KEY_PAIR,
  masterKeyName,
  named,
  POLICY,
  policy,
} from "#protocol/hierarchy/index.ts";
import type { KeyWrappingSpecification } from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  createAccount,
  createData,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { allDenied } from "../testing/refusal.ts";

/** A document that is shared: its data key under the account key of another account. */

let test: TestHsm;
let h: Hierarchy;
/** Of another account of the tenant. */
let other: string;

const get = (uniqueIdentifier: string, keyWrappingSpecification: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyWrappingSpecification });
const accountUnder = async (master: string) =>
  importAccount(h.kms, master, await createAccount(h.kms, master));

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  other = await accountUnder(h.master);
}, 60_000);
afterAll(() => test.close());

it("Sharing has a data key go under the key of another account of the tenant, where it is the same key", async () => {
  const wrapped = keyBytes(await get(h.data, aesKw(other)));
  expect(wrapped).toHaveLength(40);
  const uid = crypto.randomUUID();
  await h.kms.request("Import", wrappedImport(uid, other, wrapped));
  const openedBy = async (key: string) => {
    const released = keyBytes(await get(key, oaep(h.recipient)));
    const plain = await crypto.subtle.decrypt({ name: "RSA-OAEP" }, h.recipientKeys.privateKey, released);
    return encodeHex(new Uint8Array(plain));
  };
  expect(await openedBy(uid)).toBe(await openedBy(h.data));
});

it("Sharing takes no key but a data key of an account, to no account but one of its tenant and level", async () => {
  const under = async (name: string, tenant?: string | null, level?: Level) =>
    accountUnder(await createMaster(h.officer, masterKeyName(name), tenant, level));
  const pair = await h.officer.request("CreateKeyPair", {
    commonAttributes: { ...KEY_PAIR, activationDate: PAST },
    privateKeyAttributes: {
      ...{ cryptographicUsageMask: ["WrapKey", "UnwrapKey"], name: named(masterKeyName("shared-pair")) },
      vendorAttributes: [policy(POLICY.class, "master"), policy(POLICY.tenant, TENANT)],
    },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  // Whoever has the public half of the master key could know this account key.
  const { object } = await h.officer.request("Get", {
    uniqueIdentifier: pair.publicKeyUniqueIdentifier,
    keyFormatType: "X_509",
  });
  const value = object.publicKey!.keyBlock.keyValue as { keyMaterial: Uint8Array<ArrayBuffer> };
  const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
  const publicKey = await crypto.subtle.importKey("spki", value.keyMaterial, rsa, false, ["encrypt"]);
  const chosen = new Uint8Array(await crypto.subtle.encrypt(rsa, publicKey, new Uint8Array(32).fill(7)));
  const known = crypto.randomUUID();
  const planted = wrappedImport(known, pair.privateKeyUniqueIdentifier, chosen);
  planted.object.symmetricKey!.keyBlock.keyWrappingData = oaep(pair.privateKeyUniqueIdentifier);
  await h.kms.request("Import", planted);
  const ofTenant = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...{ ...AES, cryptographicUsageMask: ["DeriveKey"] },
      vendorAttributes: [policy(POLICY.parent, h.master)],
    },
  });
  const byKwp: KeyWrappingSpecification = {
    ...aesKw(other),
    encryptionKeyInformation: { uniqueIdentifier: other, cryptographicParameters: DATA_UNDER_MASTER },
  };
  const higher = await under("shared-account", undefined, "account");
  const another = await under("shared-two", undefined, "account");
  const [foreign, none] = [await under("shared-foreign", "Umbrella"), await under("shared-none", null)];
  const [ofHigher, sibling] = [await createData(h.kms, higher), await createData(h.kms, other)];
  await allDenied({
    "of another tenant": get(h.data, aesKw(foreign)),
    "of no tenant": get(h.data, aesKw(none)),
    "of another level": get(h.data, aesKw(higher)),
    "at a level where instances have account keys": get(ofHigher, aesKw(another)),
    "an account key that somebody may know": get(h.data, aesKw(known)),
    "the tenant's own data key": get(ofTenant.uniqueIdentifier, aesKw(other)),
    "an account key": get(h.account, aesKw(other)),
    "the master key": get(h.master, aesKw(other)),
    "under a data key": get(h.data, aesKw(sibling)),
    "by another way of wrapping": get(h.data, byKwp),
  });
});
