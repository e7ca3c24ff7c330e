import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import {
  encryptedMasterKeyName,
  KEY,
  masterKeyName,
  named,
  POLICY,
  policy,
  USAGE,
  users,
} from "#protocol/hierarchy/index.ts";
import { type Attributes, item, type KmipClient, payloadOf } from "#protocol/kmip/index.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { ObjectStore } from "../store/store.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  type Bytes,
  type CertificateOrder,
  createMaster,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  registerCertificate,
  registerRecipient,
  rsaKeys,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { denied, refused } from "../testing/refusal.ts";

/** The strict variant of level master (W1): the HSM keeps no master key, and has it back for a batch. */

const OTHER = "Another tenant";
let now = () => new Date();
let test: TestHsm;
let h: Hierarchy;
let recoveryKeys: CryptoKeyPair;
/** Recipients of the tenant at level master; of recovery, what the master key was wrapped to it. */
let first: string;
let further: string;
let encRecovery: Bytes;
let master: string;
let bytes: string;

beforeAll(async () => {
  test = await testHsm({ now: () => now() });
  h = await testHierarchy(test);
  recoveryKeys = await rsaKeys();
  first = await recipient();
  further = await recipient();
  const recovery = await recipient({ keys: recoveryKeys });
  master = await createMaster(h.officer, masterKeyName("strict"), TENANT, "master");
  const wrapped = async (to: string) =>
    keyBytes(await h.kms.request("Get", { uniqueIdentifier: master, keyWrappingSpecification: oaep(to) }));
  bytes = await opened(await wrapped(first));
  encRecovery = await wrapped(recovery);
  await keep(master);
  await mark(h.officer, master);
  await end(h.officer, master);
}, 60_000);
afterAll(() => test.close());

async function recipient(order: CertificateOrder = {}): Promise<string> {
  const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.master], ...order });
  return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
}

async function opened(wrapped: Bytes): Promise<string> {
  const { privateKey } = h.recipientKeys;
  return encodeHex(new Uint8Array(await crypto.subtle.decrypt({ name: "RSA-OAEP" }, privateKey, wrapped)));
}

const thumbprint = async ({ publicKey }: CryptoKeyPair) =>
  digest(new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)));

/** As the KMS keeps Enc(master) for a recipient. */
async function keep(master: string, keys = recoveryKeys): Promise<string> {
  const request = wrappedImport(crypto.randomUUID(), "recipient", new Uint8Array(384).fill(7), AES);
  const name = named(encryptedMasterKeyName(master, await thumbprint(keys)));
  await h.kms.request("Import", { ...request, keyWrapType: "AsRegistered", attributes: { ...AES, name } });
  return request.uniqueIdentifier;
}

/** The officer's word that the key is destroyed on purpose, and who has it. */
async function mark(client: KmipClient, uniqueIdentifier: string, keys = recoveryKeys): Promise<void> {
  const newAttribute = { vendorAttributes: [policy(POLICY.recovery, await thumbprint(keys))] };
  await client.request("AddAttribute", { uniqueIdentifier, newAttribute });
}

async function revoke(
  client: KmipClient,
  uniqueIdentifier: string,
  revocationReasonCode: "CessationOfOperation" | "KeyCompromise" = "CessationOfOperation",
): Promise<void> {
  await client.request("Revoke", { uniqueIdentifier, revocationReason: { revocationReasonCode } });
}

async function end(client: KmipClient, uniqueIdentifier: string): Promise<void> {
  await revoke(client, uniqueIdentifier);
  await client.request("Destroy", { uniqueIdentifier });
}

/** The officer brings the recovery key. */
async function bring({
  keys = recoveryKeys,
  client = h.officer,
  tenant = TENANT as string | null,
  restoredFor = h.recipientKeys as CryptoKeyPair | null,
  more = {} as Attributes,
} = {}): Promise<string> {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "PrivateKey",
    attributes: {
      cryptographicUsageMask: ["UnwrapKey"],
      activationDate: PAST,
      vendorAttributes: [
        policy(POLICY.class, "recovery"),
        ...(tenant === null ? [] : [policy(POLICY.tenant, tenant)]),
        ...(restoredFor === null ? [] : [policy(POLICY.restoredFor, await thumbprint(restoredFor))]),
      ],
      ...more,
    },
    object: { privateKey: { keyBlock: { keyFormatType: "PKCS_8", keyValue: { keyMaterial: pkcs8 } } } },
  });
  return uniqueIdentifier;
}

/** An Import of the master key as the recovery recipient has it. */
function restoring(recovery: string, wrapped = encRecovery) {
  const uid = crypto.randomUUID();
  const request = wrappedImport(uid, recovery, wrapped);
  request.object.symmetricKey!.keyBlock.keyWrappingData = oaep(recovery);
  return request;
}

/** The ceremony's batch: in, to the recipient, and gone. */
async function ceremony(recovery: string, to: string): Promise<Bytes> {
  const request = restoring(recovery);
  const { uniqueIdentifier } = request;
  const answers = await h.kms.batch(
    [
      item("Import", request),
      item("Get", { uniqueIdentifier, keyWrappingSpecification: oaep(to) }),
      item("Revoke", {
        uniqueIdentifier,
        revocationReason: { revocationReasonCode: "CessationOfOperation" },
      }),
      item("Destroy", { uniqueIdentifier }),
    ] as const,
    { batchErrorContinuationOption: "Continue" },
  );
  for (const answer of answers) payloadOf(answer);
  return keyBytes(payloadOf(answers[1]));
}

describe("a master key that was destroyed in the HSM", () => {
  it("W1 comes back by the recovery key for a further instance, and is gone again", async () => {
    const recovery = await bring();
    expect(await opened(await ceremony(recovery, further))).toBe(bytes);
    await end(h.officer, recovery);
    await refused(h.kms.request("Import", restoring(recovery))).toBe("ObjectDestroyed");
  });

  it("W1 comes back by nothing else", async () => {
    await refused(
      h.kms.request("Get", { uniqueIdentifier: master, keyWrappingSpecification: oaep(first) }),
    ).toBe("ObjectDestroyed");
    await denied(h.kms.request("Import", restoring(h.recipient)));
    const { uniqueIdentifier: own } = await h.officer
      .request("CreateKeyPair", {
        commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072, activationDate: PAST },
        privateKeyAttributes: { cryptographicUsageMask: ["UnwrapKey"], vendorAttributes: [users("kms")] },
        publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
      })
      .then((pair) => ({ uniqueIdentifier: pair.privateKeyUniqueIdentifier }));
    await denied(h.kms.request("Import", restoring(own)));
  });

  it("W1 leaves to recipients of its tenant and level, for a minute, and does nothing else", async () => {
    const recovery = await bring();
    const { uniqueIdentifier } = await h.kms.request("Import", restoring(recovery));
    const to = (uid: string) =>
      h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: oaep(uid) });
    await denied(to(await recipient({ policies: [LEVEL_POLICY.account] })));
    await denied(to(await recipient({ policies: [] })));
    await denied(to(await recipient({ tenants: [OTHER] })));
    await denied(to(recovery));
    await refused(h.kms.request("Get", { uniqueIdentifier })).toBe("Sensitive");
    await denied(
      h.kms.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, vendorAttributes: [policy(POLICY.parent, uniqueIdentifier)] },
      }),
    );
    await denied(
      h.kms.request("Import", wrappedImport(crypto.randomUUID(), uniqueIdentifier, h.wrappedAccount)),
    );
    expect(await opened(keyBytes(await to(further)))).toBe(bytes);
    const later = Date.now() + 61_000;
    now = () => new Date(later);
    try {
      await refused(to(further)).toBe("WrongKeyLifecycleState");
    } finally {
      now = () => new Date();
    }
    await end(h.officer, recovery);
  });

  it("W1 is told from what somebody else wrapped to the recovery key", async () => {
    const recovery = await bring();
    const wrap = async (key: Bytes) =>
      new Uint8Array(await crypto.subtle.encrypt({ name: "RSA-OAEP" }, recoveryKeys.publicKey, key));
    await denied(h.kms.request("Import", restoring(recovery, await wrap(new Uint8Array(32).fill(7)))));
    await denied(h.kms.request("Import", restoring(recovery, await wrap(new Uint8Array(16)))));
    // The key of a tenant that is still there, or of another, neither.
    const alive = await createMaster(h.officer, masterKeyName("alive"), TENANT, "master");
    const enc = keyBytes(
      await h.kms.request("Get", {
        uniqueIdentifier: alive,
        keyWrappingSpecification: oaep(await recipient({ keys: recoveryKeys })),
      }),
    );
    await denied(h.kms.request("Import", restoring(recovery, enc)));
    const others = await bring({ tenant: OTHER });
    await denied(h.kms.request("Import", restoring(others)));
    for (const uid of [recovery, others]) await end(h.officer, uid);
  });
});

describe("a ceremony", () => {
  it("W1 is for the one recipient that the officer has named", async () => {
    const another = await rsaKeys();
    const recovery = await bring();
    await denied(ceremony(recovery, await recipient({ keys: another })));
    // The ceremony for that one gives it to nobody else.
    const others = await bring({ restoredFor: another });
    await denied(ceremony(others, further));
    expect(await opened(await ceremony(recovery, further))).toBe(bytes);
    await denied(bring({ restoredFor: null }));
    for (const uid of [recovery, others]) await end(h.officer, uid);
  });

  it("W1 brings back no master key that was revoked, destroyed without a word, or compromised since", async () => {
    const toRecovery = await recipient({ keys: recoveryKeys });
    const made = async (name: string) => {
      const uniqueIdentifier = await createMaster(h.officer, masterKeyName(name), TENANT, "master");
      const request = { uniqueIdentifier, keyWrappingSpecification: oaep(toRecovery) };
      return { uniqueIdentifier, enc: keyBytes(await h.kms.request("Get", request)) };
    };
    const recovery = await bring();
    const silent = await made("silent");
    await end(h.officer, silent.uniqueIdentifier);
    await denied(h.kms.request("Import", restoring(recovery, silent.enc)));
    const revoked = await made("revoked");
    await keep(revoked.uniqueIdentifier);
    await mark(h.officer, revoked.uniqueIdentifier);
    await h.officer.request("Revoke", {
      uniqueIdentifier: revoked.uniqueIdentifier,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    await denied(h.kms.request("Import", restoring(recovery, revoked.enc)));
    const compromised = await made("compromised");
    await keep(compromised.uniqueIdentifier);
    await mark(h.officer, compromised.uniqueIdentifier);
    await h.officer.request("Revoke", {
      uniqueIdentifier: compromised.uniqueIdentifier,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
      compromiseOccurrenceDate: PAST,
    });
    await h.officer.request("Destroy", { uniqueIdentifier: compromised.uniqueIdentifier });
    await denied(h.kms.request("Import", restoring(recovery, compromised.enc)));
    // Of another recovery recipient.
    const foreign = await made("foreign");
    const others = await rsaKeys();
    await keep(foreign.uniqueIdentifier, others);
    await mark(h.officer, foreign.uniqueIdentifier, others);
    await end(h.officer, foreign.uniqueIdentifier);
    await denied(h.kms.request("Import", restoring(recovery, foreign.enc)));
    await end(h.officer, recovery);
  });
});

describe("the word that a master key is kept outside", () => {
  it("W1 is the officer's, of a living master key of level master, and stays", async () => {
    const uid = await createMaster(h.officer, masterKeyName("said"), TENANT, "master");
    await denied(mark(h.officer, uid));
    await keep(uid);
    for (const client of [h.kms, h.ra, h.iam, h.audit]) await refused(mark(client, uid)).not.toBe("Success");
    const account = await createMaster(h.officer, masterKeyName("said-account"), TENANT, "account");
    await keep(account);
    await denied(mark(h.officer, account));
    await mark(h.officer, uid);
    const attribute = policy(POLICY.recovery, "x".repeat(43));
    await denied(
      h.officer.request("ModifyAttribute", {
        uniqueIdentifier: uid,
        currentAttribute: { vendorAttributes: [policy(POLICY.recovery, await thumbprint(recoveryKeys))] },
        newAttribute: { vendorAttributes: [attribute] },
      }),
    );
    const late = await createMaster(h.officer, masterKeyName("late"), TENANT, "master");
    await keep(late);
    await end(h.officer, late);
    await refused(mark(h.officer, late)).not.toBe("Success");
    const born = {
      ...{ ...KEY, cryptographicUsageMask: [...USAGE.master] },
      vendorAttributes: [policy(POLICY.class, "master"), policy(POLICY.level, "master"), attribute],
    };
    await denied(h.officer.request("Create", { objectType: "SymmetricKey", attributes: born }));
  });
});

describe("Enc(master) of the recovery recipient", () => {
  const made = (name: string) => createMaster(h.officer, masterKeyName(name), TENANT, "master");

  it("W1 stays, against the KMS too, from the officer's word until the master key is revoked as compromised", async () => {
    const uid = await made("last-copy");
    const copy = await keep(uid);
    // Other copies go when their instances have ended, and this one before the word.
    const others = await keep(uid, await rsaKeys());
    const remove = (uniqueIdentifier: string) => h.kms.request("Destroy", { uniqueIdentifier });
    await remove(copy);
    const last = await keep(uid);
    await mark(h.officer, uid);
    const stays = async () => {
      await denied(revoke(h.kms, last));
      await denied(revoke(h.kms, last, "KeyCompromise"));
      await denied(remove(last));
    };
    await stays();
    await revoke(h.officer, uid);
    await stays();
    await h.officer.request("Destroy", { uniqueIdentifier: uid });
    await stays();
    await remove(others);
    await revoke(h.officer, uid, "KeyCompromise");
    await remove(last);
  });

  it("W1 is there when the master key is revoked and when it is destroyed, or neither is done", async () => {
    const [revoked, destroyed] = [await made("gone-before"), await made("gone-between")];
    // As an HSM of before may have let the KMS do after the word.
    const lose = (uid: string) => {
      const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
      const store = new ObjectStore(test.dir, random);
      const copy = store.read(uid);
      store.commit(copy ? [{ ...copy, state: "Destroyed" }] : []);
      store.close();
    };
    for (const uid of [revoked, destroyed]) {
      const copy = await keep(uid);
      await mark(h.officer, uid);
      if (uid === destroyed) await revoke(h.officer, uid);
      lose(copy);
    }
    await denied(revoke(h.officer, revoked));
    await denied(h.officer.request("Destroy", { uniqueIdentifier: destroyed }));
    // For good, on purpose.
    for (const uniqueIdentifier of [revoked, destroyed]) {
      await revoke(h.officer, uniqueIdentifier, "KeyCompromise");
      await h.officer.request("Destroy", { uniqueIdentifier });
    }
  });
});

describe("a recovery key", () => {
  it("W1 is brought by the officer alone, for a tenant, as RSA-3072 at least", async () => {
    for (const client of [h.kms, h.ra, h.iam, h.audit]) await denied(bring({ client }));
    await denied(bring({ tenant: null }));
    await denied(bring({ keys: await rsaKeys(2048) }));
    const level = policy(POLICY.level, "master");
    const vendorAttributes = [policy(POLICY.class, "recovery"), policy(POLICY.tenant, TENANT), level];
    await denied(bring({ more: { vendorAttributes } }));
    await denied(
      h.officer.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...KEY,
          cryptographicUsageMask: [...USAGE.recovery],
          vendorAttributes: [policy(POLICY.class, "recovery")],
        },
      }),
    );
  });

  it("W1 works for an hour, whatever is asked for", async () => {
    const recovery = await bring({ more: { deactivationDate: new Date(Date.now() + 86_400_000) } });
    expect(await opened(await ceremony(recovery, further))).toBe(bytes);
    const later = Date.now() + 61 * 60_000;
    now = () => new Date(later);
    try {
      await refused(h.kms.request("Import", restoring(recovery))).toBe("WrongKeyLifecycleState");
      await h.officer.request("Destroy", { uniqueIdentifier: recovery });
    } finally {
      now = () => new Date();
    }
  });

  it("W1 unwraps for the KMS and does nothing else, and leaves in no form", async () => {
    const uniqueIdentifier = await bring({
      more: { sensitive: false, cryptographicUsageMask: ["Sign", "Decrypt", "WrapKey", "UnwrapKey"] },
    });
    const { attributes } = await h.officer.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: [],
    });
    expect(attributes).toMatchObject({
      cryptographicUsageMask: ["UnwrapKey"],
      sensitive: true,
      alwaysSensitive: false,
      extractable: false,
    });
    expect(attributes.digest).toBeUndefined();
    for (const client of [h.officer, h.kms]) {
      await denied(client.request("Sign", { uniqueIdentifier, data: new Uint8Array(32) }));
      await denied(client.request("Decrypt", { uniqueIdentifier, data: new Uint8Array(384) }));
      for (const keyWrappingSpecification of [undefined, oaep(first)])
        await refused(
          client.request("Get", {
            uniqueIdentifier,
            ...(keyWrappingSpecification ? { keyWrappingSpecification } : {}),
          }),
        ).not.toBe("Success");
    }
    for (const client of [h.iam, h.ra, h.audit])
      await refused(client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).toBe(
        "ObjectNotFound",
      );
    await denied(end(h.kms, uniqueIdentifier));
    await end(h.officer, uniqueIdentifier);
  });
});
