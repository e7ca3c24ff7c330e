import { afterAll, beforeAll, expect, it } from "vitest";
import { DATA_UNDER_MASTER, masterKeyName, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type { KeyWrappingSpecification, RequestPayload } from "#protocol/kmip/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { denied, refused } from "../testing/refusal.ts";

/** Data keys of the tenant itself, directly under its master key (M6); told apart from account keys by how they are wrapped. */

let test: TestHsm;
let h: Hierarchy;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
}, 30_000);
afterAll(() => test.close());

const padded = (uniqueIdentifier: string): KeyWrappingSpecification => ({
  ...aesKw(uniqueIdentifier),
  encryptionKeyInformation: { uniqueIdentifier, cryptographicParameters: DATA_UNDER_MASTER },
});

async function createOwn(master = h.master, usage: readonly ("DeriveKey" | "WrapKey")[] = USAGE.data) {
  const { uniqueIdentifier } = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      cryptographicUsageMask: [...usage],
      vendorAttributes: [policy(POLICY.parent, master)],
    },
  });
  return uniqueIdentifier;
}

const get = (uniqueIdentifier: string, by: KeyWrappingSpecification) =>
  h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: by });

function padImport(wrapped: Bytes, master = h.master): RequestPayload<"Import"> {
  const usual = wrappedImport(crypto.randomUUID(), master, wrapped, {
    ...AES,
    cryptographicUsageMask: [...USAGE.data],
    activationDate: PAST,
  });
  const { keyBlock } = usual.object.symmetricKey!;
  return {
    ...usual,
    object: { symmetricKey: { keyBlock: { ...keyBlock, keyWrappingData: padded(master) } } },
  };
}

const classOf = async (uniqueIdentifier: string) => {
  const { attributes } = await h.kms.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: [],
  });
  return attributes.vendorAttributes?.find(({ attributeName }) => attributeName === POLICY.class)
    ?.attributeValue;
};

it("M6 a data key is made under the master key, leaves under it by AES-KWP, and comes back as a data key", async () => {
  const made = await createOwn();
  expect(await classOf(made)).toBe("data");
  const wrapped = keyBytes(await get(made, padded(h.master)));
  expect(wrapped).toHaveLength(40);
  const back = padImport(wrapped);
  await h.kms.request("Import", back);
  expect(await classOf(back.uniqueIdentifier as string)).toBe("data");
  const released = keyBytes(await get(back.uniqueIdentifier as string, oaep(h.recipient)));
  const opened = await crypto.subtle.decrypt("RSA-OAEP", h.recipientKeys.privateKey, released);
  expect(opened.byteLength).toBe(32);
});

it("M6 an account key under the same master key never becomes a data key, nor the other way round", async () => {
  // What an account key is wrapped as is no data key, whatever the request says of its use.
  await refused(h.kms.request("Import", padImport(h.wrappedAccount))).toBe("CryptographicFailure");
  const disguised = wrappedImport(crypto.randomUUID(), h.master, h.wrappedAccount, {
    ...AES,
    cryptographicUsageMask: [...USAGE.data],
    activationDate: PAST,
  });
  await refused(h.kms.request("Import", disguised)).toBe("IncompatibleCryptographicUsageMask");
  const account = await importAccount(h.kms, h.master, h.wrappedAccount);
  await denied(get(account, padded(h.master)));
  await denied(get(account, oaep(h.recipient)));
  const own = await createOwn();
  await denied(get(own, aesKw(h.master)));
  const wrapped = keyBytes(await get(own, padded(h.master)));
  await refused(h.kms.request("Import", wrappedImport(crypto.randomUUID(), h.master, wrapped))).toBe(
    "CryptographicFailure",
  );
});

it("M6 a use beside derivation makes an account key, and an account key has no such second kind of children", async () => {
  const other = await createOwn(h.master, ["DeriveKey", "WrapKey"]);
  expect(await classOf(other)).toBe("account");
  const data = padImport(keyBytes(await get(h.data, aesKw(h.account))), h.account);
  await denied(h.kms.request("Import", data));
});

it("M6 it wraps nothing, and stays with its own master key and identity", async () => {
  const own = await createOwn();
  await refused(get(h.data, aesKw(own))).toMatch(/^(PermissionDenied|IncompatibleCryptographicUsageMask)$/);
  const foreign = await createMaster(h.officer, masterKeyName("another"), "Another");
  await denied(get(own, padded(foreign)));
  const wrapped = keyBytes(await get(own, padded(h.master)));
  await refused(h.kms.request("Import", padImport(wrapped, foreign))).toBe("CryptographicFailure");
  for (const client of [h.ra, h.iam, h.audit, h.officer])
    await refused(client.request("Import", padImport(wrapped))).toMatch(
      /^(PermissionDenied|ObjectNotFound)$/,
    );
});
