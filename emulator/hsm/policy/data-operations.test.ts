import { createHmac, hkdfSync } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { COMMITMENT_INFO, MAC_INFO, messageKeyInfo, SUITE_ID } from "#protocol/derived.ts";
import { ALLOWED, KEY, masterKeyName, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type { KmipClient, RequestPayload } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  aesKw,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { denied, reason, refused } from "../testing/refusal.ts";

/** Operations with data keys inside the HSM (M16): where the officer allows them, these and no more. */

let test: TestHsm;
let h: Hierarchy;
/** A data key that is active. */
let dataKey: string;
/** The officer's word on the tenant. */
const say = (value: string, uniqueIdentifier = h.master) =>
  h.officer.request("SetAttribute", {
    uniqueIdentifier,
    newAttribute: { vendorAttributes: [policy(POLICY.operations, value)] },
  });

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  dataKey = await importData();
}, 30_000);
afterAll(() => test.close());
beforeEach(() => say(ALLOWED));

async function importData(account = h.account): Promise<string> {
  const wrapped = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: aesKw(h.account) }),
  );
  const asked = wrappedImport(crypto.randomUUID(), account, wrapped, {
    ...KEY,
    cryptographicUsageMask: [...USAGE.data],
    activationDate: PAST,
  });
  return (await h.kms.request("Import", asked)).uniqueIdentifier;
}

const messageId = new Uint8Array(32).fill(7);
const iv = new Uint8Array(12).fill(3);
const data = utf8("a letter");
const GCM = { blockCipherMode: "GCM", tagLength: 16 } as const;

type Derivation = RequestPayload<"DeriveKey">;
const PARAMETERS = {
  message: { derivationData: messageKeyInfo(SUITE_ID), salt: messageId },
  commitment: { derivationData: COMMITMENT_INFO, salt: messageId },
  mac: { derivationData: MAC_INFO },
};

function derivation(of: keyof typeof PARAMETERS, more: Partial<Derivation> = {}): Derivation {
  return {
    objectType: "SymmetricKey",
    uniqueIdentifier: [dataKey],
    derivationMethod: "HKDF",
    derivationParameters: {
      cryptographicParameters: { hashingAlgorithm: "SHA_512" },
      ...PARAMETERS[of],
    },
    attributes: { ...KEY, cryptographicUsageMask: [...USAGE[of]], activationDate: PAST },
    ...more,
  };
}

async function derive(of: keyof typeof PARAMETERS, client: KmipClient = h.kms): Promise<string> {
  return (await client.request("DeriveKey", derivation(of))).uniqueIdentifier;
}

const encrypt = (uniqueIdentifier: string, more: object = {}) =>
  h.kms.request("Encrypt", {
    ...{ uniqueIdentifier, cryptographicParameters: GCM, data, ivCounterNonce: iv },
    authenticatedEncryptionAdditionalData: messageId,
    ...more,
  });

const decrypt = (uniqueIdentifier: string, sealed: Awaited<ReturnType<typeof encrypt>>, more: object = {}) =>
  h.kms.request("Decrypt", {
    ...{ uniqueIdentifier, cryptographicParameters: GCM, data: sealed.data!, ivCounterNonce: iv },
    authenticatedEncryptionAdditionalData: messageId,
    authenticatedEncryptionTag: sealed.authenticatedEncryptionTag!,
    ...more,
  });

it("M16 derives what an instance derives: message key, commitment and the key for MACs", async () => {
  const { subtle } = crypto;
  const [message, commitment, mac] = await Promise.all([
    derive("message"),
    derive("commitment"),
    derive("mac"),
  ]);
  const sealed = await encrypt(message);
  expect((await decrypt(message, sealed)).data).toEqual(data);
  const public_ = keyBytes(await h.kms.request("Get", { uniqueIdentifier: commitment }));
  expect(public_).toHaveLength(32);
  const { macData } = await h.kms.request("MAC", { uniqueIdentifier: mac, data });
  const verified = await h.kms.request("MACVerify", { uniqueIdentifier: mac, data, macData: macData! });
  expect(verified.validityIndicator).toBe("Valid");

  // The same of bytes that are known: an instance's own, wrapped to the recipient.
  const released = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: dataKey, keyWrappingSpecification: oaep(h.recipient) }),
  );
  const opened = await subtle.decrypt({ name: "RSA-OAEP" }, h.recipientKeys.privateKey, released);
  expect(opened.byteLength).toBe(32);
  const derived = (info: Uint8Array, salt: Uint8Array) =>
    new Uint8Array(hkdfSync("sha512", new Uint8Array(opened), salt, info, 32));
  expect(public_).toEqual(derived(COMMITMENT_INFO, messageId));
  expect(macData).toEqual(
    new Uint8Array(createHmac("sha256", derived(MAC_INFO, new Uint8Array())).update(data).digest()),
  );
  const key = await subtle.importKey("raw", derived(messageKeyInfo(SUITE_ID), messageId), "AES-GCM", false, [
    "decrypt",
  ]);
  const whole = new Uint8Array([...sealed.data!, ...sealed.authenticatedEncryptionTag!]);
  const plain = await subtle.decrypt({ name: "AES-GCM", iv, additionalData: messageId }, key, whole);
  expect(new Uint8Array(plain)).toEqual(data);
});

it("M16 derives nothing without the officer's word, which ends what was derived before", async () => {
  const [message, mac] = await Promise.all([derive("message"), derive("mac")]);
  const sealed = await encrypt(message);
  const { macData } = await h.kms.request("MAC", { uniqueIdentifier: mac, data });
  await say("false");
  for (const of of ["message", "commitment", "mac"] as const) await denied(derive(of));
  await denied(encrypt(message));
  await denied(decrypt(message, sealed));
  await denied(h.kms.request("MAC", { uniqueIdentifier: mac, data }));
  await denied(h.kms.request("MACVerify", { uniqueIdentifier: mac, data, macData: macData! }));
  // A tenant of which nobody has said anything.
  const other = await createMaster(h.officer, masterKeyName("other"));
  const { uniqueIdentifier: account } = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...KEY,
      cryptographicUsageMask: [...USAGE.account],
      activationDate: PAST,
      vendorAttributes: [policy(POLICY.parent, other)],
    },
  });
  const { uniqueIdentifier: theirs } = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...KEY,
      cryptographicUsageMask: [...USAGE.data],
      activationDate: PAST,
      vendorAttributes: [policy(POLICY.parent, account)],
    },
  });
  await say(ALLOWED);
  for (const of of ["message", "commitment", "mac"] as const)
    await denied(h.kms.request("DeriveKey", derivation(of, { uniqueIdentifier: [theirs] })));
});

it("M16 derives by the suite's infos and the one for MACs alone, with their salts, by HKDF-SHA-512", async () => {
  const parameters = (more: object) => ({
    derivationParameters: { ...derivation("message").derivationParameters, ...more },
  });
  const attributes = (more: object) => ({ attributes: { ...derivation("message").attributes, ...more } });
  const attempts: Record<string, Partial<Derivation>> = {
    "another label": parameters({ derivationData: utf8("coffer-mac-v2") }),
    "another suite": parameters({ derivationData: messageKeyInfo(0x0578) }),
    "no info": parameters({ derivationData: undefined }),
    "an info and more": parameters({ derivationData: new Uint8Array([...messageKeyInfo(SUITE_ID), 0]) }),
    "no salt": parameters({ salt: undefined }),
    "a short salt": parameters({ salt: new Uint8Array(31) }),
    "a salt of another length": parameters({ salt: new Uint8Array(64) }),
    "a salt for MACs": parameters({ derivationData: MAC_INFO }),
    "SHA-256": parameters({ cryptographicParameters: { hashingAlgorithm: "SHA_256" } }),
    "no hash": parameters({ cryptographicParameters: undefined }),
    "a vector": parameters({ initializationVector: iv }),
    "by HMAC": { derivationMethod: "HMAC" },
    "by encryption": { derivationMethod: "ENCRYPT" },
    "by a hash": { derivationMethod: "HASH" },
    "by PBKDF2": { derivationMethod: "PBKDF2" },
    "secret data": { objectType: "SecretData" },
    "not sensitive": attributes({ sensitive: false }),
    "to leave": attributes({ extractable: true }),
    "of the account key": { uniqueIdentifier: [h.account] },
    "of the master key": { uniqueIdentifier: [h.master] },
    "of two": { uniqueIdentifier: [dataKey, dataKey] },
    "with the data in an object": { uniqueIdentifier: [dataKey, h.data] },
  };
  for (const [what, more] of Object.entries(attempts))
    expect([what, await reason(h.kms.request("DeriveKey", derivation("message", more)))]).toEqual([
      what,
      "PermissionDenied",
    ]);
  // Whatever use is asked for: it gets the class's.
  const wide = await h.kms.request(
    "DeriveKey",
    derivation("message", attributes({ cryptographicUsageMask: ["WrapKey", "DeriveKey", "Encrypt"] })),
  );
  const { attributes: made } = await h.kms.request("GetAttributes", {
    ...wide,
    attributeReference: ["cryptographicUsageMask", "deactivationDate", "cryptographicLength"],
  });
  expect(made.cryptographicUsageMask).toEqual([...USAGE.message]);
  expect(made.cryptographicLength).toBe(256);
  expect(made.deactivationDate!.getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
});

it("M16 makes and verifies MACs by HMAC-SHA-256 alone, with the whole tag", async () => {
  const uniqueIdentifier = await derive("mac");
  const { macData } = await h.kms.request("MAC", { uniqueIdentifier, data });
  expect(macData).toHaveLength(32);
  for (const cryptographicParameters of [
    { cryptographicAlgorithm: "HMAC_SHA512" },
    { cryptographicAlgorithm: "HMAC_MD5" },
    { cryptographicAlgorithm: "AES" },
    { tagLength: 8 },
    { cryptographicAlgorithm: "HMAC_SHA256", tagLength: 16 },
  ] as const) {
    const asked = { uniqueIdentifier, data, cryptographicParameters };
    await denied(h.kms.request("MAC", asked));
    const short = macData!.slice(
      0,
      "tagLength" in cryptographicParameters ? cryptographicParameters.tagLength : 32,
    );
    await denied(h.kms.request("MACVerify", { ...asked, macData: short }));
  }
  const cryptographicParameters = { cryptographicAlgorithm: "HMAC_SHA256", tagLength: 32 } as const;
  const same = await h.kms.request("MAC", { uniqueIdentifier, data, cryptographicParameters });
  expect(same.macData).toEqual(macData);
});

it("M16 gives nothing that is derived away, but the commitment, and wraps nothing under it", async () => {
  const [message, commitment, mac] = await Promise.all([
    derive("message"),
    derive("commitment"),
    derive("mac"),
  ]);
  for (const uniqueIdentifier of [message, mac]) {
    await refused(h.kms.request("Get", { uniqueIdentifier })).toMatch(/^(Sensitive|PermissionDenied)$/);
    for (const by of [oaep(h.recipient), aesKw(h.account), aesKw(h.master)])
      await denied(h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: by }));
  }
  for (const by of [oaep(h.recipient), aesKw(h.account)])
    await denied(h.kms.request("Get", { uniqueIdentifier: commitment, keyWrappingSpecification: by }));
  for (const by of [message, commitment, mac])
    for (const uniqueIdentifier of [h.data, h.account])
      await refused(h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: aesKw(by) })).not.toBe(
        "Success",
      );
  for (const uniqueIdentifier of [message, commitment, mac]) {
    await denied(h.kms.request("DeriveKey", derivation("message", { uniqueIdentifier: [uniqueIdentifier] })));
    await denied(h.kms.request("Sign", { uniqueIdentifier, data }));
  }
  // None does another's work.
  for (const uniqueIdentifier of [commitment, mac, dataKey, h.account, h.master]) {
    await denied(encrypt(uniqueIdentifier));
    await denied(decrypt(uniqueIdentifier, await encrypt(message)));
  }
  for (const uniqueIdentifier of [commitment, message, dataKey, h.account])
    await denied(h.kms.request("MAC", { uniqueIdentifier, data }));
});

it("M16 encrypts messages as the format has them, in one piece", async () => {
  const message = await derive("message");
  for (const more of [
    { cryptographicParameters: { blockCipherMode: "CBC" } },
    { cryptographicParameters: { blockCipherMode: "CTR" } },
    { cryptographicParameters: { blockCipherMode: "ECB" } },
    { cryptographicParameters: { blockCipherMode: "GCM", tagLength: 4 } },
    { ivCounterNonce: new Uint8Array(16) },
    { ivCounterNonce: undefined },
    { initIndicator: true },
  ]) {
    await denied(encrypt(message, more));
    await denied(decrypt(message, { uniqueIdentifier: message, data }, more));
  }
  const sealed = await encrypt(message);
  for (const more of [
    { authenticatedEncryptionAdditionalData: iv },
    { ivCounterNonce: new Uint8Array(12) },
    { authenticatedEncryptionTag: undefined },
  ])
    expect(await reason(decrypt(message, sealed, more))).not.toBe("Success");
});

it("M16 lets the KMS's identity operate, and nobody else", async () => {
  const user = test.as(await issueClient(test.pki.dir, "somebody"));
  const [message, mac] = await Promise.all([derive("message"), derive("mac")]);
  for (const client of [h.officer, h.ra, h.iam, h.audit, user]) {
    for (const of of ["message", "commitment", "mac"] as const)
      await refused(derive(of, client)).toMatch(/^(ObjectNotFound|PermissionDenied)$/);
    const parameters = { uniqueIdentifier: message, cryptographicParameters: GCM, data, ivCounterNonce: iv };
    await refused(client.request("Encrypt", parameters)).toMatch(/^(ObjectNotFound|PermissionDenied)$/);
    await refused(client.request("Decrypt", parameters)).toMatch(/^(ObjectNotFound|PermissionDenied)$/);
    await refused(client.request("MAC", { uniqueIdentifier: mac, data })).toMatch(
      /^(ObjectNotFound|PermissionDenied)$/,
    );
  }
});

it("M16 takes the officer's word alone, on a master key alone", async () => {
  const word = { vendorAttributes: [policy(POLICY.operations, ALLOWED)] };
  for (const client of [h.kms, h.iam, h.ra])
    await denied(client.request("SetAttribute", { uniqueIdentifier: h.master, newAttribute: word }));
  await denied(h.kms.request("SetAttribute", { uniqueIdentifier: dataKey, newAttribute: word }));
  for (const uniqueIdentifier of [h.account, dataKey])
    expect(
      await reason(h.officer.request("SetAttribute", { uniqueIdentifier, newAttribute: word })),
    ).not.toBe("Success");
  await denied(say("perhaps"));
  const plain = { ...KEY, cryptographicUsageMask: ["Encrypt" as const] };
  await denied(
    h.officer.request("Create", { objectType: "SymmetricKey", attributes: { ...plain, ...word } }),
  );
  const { uniqueIdentifier } = await h.officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: plain,
  });
  await denied(h.officer.request("SetAttribute", { uniqueIdentifier, newAttribute: word }));
  // A data key that the KMS brings in says nothing of it.
  await denied(
    h.kms.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...KEY,
        cryptographicUsageMask: [...USAGE.account],
        vendorAttributes: [policy(POLICY.parent, h.master), policy(POLICY.operations, ALLOWED)],
      },
    }),
  );
});

it("M16 ends with the master key", async () => {
  const master = await createMaster(h.officer, masterKeyName("ending"));
  await say(ALLOWED, master);
  const { uniqueIdentifier: made } = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...KEY,
      cryptographicUsageMask: [...USAGE.account],
      vendorAttributes: [policy(POLICY.parent, master)],
    },
  });
  const wrapped = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: made, keyWrappingSpecification: aesKw(master) }),
  );
  const account = await importAccount(h.kms, master, wrapped);
  const { uniqueIdentifier: below } = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...KEY,
      cryptographicUsageMask: [...USAGE.data],
      activationDate: PAST,
      vendorAttributes: [policy(POLICY.parent, account)],
    },
  });
  const asked = derivation("message", { uniqueIdentifier: [below] });
  const { uniqueIdentifier: message } = await h.kms.request("DeriveKey", asked);
  await h.officer.request("Revoke", {
    uniqueIdentifier: master,
    revocationReason: { revocationReasonCode: "CessationOfOperation" },
  });
  await denied(h.kms.request("DeriveKey", asked));
  await denied(encrypt(message));
});
