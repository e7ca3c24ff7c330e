import { createDecipheriv, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AGREEMENT, POLICY, policy, TO_RECIPIENT } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient, RequestPayload } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  createData,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  registerRecipient,
  testHierarchy,
} from "../testing/hierarchy.ts";
import { allDenied, denied, refused } from "../testing/refusal.ts";

/** A channel to an instance (M7): made by the KMS alone, it encrypts what is given to it and does nothing else. */

type Bytes = Uint8Array<ArrayBuffer>;
const INFO = new TextEncoder().encode("what the channel is bound to");
const GCM = { blockCipherMode: "GCM", tagLength: 16 } as const;

let test: TestHsm;
/** How far the HSM's clock is ahead, in milliseconds. */
let ahead = 0;
let h: Hierarchy;
let user: KmipClient;
let own: { privateKey: KeyObject; publicKey: KeyObject };
let channel: Awaited<ReturnType<typeof openChannel>>;

beforeAll(async () => {
  test = await testHsm({ now: () => new Date(Date.now() + ahead) });
  h = await testHierarchy(test);
  user = test.as(await issueClient(test.pki.dir, "user"));
}, 30_000);
afterAll(() => test.close());
beforeEach(async () => {
  ahead = 0;
  own = generateKeyPairSync("x25519");
  channel = await openChannel();
});

const spki = (key: KeyObject) => new Uint8Array(key.export({ format: "der", type: "spki" }));

function share(of: Bytes, more: Attributes = {}): RequestPayload<"Import"> {
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "PublicKey",
    attributes: { ...AGREEMENT, cryptographicUsageMask: ["KeyAgreement"], ...more },
    object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial: of } } } },
  };
}

const pair = (client = h.kms, more: Attributes = {}) =>
  client.request("CreateKeyPair", {
    commonAttributes: { ...AGREEMENT, activationDate: PAST },
    privateKeyAttributes: { cryptographicUsageMask: ["DeriveKey"], ...more },
    publicKeyAttributes: { cryptographicUsageMask: ["KeyAgreement"] },
  });

const agree = (bases: string[], client = h.kms, more: Partial<RequestPayload<"DeriveKey">> = {}) =>
  client.request("DeriveKey", {
    objectType: "SecretData",
    uniqueIdentifier: bases,
    derivationMethod: "AsymmetricKey",
    derivationParameters: {},
    attributes: { cryptographicUsageMask: ["DeriveKey"], activationDate: PAST },
    ...more,
  });

const expand = (base: string, client = h.kms, more: Partial<RequestPayload<"DeriveKey">> = {}) =>
  client.request("DeriveKey", {
    objectType: "SymmetricKey",
    uniqueIdentifier: [base],
    derivationMethod: "HKDF",
    derivationParameters: {
      cryptographicParameters: { hashingAlgorithm: "SHA_256" },
      derivationData: INFO,
    },
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], activationDate: PAST },
    ...more,
  });

async function openChannel() {
  const peer = share(spki(own.publicKey));
  await h.kms.request("Import", peer);
  const made = await pair();
  const agreed = await agree([made.privateKeyUniqueIdentifier, peer.uniqueIdentifier as string]);
  const key = await expand(agreed.uniqueIdentifier);
  const { object } = await h.kms.request("Get", {
    uniqueIdentifier: made.publicKeyUniqueIdentifier,
    keyFormatType: "X_509",
  });
  return {
    share: keyBytes({ object }),
    peer: peer.uniqueIdentifier as string,
    agreement: made.privateKeyUniqueIdentifier,
    agreed: agreed.uniqueIdentifier,
    key: key.uniqueIdentifier,
  };
}

const encrypt = (data: Bytes, more: Partial<RequestPayload<"Encrypt">> = {}, client = h.kms) =>
  client.request("Encrypt", {
    uniqueIdentifier: channel.key,
    cryptographicParameters: GCM,
    data,
    ...more,
  });

const describedBy = async (uniqueIdentifier: string) =>
  (await h.kms.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;

describe("M7 the HSM's end of a channel", () => {
  it("encrypts so that the holder of the other share opens it", async () => {
    const { data, ivCounterNonce, authenticatedEncryptionTag } = await encrypt(new Uint8Array([1, 2, 3]));
    const publicKey = (await import("node:crypto")).createPublicKey({
      key: Buffer.from(channel.share),
      format: "der",
      type: "spki",
    });
    const secret = diffieHellman({ privateKey: own.privateKey, publicKey });
    const key = new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), INFO, 32));
    const cipher = createDecipheriv("aes-256-gcm", key, ivCounterNonce!);
    cipher.setAuthTag(authenticatedEncryptionTag!);
    expect([...cipher.update(data!), ...cipher.final()]).toEqual([1, 2, 3]);
  });

  it("has keys of classes of their own, sensitive, not extractable, each with its one use", async () => {
    for (const [uid, keyClass, use] of [
      [channel.agreement, "agreement", "DeriveKey"],
      [channel.agreed, "agreed", "DeriveKey"],
      [channel.key, "channel", "Encrypt"],
    ] as const) {
      const attributes = await describedBy(uid);
      expect(attributes).toMatchObject({
        sensitive: true,
        extractable: false,
        cryptographicUsageMask: [use],
        vendorAttributes: [policy(POLICY.class, keyClass)],
      });
    }
  });

  it("wraps nothing: no key of the hierarchy leaves under what the KMS could know", async () => {
    const data = await createData(h.kms, h.account);
    const gcm = {
      ...aesKw(channel.key),
      encryptionKeyInformation: { uniqueIdentifier: channel.key, cryptographicParameters: GCM },
    };
    for (const target of [data, h.account, h.master])
      for (const specification of [
        aesKw(channel.key),
        gcm,
        aesKw(channel.agreed),
        oaep(channel.peer),
        {
          ...oaep(channel.peer),
          encryptionKeyInformation: { uniqueIdentifier: channel.peer, cryptographicParameters: TO_RECIPIENT },
        },
      ])
        await refused(
          h.kms.request("Get", { uniqueIdentifier: target, keyWrappingSpecification: specification }),
        ).toMatch(
          /^(PermissionDenied|IncompatibleCryptographicUsageMask|CryptographicFailure|UnsupportedCryptographicParameters)$/,
        );
  });

  it("leaves in no form, and opens nothing that comes in", async () => {
    const attempts: Record<string, Promise<unknown>> = {};
    for (const [name, uniqueIdentifier] of Object.entries({
      agreement: channel.agreement,
      agreed: channel.agreed,
      channel: channel.key,
    })) {
      attempts[`${name} plain`] = h.kms.request("Get", { uniqueIdentifier });
      attempts[`${name} to a recipient`] = h.kms.request("Get", {
        uniqueIdentifier,
        keyWrappingSpecification: oaep(h.recipient),
      });
      attempts[`${name} under the master key`] = h.kms.request("Get", {
        uniqueIdentifier,
        keyWrappingSpecification: aesKw(h.master),
      });
    }
    await allDenied(attempts);
    const wrapped = await encrypt(new Uint8Array(32));
    const importing = h.kms.request("Import", {
      uniqueIdentifier: crypto.randomUUID(),
      objectType: "SymmetricKey",
      keyWrapType: "NotWrapped",
      attributes: { ...AES, activationDate: PAST },
      object: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: wrapped.data! },
            ...AES,
            keyWrappingData: { ...aesKw(channel.key) },
          } as never,
        },
      },
    });
    await refused(importing).toMatch(/^(PermissionDenied|IncompatibleCryptographicUsageMask)$/);
  });

  it("encrypts by AES-GCM with nonces of its own, under a channel's key and under no other", async () => {
    await denied(encrypt(new Uint8Array(3), { ivCounterNonce: new Uint8Array(12) }));
    await denied(encrypt(new Uint8Array(16), { cryptographicParameters: { blockCipherMode: "CBC" } }));
    await denied(encrypt(new Uint8Array(16), { cryptographicParameters: { blockCipherMode: "CTR" } }));
    await denied(encrypt(new Uint8Array(3), { cryptographicParameters: { ...GCM, tagLength: 4 } }));
    for (const uniqueIdentifier of [h.master, h.account, h.data, channel.agreed, channel.agreement])
      await denied(encrypt(new Uint8Array(3), { uniqueIdentifier }));
    await refused(encrypt(new Uint8Array(3), { uniqueIdentifier: h.recipient })).toMatch(
      /^(PermissionDenied|ObjectNotFound|IncompatibleCryptographicUsageMask)$/,
    );
  });
});

describe("M7 M9 what a thief of the KMS's identity finds later", () => {
  const endOf = async (uid: string) => (await describedBy(uid)).deactivationDate!.getTime();
  const later = new Date(Date.now() + 3600_000);

  it("M7 M9 an agreement key ends within a minute, whatever is asked for, and agrees no more", async () => {
    for (const more of [{}, { deactivationDate: later }] satisfies Attributes[])
      expect(await endOf((await pair(h.kms, more)).privateKeyUniqueIdentifier)).toBeLessThanOrEqual(
        Date.now() + 60_000,
      );
    const soon = new Date(Date.now() + 10_000);
    soon.setMilliseconds(0);
    const { privateKeyUniqueIdentifier: short } = await pair(h.kms, { deactivationDate: soon });
    expect(await endOf(short)).toBe(soon.getTime());
    const { privateKeyUniqueIdentifier: unused } = await pair();
    // Nobody moves it.
    const moved = { uniqueIdentifier: unused, newAttribute: { deactivationDate: later } };
    await denied(h.kms.request("ModifyAttribute", moved));
    ahead = 61_000;
    for (const key of [short, unused])
      await refused(agree([key, channel.peer])).toBe("WrongKeyLifecycleState");
  });

  it("M7 M9 what was agreed on ends with it, and so does the channel's key", async () => {
    const end = await endOf(channel.agreement);
    for (const uid of [channel.agreed, channel.key]) expect(await endOf(uid)).toBe(end);
    const asked = { ...AES, cryptographicUsageMask: ["Encrypt" as const], activationDate: PAST };
    const longer = await expand(channel.agreed, h.kms, { attributes: { ...asked, deactivationDate: later } });
    expect(await endOf(longer.uniqueIdentifier)).toBe(end);
    ahead = 61_000;
    await refused(expand(channel.agreed)).toBe("WrongKeyLifecycleState");
    await refused(encrypt(new Uint8Array(3))).toBe("WrongKeyLifecycleState");
  });

  it("M7 M9 an agreement key agrees once, however many ask at the same time, in a batch that is undone too", async () => {
    await denied(agree([channel.agreement, channel.peer]));
    const { privateKeyUniqueIdentifier: key } = await pair();
    const many = Array.from({ length: 8 }, () => agree([key, channel.peer]));
    const settled = await Promise.allSettled(many);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const { privateKeyUniqueIdentifier: other } = await pair();
    const agreement = {
      operation: "DeriveKey" as const,
      payload: {
        objectType: "SecretData" as const,
        uniqueIdentifier: [other, channel.peer],
        derivationMethod: "AsymmetricKey" as const,
        derivationParameters: {},
        attributes: { cryptographicUsageMask: ["DeriveKey" as const], activationDate: PAST },
      },
    };
    const answers = await h.kms.batch([agreement, agreement], { batchErrorContinuationOption: "Undo" });
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(["OperationUndone", "OperationFailed"]);
    // It tells what was made and is no more.
    const undone = answers[0]!.payload as { uniqueIdentifier: string };
    expect(Object.keys(undone)).toEqual(["uniqueIdentifier"]);
    await refused(expand(undone.uniqueIdentifier)).toBe("ObjectNotFound");
  });

  it("M7 of what was agreed on come two keys and no third", async () => {
    await expand(channel.agreed);
    await denied(expand(channel.agreed));
  });
});

describe("M7 what is no channel", () => {
  it("is derived from nothing else: not from a data key, an account key or the master key, by no method", async () => {
    for (const base of [h.data, h.account, h.master, channel.key, channel.agreement])
      for (const derivationMethod of ["HKDF", "HMAC", "HASH", "ENCRYPT", "PBKDF2"] as const)
        await refused(expand(base, h.kms, { derivationMethod })).toMatch(
          /^(PermissionDenied|InvalidObjectType|IncompatibleCryptographicUsageMask|WrongKeyLifecycleState)$/,
        );
    for (const derivationMethod of ["HMAC", "HASH", "ENCRYPT", "PBKDF2", "NIST800_108_C"] as const)
      await denied(expand(channel.agreed, h.kms, { derivationMethod }));
    await denied(expand(channel.agreed, h.kms, { uniqueIdentifier: [channel.agreed, channel.agreed] }));
    await denied(expand(channel.agreed, h.kms, { objectType: "SecretData" }));
    await denied(agree([channel.agreement, channel.peer], h.kms, { objectType: "SymmetricKey" }));
    await denied(agree([channel.agreement, h.recipient]));
    await denied(agree([channel.agreement]));
  });

  it("keeps its keys sensitive, not extractable and of one use, whatever is asked for", async () => {
    const made = await expand(channel.agreed, h.kms, {
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt", "Decrypt", "WrapKey"], activationDate: PAST },
    });
    expect((await describedBy(made.uniqueIdentifier)).cryptographicUsageMask).toEqual(["Encrypt"]);
    for (const more of [{ sensitive: false }, { extractable: true }] satisfies Attributes[]) {
      const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], ...more };
      await denied(expand(channel.agreed, h.kms, { attributes }));
      await denied(pair(h.kms, more));
    }
    await denied(
      expand(channel.agreed, h.kms, {
        attributes: {
          ...AES,
          cryptographicUsageMask: ["Encrypt"],
          vendorAttributes: [policy(POLICY.class, "data")],
        },
      }),
    );
  });

  it.each([
    ["zero", new Uint8Array(32)],
    ["one", Uint8Array.of(1, ...new Uint8Array(31))],
    // RFC 7748 §6.1: of order 8, and p - 1.
    [
      "of order 8",
      Uint8Array.from(Buffer.from("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "hex")),
    ],
    [
      "p - 1",
      Uint8Array.from(Buffer.from("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "hex")),
    ],
  ])("refuses a share that makes every secret zero: %s", async (_, raw) => {
    const bad = share(new Uint8Array([...spki(own.publicKey).subarray(0, 12), ...raw]));
    const joined = h.kms
      .request("Import", bad)
      .then(() => agree([channel.agreement, bad.uniqueIdentifier as string]));
    await refused(joined).toBe("CryptographicFailure");
  });

  it("takes no share on another curve, for another use or in place of another", async () => {
    const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    // What it says of itself is another curve, or it says what it is and that is none.
    const other = /^(PermissionDenied|InvalidAttributeValue)$/;
    await refused(h.kms.request("Import", share(spki(p256.publicKey)))).toMatch(other);
    await denied(
      h.kms.request(
        "Import",
        share(spki(p256.publicKey), {
          cryptographicAlgorithm: undefined,
          cryptographicDomainParameters: undefined,
        }),
      ),
    );
    await refused(
      h.kms.request("Import", share(spki(rsa.publicKey), { cryptographicUsageMask: ["WrapKey"] })),
    ).toMatch(other);
    await denied(
      h.kms.request("Import", share(spki(own.publicKey), { cryptographicUsageMask: ["WrapKey"] })),
    );
    await refused(
      h.kms.request("Import", {
        ...share(spki(own.publicKey)),
        uniqueIdentifier: channel.peer,
        replaceExisting: true,
      }),
    ).toMatch(/^(PermissionDenied|ObjectAlreadyExists)$/);
  });

  it("is made for the KMS alone", async () => {
    for (const client of [h.ra, h.iam, h.audit]) {
      await denied(pair(client));
      await denied(client.request("Import", share(spki(own.publicKey))));
      await denied(agree([channel.agreement, channel.peer], client));
      await denied(encrypt(new Uint8Array(3), {}, client));
    }
    for (const client of [h.officer, user]) {
      await refused(encrypt(new Uint8Array(3), {}, client)).toBe("ObjectNotFound");
      await refused(expand(channel.agreed, client)).toBe("ObjectNotFound");
      await refused(client.request("Get", { uniqueIdentifier: channel.key })).toBe("ObjectNotFound");
    }
  });

  it("no share is registered as a recipient", async () => {
    await refused(registerRecipient(h.kms, h.recipientCertificate, spki(own.publicKey))).toMatch(
      /^(PermissionDenied|ObjectNotFound)$/,
    );
  });
});
