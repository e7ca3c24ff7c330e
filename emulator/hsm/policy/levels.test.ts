import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { masterKeyName, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import { LEVELS, type Level } from "#protocol/level.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { unwrapAes } from "../crypto/aes-key-wrap.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  type CertificateOrder,
  createAccount,
  createData,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  registerCertificate,
  registerRecipient,
  testHierarchy,
} from "../testing/hierarchy.ts";
import { denied, refused } from "../testing/refusal.ts";

/** Which rung of the ladder leaves to a recipient, by the release level of the tenant's master key (W1). */

let test: TestHsm;
let h: Hierarchy;
let ladders: Record<Level, { master: string; account: string; data: string; wrapped: Bytes }>;
/** Recipients by the level that their certificates name. */
let recipients: Record<Level, string>;
let privateKey: CryptoKey;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  privateKey = h.recipientKeys.privateKey;
  ladders = {} as typeof ladders;
  for (const level of LEVELS) {
    const master = await createMaster(h.officer, masterKeyName(level), undefined, level);
    const wrapped = await createAccount(h.kms, master);
    const account = await importAccount(h.kms, master, wrapped);
    ladders[level] = { master, wrapped, account, data: await createData(h.kms, account) };
  }
  recipients = {
    data: await recipient(),
    account: await recipient({ policies: [LEVEL_POLICY.account] }),
    master: await recipient({ policies: [LEVEL_POLICY.master] }),
  };
}, 30_000);
afterAll(() => test.close());

async function recipient(order: CertificateOrder = {}): Promise<string> {
  const { der, spki } = await h.authority.issue(order);
  return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
}

const get = (uniqueIdentifier: string, to: string, client: KmipClient = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyWrappingSpecification: oaep(to) });

async function opened(released: ReturnType<typeof get>): Promise<Bytes> {
  return new Uint8Array(
    await crypto.subtle.decrypt({ name: "RSA-OAEP" }, privateKey, keyBytes(await released)),
  );
}

async function attributesOf(uniqueIdentifier: string, client = h.kms) {
  const { attributes } = await client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
  return attributes;
}

const levelIn = ({ vendorAttributes = [] }: Attributes) =>
  vendorAttributes.find(({ attributeName }) => attributeName === POLICY.level)?.attributeValue;

describe("the release level of a master key", () => {
  it("W1 is everything's below it", async () => {
    for (const level of LEVELS)
      for (const uid of [ladders[level].master, ladders[level].account, ladders[level].data])
        expect(levelIn(await attributesOf(uid))).toBe(level);
    expect(levelIn(await attributesOf(h.data))).toBeUndefined();
  });

  it("W1 says which rung is wrapped to a recipient whose certificate names it", async () => {
    const { master, wrapped } = ladders.master;
    const masterKey = await opened(get(master, recipients.master));
    const accountKey = await opened(get(ladders.account.account, recipients.account));
    expect(masterKey.length).toBe(32);
    // It is the key indeed: it opens what was wrapped under it.
    expect(unwrapAes("NISTKeyWrap", masterKey, wrapped).length).toBe(32);
    const under = keyBytes(
      await h.kms.request("Get", {
        uniqueIdentifier: ladders.account.data,
        keyWrappingSpecification: aesKw(ladders.account.account),
      }),
    );
    const data = unwrapAes("NISTKeyWrap", accountKey, under);
    expect(encodeHex(data)).toBe(encodeHex(await opened(get(ladders.account.data, recipients.data))));
  });

  it("W1 lets no other rung leave, and none to a recipient of another level", async () => {
    for (const level of LEVELS)
      for (const [name, to] of Object.entries(recipients)) {
        if (level !== "master" || name !== level) await denied(get(ladders[level].master, to));
        if (level !== "account" || name !== level) await denied(get(ladders[level].account, to));
      }
    // A key of before there were levels is one of the lowest.
    for (const to of Object.values(recipients))
      for (const uid of [h.master, h.account]) await denied(get(uid, to));
  });

  it("W1 has recipients of one level and of the key's own tenant", async () => {
    const both = await recipient({ policies: Object.values(LEVEL_POLICY) });
    const foreign = await recipient({ policies: [LEVEL_POLICY.master], tenants: ["Another tenant"] });
    for (const to of [both, foreign]) await denied(get(ladders.master.master, to));
    await denied(get(ladders.account.account, both));
  });

  it("W1 gives a master key to the KMS alone, bare and by RSA-OAEP-256", async () => {
    const { master } = ladders.master;
    await denied(h.officer.request("Get", { uniqueIdentifier: master }));
    for (const client of [h.officer, h.iam, h.ra, h.audit])
      await refused(get(master, recipients.master, client)).not.toBe("Success");
    await refused(h.kms.request("Get", { uniqueIdentifier: master })).toBe("Sensitive");
    await denied(h.kms.request("Get", { uniqueIdentifier: master, keyWrappingSpecification: aesKw(master) }));
    const specification = oaep(recipients.master);
    specification.encryptionKeyInformation!.cryptographicParameters = {
      paddingMethod: "OAEP",
      hashingAlgorithm: "SHA_1",
    };
    await denied(h.kms.request("Get", { uniqueIdentifier: master, keyWrappingSpecification: specification }));
  });
});

describe("the officer alone says the level", () => {
  const create = (client: KmipClient, ...vendorAttributes: ReturnType<typeof policy>[]) =>
    client.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["WrapKey"], activationDate: PAST, vendorAttributes },
    });

  it("W1 when the master key is made, and of a master key only", async () => {
    const level = policy(POLICY.level, "master");
    await denied(create(h.officer, level));
    await denied(create(h.officer, policy(POLICY.class, "master"), policy(POLICY.level, "none")));
    await denied(create(h.officer, policy(POLICY.class, "master"), level, level));
    await denied(create(h.kms, policy(POLICY.parent, h.master), level));
    await denied(create(h.iam, policy(POLICY.parent, h.master), level));
  });

  it("W1 and never again", async () => {
    for (const uid of [h.master, ladders.data.master, ladders.master.master])
      for (const value of LEVELS) {
        const newAttribute = { vendorAttributes: [policy(POLICY.level, value)] };
        await denied(h.officer.request("AddAttribute", { uniqueIdentifier: uid, newAttribute }));
        await denied(h.officer.request("SetAttribute", { uniqueIdentifier: uid, newAttribute }));
      }
    await denied(
      h.officer.request("DeleteAttribute", {
        uniqueIdentifier: ladders.data.master,
        attributeReference: policy(POLICY.level, "data"),
      }),
    );
    expect(levelIn(await attributesOf(ladders.data.master))).toBe("data");
  });

  it("W1 and no master key below that level is extractable", async () => {
    for (const level of LEVELS)
      expect(await attributesOf(ladders[level].master)).toMatchObject({
        extractable: level === "master",
        neverExtractable: level !== "master",
        sensitive: true,
      });
    for (const attributes of [{}, { level: "account" }]) {
      const level = attributes.level ? [policy(POLICY.level, attributes.level)] : [];
      await denied(
        h.officer.request("Create", {
          objectType: "SymmetricKey",
          attributes: {
            ...AES,
            cryptographicUsageMask: ["WrapKey"],
            extractable: true,
            vendorAttributes: [policy(POLICY.class, "master"), ...level],
          },
        }),
      );
    }
  });
});
