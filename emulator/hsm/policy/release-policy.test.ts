import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import {
  IDENTITY,
  masterKeyName,
  named,
  POLICY,
  policy,
  SIGNER,
  TRUST_LIST,
  VENDOR,
} from "#protocol/hierarchy/index.ts";
import { signingInput } from "#protocol/keys/index.ts";
import type {
  Attributes,
  KeyWrappingSpecification,
  KmipClient,
  RequestPayload,
} from "#protocol/kmip/index.ts";
import { unwrapAes } from "../crypto/aes-key-wrap.ts";
import { issueClient } from "../identity/pki.ts";
import { secretBytes } from "../store/material.ts";
import { ObjectStore } from "../store/store.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  type Authority,
  aesKw,
  type Bytes,
  createAccount,
  createAuthority,
  createData,
  createMaster,
  createRoot,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  type Root,
  type RootOrder,
  registerCertificate,
  registerRecipient,
  removeRoot,
  rsaKeys,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { everyOperation } from "../testing/operations.ts";
import { allDenied, allHidden, denied, reason, refused } from "../testing/refusal.ts";

let test: TestHsm;
let h: Hierarchy;
let clock: () => Date = () => new Date();

beforeAll(async () => {
  test = await testHsm({ now: () => clock() });
  h = await testHierarchy(test);
}, 30_000);
afterAll(() => test.close());

/** Key bytes straight from the store, as the test that knows everything. */
function stored(uid: string): Bytes {
  const store = new ObjectStore(test.dir, () => {
    throw new Error("no new key file");
  });
  try {
    return new Uint8Array(secretBytes(store.read(uid)!));
  } finally {
    store.close();
  }
}

const get = (
  client: KmipClient,
  uniqueIdentifier: string,
  keyWrappingSpecification?: KeyWrappingSpecification,
) =>
  client.request("Get", {
    uniqueIdentifier,
    ...(keyWrappingSpecification ? { keyWrappingSpecification } : {}),
  });

const create = (client: KmipClient, attributes: Attributes) =>
  client.request("Create", { objectType: "SymmetricKey", attributes });

describe("what the release policy is for", () => {
  it("releases a data key to its parent by AES-KW and to a recipient by RSA-OAEP-256", async () => {
    const byParent = keyBytes(await get(h.kms, h.data, aesKw(h.account)));
    expect(encodeHex(unwrapAes("NISTKeyWrap", stored(h.account), byParent))).toBe(encodeHex(stored(h.data)));
    const byRecipient = keyBytes(await get(h.kms, h.data, oaep(h.recipient)));
    const opened = await crypto.subtle.decrypt({ name: "RSA-OAEP" }, h.recipientKeys.privateKey, byRecipient);
    expect(encodeHex(new Uint8Array(opened))).toBe(encodeHex(stored(h.data)));
  });

  it("gives children their class, Sensitive, usage and parent", async () => {
    for (const [client, uniqueIdentifier, expected] of [
      [
        h.kms,
        h.master,
        { class: "master", extractable: false, usage: ["WrapKey", "UnwrapKey"], parent: undefined },
      ],
      [
        h.kms,
        h.account,
        { class: "account", extractable: true, usage: ["WrapKey", "UnwrapKey"], parent: h.master },
      ],
      [h.kms, h.data, { class: "data", extractable: true, usage: ["DeriveKey"], parent: h.account }],
    ] as const) {
      const { attributes } = await client.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: [],
      });
      const vendor = Object.fromEntries(
        (attributes.vendorAttributes ?? []).map((one) => [one.attributeName, one.attributeValue]),
      );
      expect(attributes).toMatchObject({
        sensitive: true,
        alwaysSensitive: true,
        extractable: expected.extractable,
        cryptographicUsageMask: expected.usage,
      });
      expect(attributes.digest).toBeUndefined();
      expect({ class: vendor.Class, parent: vendor.Parent }).toEqual({
        class: expected.class,
        parent: expected.parent,
      });
    }
  });
});

describe("with the live certificate of coffer-kms", () => {
  it("no key of the hierarchy leaves in plain, in any format", async () => {
    for (const uniqueIdentifier of [h.data, h.account, h.master])
      for (const keyFormatType of [undefined, "Raw", "TransparentSymmetricKey", "Opaque"] as const)
        await expect(
          reason(h.kms.request("Get", { uniqueIdentifier, ...(keyFormatType ? { keyFormatType } : {}) })),
        ).resolves.toMatch(/^(Sensitive|PermissionDenied)$/);
  });

  it("the master key leaves in no form, the account key under the master key alone", async () => {
    await denied(get(h.kms, h.master, aesKw(h.master)));
    await denied(get(h.kms, h.master, aesKw(h.account)));
    await denied(get(h.kms, h.master, oaep(h.recipient)));
    expect(keyBytes(await get(h.kms, h.account, aesKw(h.master)))).toEqual(h.wrappedAccount);
    await denied(get(h.kms, h.account, oaep(h.recipient)));
    await denied(get(h.kms, h.account, aesKw(h.account)));
  });

  it("a data key is not wrapped by another way, another encoding or another key", async () => {
    // What may go under another account's key is in sharing.test.ts.
    await denied(get(h.kms, h.data, aesKw(h.master)));
    await denied(get(h.kms, h.data, aesKw(h.data)));
    const to = (uid: string, change: object, parameters: object): KeyWrappingSpecification => {
      const base = uid === h.recipient ? oaep(uid) : aesKw(uid);
      const { cryptographicParameters } = base.encryptionKeyInformation!;
      return {
        ...base,
        ...change,
        encryptionKeyInformation: {
          uniqueIdentifier: uid,
          cryptographicParameters: { ...cryptographicParameters, ...parameters },
        },
      };
    };
    for (const specification of [
      to(h.account, { encodingOption: "TTLVEncoding" }, {}),
      to(h.account, { encodingOption: undefined }, {}),
      to(h.account, { attributeName: ["Cryptographic Usage Mask"] }, {}),
      to(h.account, { attributeReference: ["cryptographicUsageMask"] }, {}),
      to(h.account, { attributeName: ["State"], encodingOption: "TTLVEncoding" }, {}),
      to(h.account, { wrappingMethod: "MACSign" }, {}),
      to(h.account, { wrappingMethod: "EncryptThenMACSign" }, {}),
      to(h.account, { macSignatureKeyInformation: { uniqueIdentifier: h.account } }, {}),
      to(h.account, {}, { blockCipherMode: "AESKeyWrapPadding" }),
      to(h.account, {}, { blockCipherMode: "ECB" }),
      to(h.account, {}, { blockCipherMode: undefined }),
      to(h.recipient, { encodingOption: "TTLVEncoding" }, {}),
      to(h.recipient, {}, { paddingMethod: "PKCS1V1_5" }),
      to(h.recipient, {}, { paddingMethod: "None" }),
      to(h.recipient, {}, { hashingAlgorithm: "SHA_1" }),
      to(h.recipient, {}, { hashingAlgorithm: undefined }),
      to(h.recipient, {}, { maskGeneratorHashingAlgorithm: "SHA_1" }),
      to(h.recipient, {}, { pSource: Uint8Array.of(1) }),
    ])
      await denied(get(h.kms, h.data, specification));
    const { encryptionKeyInformation } = aesKw(h.account);
    await denied(
      get(h.kms, h.data, {
        ...aesKw(h.account),
        encryptionKeyInformation: { uniqueIdentifier: encryptionKeyInformation!.uniqueIdentifier },
      }),
    );
  });

  it("nothing but a child is wrapped by a key of the hierarchy: no known plaintext becomes a key", async () => {
    const { uniqueIdentifier: shown } = await h.officer
      .request("CreateKeyPair", {
        commonAttributes: { cryptographicAlgorithm: "EC", activationDate: PAST },
        privateKeyAttributes: {
          cryptographicUsageMask: ["Sign"],
          vendorAttributes: [policy("Users", IDENTITY.kms)],
        },
        publicKeyAttributes: { cryptographicUsageMask: ["Verify"], vendorAttributes: [policy("Users", "*")] },
      })
      .then((pair) => ({ uniqueIdentifier: pair.publicKeyUniqueIdentifier, ...pair }));
    expect(keyBytes(await get(h.kms, shown)).length).toBe(91);
    for (const mode of ["NISTKeyWrap", "AESKeyWrapPadding"] as const)
      for (const key of [h.account, h.master]) {
        const specification = aesKw(key);
        specification.encryptionKeyInformation!.cryptographicParameters = { blockCipherMode: mode };
        await denied(get(h.kms, shown, specification));
        await denied(get(h.kms, shown, { ...specification, encodingOption: "TTLVEncoding" }));
        await denied(get(h.kms, h.recipient, specification));
      }
  });

  it("keys are made and imported only under a parent, only tighter, only AES-256", async () => {
    const child = (more: Attributes): Attributes => ({
      ...AES,
      cryptographicUsageMask: ["DeriveKey"],
      vendorAttributes: [policy("Parent", h.account)],
      ...more,
    });
    await denied(create(h.kms, child({ vendorAttributes: [] })));
    await denied(create(h.kms, child({ sensitive: false })));
    await denied(create(h.kms, child({ cryptographicAlgorithm: "DES3", cryptographicLength: 168 })));
    await denied(create(h.kms, child({ cryptographicLength: 128 })));
    await refused(
      create(
        h.kms,
        child({ cryptographicUsageMask: ["Encrypt"], vendorAttributes: [policy("Parent", h.master)] }),
      ),
    ).toBe("IncompatibleCryptographicUsageMask");
    await denied(create(h.kms, child({ vendorAttributes: [policy("Parent", h.data)] })));
    // Under a recipient there are content-encryption keys alone.
    await refused(create(h.kms, child({ vendorAttributes: [policy("Parent", h.recipient)] }))).toBe(
      "IncompatibleCryptographicUsageMask",
    );
    await refused(create(h.kms, child({ cryptographicUsageMask: ["Encrypt", "Decrypt", "WrapKey"] }))).toBe(
      "IncompatibleCryptographicUsageMask",
    );
    const { uniqueIdentifier } = await create(
      h.kms,
      child({ cryptographicUsageMask: ["DeriveKey", "Encrypt", "Decrypt", "WrapKey"] }),
    );
    const { attributes } = await h.kms.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
    expect(attributes).toMatchObject({ cryptographicUsageMask: ["DeriveKey"], sensitive: true });
    await h.kms.request("Destroy", { uniqueIdentifier });
  });

  it("a key that the attacker knows is not imported, in any guise", async () => {
    const known = new Uint8Array(32).fill(7);
    const uid = () => crypto.randomUUID();
    const plain = (): RequestPayload<"Import"> => ({
      uniqueIdentifier: uid(),
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST },
      object: {
        symmetricKey: {
          keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial: known }, ...AES } as never,
        },
      },
    });
    const attempt = (request: RequestPayload<"Import">) => h.kms.request("Import", request);
    await denied(attempt(plain()));
    await denied(attempt({ ...plain(), keyWrapType: "NotWrapped" }));
    const wrapped = keyBytes(await get(h.kms, h.data, aesKw(h.account)));
    const good = () => wrappedImport(uid(), h.account, wrapped);
    await denied(attempt({ ...good(), keyWrapType: "AsRegistered" }));
    await denied(attempt({ ...good(), keyWrapType: undefined }));
    // As public material it could be read in plain; as secret data it would have no class.
    const block = good().object.symmetricKey!.keyBlock;
    await denied(attempt({ ...good(), objectType: "PublicKey", object: { publicKey: { keyBlock: block } } }));
    await denied(
      attempt({ ...good(), objectType: "PrivateKey", object: { privateKey: { keyBlock: block } } }),
    );
    await denied(
      attempt({
        ...good(),
        objectType: "SecretData",
        object: { secretData: { secretDataType: "Password", keyBlock: block } },
      }),
    );
    await denied(
      attempt({
        ...good(),
        objectType: "OpaqueObject",
        object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: known } },
      }),
    );
    await refused(attempt({ ...good(), objectType: "PublicKey" })).toBe("InvalidField");
    // Under a key of its own there is none, under a data key or a recipient no import.
    await denied(attempt(wrappedImport(uid(), h.data, wrapped)));
    await denied(attempt(wrappedImport(uid(), h.recipient, wrapped)));
    await refused(attempt(wrappedImport(uid(), h.master, wrapped))).toBe("CryptographicFailure");
    const change = (more: Attributes) => ({ ...good(), attributes: { ...AES, ...more } });
    await denied(attempt(change({ sensitive: false })));
    await denied(attempt(change({ vendorAttributes: [policy("Class", "account")] })));
    await denied(attempt(change({ vendorAttributes: [policy("Parent", h.master)] })));
    await denied(attempt(change({ vendorAttributes: [policy("Users", "*")] })));
    await denied(attempt(change({ state: "Active" })));
    await refused(attempt(change({ cryptographicUsageMask: ["Decrypt"] }))).toBe(
      "IncompatibleCryptographicUsageMask",
    );
  });

  it("an identifier that is taken is not taken over", async () => {
    const wrapped = keyBytes(await get(h.kms, h.data, aesKw(h.account)));
    for (const uid of [h.master, h.account, h.data, h.recipient, h.authority.uid])
      for (const replaceExisting of [true, false])
        await refused(
          h.kms.request("Import", { ...wrappedImport(uid, h.account, wrapped), replaceExisting }),
        ).toBe("ObjectAlreadyExists");
  });

  it("keys of the hierarchy encrypt, decrypt, derive and sign nothing, and every other operation is refused", async () => {
    const data = new Uint8Array(16);
    for (const uniqueIdentifier of [h.master, h.account, h.data])
      for (const [operation, payload] of everyOperation(uniqueIdentifier, data).filter(
        ([asked]) => asked !== "Hash",
      ))
        await denied(h.kms.request(operation, payload as never));
    await denied(h.kms.request("Sign", { uniqueIdentifier: h.data, data }));
  });

  it("nothing of others is activated, revoked or destroyed", async () => {
    const attempts = (uniqueIdentifier: string) => ({
      activate: h.kms.request("Activate", { uniqueIdentifier }),
      revoke: h.kms.request("Revoke", {
        uniqueIdentifier,
        revocationReason: { revocationReasonCode: "KeyCompromise" },
      }),
      destroy: h.kms.request("Destroy", { uniqueIdentifier }),
    });
    for (const uid of [h.master, h.recipient, h.authority.uid]) await allDenied(attempts(uid));
    await allHidden(h.ra, h.recipientCertificate, attempts(h.recipientCertificate));
  });

  it("policy attributes are not set, in 2.1 or as custom attributes of 1.4, and names are not taken", async () => {
    const old = test.as(IDENTITY.kms, { major: 1, minor: 4 });
    for (const client of [h.kms, old])
      for (const extra of [
        policy("Class", "master"),
        policy("Class", "account"),
        policy("Users", "*"),
        policy("Recipient", "verified"),
        policy("RecipientCA", "true"),
        policy("Parent", h.account),
      ])
        await denied(
          create(client, {
            ...AES,
            cryptographicUsageMask: ["DeriveKey"],
            vendorAttributes: [policy("Parent", h.account), extra],
          }),
        );
    await denied(
      create(h.kms, {
        ...AES,
        cryptographicUsageMask: ["DeriveKey"],
        name: named(SIGNER.edk.key),
        vendorAttributes: [policy("Parent", h.account)],
      }),
    );
  });

  it("a recipient of its own making, unverified or a stranger's, gets nothing", async () => {
    const mallory = test.as(await issueClient(test.pki.dir, "mallory"));
    const keys = await rsaKeys();
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
    const foreign = await registerRecipient(mallory, h.recipientCertificate, spki);
    await refused(get(h.kms, h.data, oaep(foreign))).toBe("WrappingObjectNotFound");
    await denied(registerRecipient(h.kms, h.recipientCertificate, spki));
    const shared = await registerRecipient(h.officer, h.authority.uid, spki, {
      vendorAttributes: [policy("Users", "*")],
    });
    await denied(get(h.kms, h.data, oaep(shared)));
    await denied(get(h.kms, h.data, oaep(h.authority.uid)));
    // A policy attribute of another vendor that is spelled like ours is none.
    const lookalike = await registerRecipient(mallory, h.recipientCertificate, spki, {
      vendorAttributes: [{ ...policy("Recipient", "verified"), vendorIdentification: "coffer" }],
    });
    await refused(get(h.kms, h.data, oaep(lookalike))).toBe("WrappingObjectNotFound");
  });

  it("a revoked or inactive parent wraps and unwraps nothing", async () => {
    const account = await importAccount(h.kms, h.master, h.wrappedAccount);
    const data = await createData(h.kms, account);
    const wrapped = keyBytes(await get(h.kms, data, aesKw(account)));
    const later = crypto.randomUUID();
    await h.kms.request("Import", wrappedImport(later, h.master, h.wrappedAccount, AES));
    await refused(
      create(h.kms, {
        ...AES,
        cryptographicUsageMask: ["DeriveKey"],
        vendorAttributes: [policy("Parent", later)],
      }),
    ).toBe("WrongKeyLifecycleState");
    await h.kms.request("Revoke", {
      uniqueIdentifier: account,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    await refused(get(h.kms, data, aesKw(account))).toBe("WrongKeyLifecycleState");
    await refused(h.kms.request("Import", wrappedImport(crypto.randomUUID(), account, wrapped))).toBe(
      "WrongKeyLifecycleState",
    );
    await h.kms.request("Revoke", {
      uniqueIdentifier: data,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
    });
    await refused(get(h.kms, data, oaep(h.recipient))).toBe("WrongKeyLifecycleState");
  });
});

describe("recipients", () => {
  const hours = (count: number) => new Date(Date.now() + count * 3600_000);

  it("are refused unless their certificate is right in every way", async () => {
    const { ra, authority } = h;
    const good = await authority.issue();
    const certificate = await registerCertificate(ra, good.der);
    await denied(registerRecipient(ra, certificate, await freshSpki()));
    await denied(registerRecipient(ra, crypto.randomUUID(), good.spki));
    await denied(registerRecipient(ra, authority.uid, good.spki));
    await denied(registerRecipient(ra, certificate, good.spki, { link: [] }));
    const link = { linkType: "CertificateLink", linkedObjectIdentifier: certificate } as const;
    await denied(registerRecipient(ra, certificate, good.spki, { link: [link, link] }));
    await denied(registerRecipient(ra, certificate, good.spki, { vendorAttributes: [policy("Users", "*")] }));
    for (const order of [
      { usage: x509.KeyUsageFlags.digitalSignature },
      { notAfter: hours(-1), notBefore: hours(-2) },
      { notBefore: hours(1) },
      { ca: true },
      { keys: await rsaKeys(2048) },
      { keys: await rsaKeys(3072, [3]) },
      {
        keys: await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
          "sign",
          "verify",
        ]),
      },
    ]) {
      const bad = await authority.issue(order);
      await denied(registerRecipient(ra, await registerCertificate(ra, bad.der), bad.spki));
    }
    for (const stranger of [
      await createAuthority(h.officer, h.root, { trusted: false }),
      await createAuthority(h.officer, h.root, { ca: false }),
    ]) {
      const bad = await stranger.issue();
      await denied(registerRecipient(ra, await registerCertificate(ra, bad.der), bad.spki));
    }
    expect(await registerRecipient(ra, certificate, good.spki)).toMatch(/^[0-9a-f-]{36}$/);
  }, 30_000);

  it("end with their certificate, their key and their authority", async () => {
    const cessation = { revocationReason: { revocationReasonCode: "CessationOfOperation" } } as const;
    const compromise = { revocationReason: { revocationReasonCode: "KeyCompromise" } } as const;
    const make = async (authority = h.authority) => {
      const { der, spki } = await authority.issue();
      const certificate = await registerCertificate(h.ra, der);
      return { certificate, key: await registerRecipient(h.ra, certificate, spki) };
    };
    const release = (key: string) => get(h.kms, h.data, oaep(key));
    const [revoked, compromised, expired] = [await make(), await make(), await make()];
    await release(revoked.key);
    await h.ra.request("Revoke", { uniqueIdentifier: revoked.key, ...cessation });
    await denied(release(revoked.key));
    await h.ra.request("Destroy", { uniqueIdentifier: revoked.key });
    await refused(release(revoked.key)).toBe("WrappingObjectDestroyed");
    await release(compromised.key);
    await h.ra.request("Revoke", { uniqueIdentifier: compromised.certificate, ...compromise });
    await denied(release(compromised.key));
    await release(expired.key);
    clock = () => hours(25);
    await denied(release(expired.key));
    clock = () => new Date();
    const authority = await createAuthority(h.officer, h.root);
    const below = await make(authority);
    await release(below.key);
    await h.officer.request("SetAttribute", {
      uniqueIdentifier: authority.uid,
      newAttribute: { vendorAttributes: [policy("RecipientCA", "false")] },
    });
    await denied(release(below.key));
  });
});

describe("the tenant of a key", () => {
  const recipientOf = async (...tenants: string[]) => {
    const { der, spki } = await h.authority.issue({ tenants });
    return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
  };
  const dataUnder = async (master: string) => {
    const account = await importAccount(h.kms, master, await createAccount(h.kms, master));
    return createData(h.kms, account);
  };

  it("binds the release: a recipient of another tenant is refused", async () => {
    const other = await dataUnder(await createMaster(h.officer, masterKeyName("second"), "second"));
    const second = await recipientOf("second");
    await get(h.kms, other, oaep(second));
    await get(h.kms, h.data, oaep(h.recipient));
    await denied(get(h.kms, h.data, oaep(second)));
    await denied(get(h.kms, other, oaep(h.recipient)));
  });

  it("is the one organization of the recipient's certificate, to the letter", async () => {
    for (const tenants of [
      [],
      [TENANT, "second"],
      ["second", TENANT],
      [TENANT, TENANT],
      [TENANT.toUpperCase()],
    ])
      await denied(get(h.kms, h.data, oaep(await recipientOf(...tenants))));
    await denied(get(h.kms, h.data, oaep(await recipientOf(`${TENANT} `))));
    await get(h.kms, h.data, oaep(await recipientOf(TENANT)));
  });

  it("must be there: below a master key without one nothing is released to recipients", async () => {
    const bare = await createMaster(h.officer, masterKeyName("none"), null);
    const data = await dataUnder(bare);
    for (const recipient of [h.recipient, await recipientOf(), await recipientOf("undefined")])
      await denied(get(h.kms, data, oaep(recipient)));
  });
});

describe("the chain of a recipient's certificate", () => {
  const soon = () => new Date(Date.now() + 3600_000);
  const below = async (authority: Authority) => {
    const { der, spki } = await authority.issue();
    return registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
  };

  /** With another root in the place of the hierarchy's, which comes back afterwards. */
  async function underRoot(order: RootOrder, work: (root: Root) => Promise<void>): Promise<void> {
    await removeRoot(h.officer, h.root);
    const root = await createRoot(h.officer, order);
    try {
      await work(root);
    } finally {
      clock = () => new Date();
      await removeRoot(h.officer, root);
      h.root = await createRoot(h.officer, { keys: h.root.keys });
    }
  }

  it("goes over the authority to the root: an authority that the root did not certify is none", async () => {
    const stranger = await createRoot(h.officer, { name: "another root" });
    await denied(below(await createAuthority(h.officer, { ...stranger, name: h.root.name }))); // another key
    await denied(below(await createAuthority(h.officer, { ...h.root, name: "CN=other" }))); // another issuer
    await below(await createAuthority(h.officer, h.root));
  });

  it("has authorities that may certify, that are current, and say nothing that nobody understands", async () => {
    const { digitalSignature, keyCertSign } = x509.KeyUsageFlags;
    await denied(below(await createAuthority(h.officer, h.root, { usage: digitalSignature })));
    await denied(below(await createAuthority(h.officer, h.root, { notAfter: new Date(Date.now() - 1000) })));
    await denied(below(await createAuthority(h.officer, h.root, { unknown: true })));
    const refusals: RootOrder[] = [
      { usage: digitalSignature },
      { path: 0 },
      { ca: false },
      { notAfter: new Date(Date.now() - 1000) },
    ];
    for (const order of refusals)
      await underRoot(order, async (root) => denied(below(await createAuthority(h.officer, root))));
    await underRoot({ usage: keyCertSign }, async (root) => {
      const authority = await createAuthority(h.officer, root);
      await get(h.kms, h.data, oaep(await below(authority)));
    });
  }, 20_000);

  it("ends when the root or the authority is revoked, destroyed or too old, also for those already registered", async () => {
    const revocationReason = { revocationReasonCode: "CACompromise" } as const;
    await get(h.kms, h.data, oaep(h.recipient));
    for (const end of ["Revoke", "Destroy"] as const) {
      const ending = (uniqueIdentifier: string) =>
        h.officer.request(end, {
          uniqueIdentifier,
          ...(end === "Revoke" ? { revocationReason } : {}),
        } as never);
      const authority = await createAuthority(h.officer, h.root);
      const recipient = await below(authority);
      await get(h.kms, h.data, oaep(recipient));
      await ending(authority.uid);
      await denied(get(h.kms, h.data, oaep(recipient)));
      await denied(below(authority));
      await underRoot({}, async (root) => {
        const under = await createAuthority(h.officer, root);
        const released = await below(under);
        await get(h.kms, h.data, oaep(released));
        await ending(root.uid);
        await denied(get(h.kms, h.data, oaep(released)));
        await denied(below(under));
      });
    }
    await underRoot({ notAfter: soon() }, async (root) => {
      const recipient = await below(await createAuthority(h.officer, root));
      await get(h.kms, h.data, oaep(recipient));
      clock = () => new Date(soon().getTime() + 1000);
      await denied(get(h.kms, h.data, oaep(recipient)));
    });
    await get(h.kms, h.data, oaep(await below(h.authority)));
  }, 20_000);

  it("does not hold while the root or the authority is archived", async () => {
    await underRoot({}, async (root) => {
      const authority = await createAuthority(h.officer, root);
      const recipient = await below(authority);
      for (const { uid: uniqueIdentifier } of [authority, root]) {
        await h.officer.request("Archive", { uniqueIdentifier });
        await denied(get(h.kms, h.data, oaep(recipient)));
        await denied(below(authority));
        await h.officer.request("Recover", { uniqueIdentifier });
        await get(h.kms, h.data, oaep(recipient));
      }
    });
  });

  it("begins at the officer's root, and nobody else's object of that name", async () => {
    const mallory = test.as(await issueClient(test.pki.dir, "mallory"));
    await denied(createRoot(mallory));
    await denied(createRoot(h.ra));
    await underRoot({ name: "not the root's name" }, async (root) =>
      denied(below(await createAuthority(h.officer, root))),
    );
  });
});

describe("with the live certificate of coffer-ra", () => {
  it("no key of the hierarchy is seen, made, imported or wrapped", async () => {
    for (const uniqueIdentifier of [h.data, h.account, h.master]) {
      await refused(get(h.ra, uniqueIdentifier, oaep(h.recipient))).toBe("ObjectNotFound");
      await refused(h.ra.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).toBe(
        "ObjectNotFound",
      );
    }
    expect(
      (await h.ra.request("Locate", { attributes: { objectType: "SymmetricKey" } })).uniqueIdentifier,
    ).toEqual([]);
    await denied(create(h.ra, { ...AES, vendorAttributes: [policy("Parent", h.account)] }));
    await denied(h.ra.request("Import", wrappedImport(crypto.randomUUID(), h.account, new Uint8Array(40))));
    for (const [operation, payload] of everyOperation(h.data, new Uint8Array(16)))
      if (operation !== "Register") await denied(h.ra.request(operation, payload as never));
  });

  it("nothing is registered but certificates and recipients, and no secret leaves", async () => {
    const keyBlock = { keyFormatType: "Raw", keyValue: { keyMaterial: new Uint8Array(32) }, ...AES } as const;
    await denied(
      h.ra.request("Register", {
        objectType: "SymmetricKey",
        attributes: AES,
        object: { symmetricKey: { keyBlock } },
      } as never),
    );
    await denied(
      h.ra.request("Register", {
        objectType: "OpaqueObject",
        attributes: {},
        object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: Uint8Array.of(1) } },
      }),
    );
    await denied(
      h.ra.request("Register", {
        objectType: "PublicKey",
        attributes: { cryptographicUsageMask: ["WrapKey"] },
        object: { publicKey: { keyBlock } },
      } as never),
    );
    const pair = await h.officer.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", activationDate: PAST },
      privateKeyAttributes: {
        cryptographicUsageMask: ["Sign"],
        vendorAttributes: [policy("Users", IDENTITY.ra), policy("SignType", "test+jwt")],
      },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const uniqueIdentifier = pair.privateKeyUniqueIdentifier;
    const sign = (client: KmipClient) =>
      client.request("Sign", {
        uniqueIdentifier,
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
        data: utf8(signingInput({ typ: "test+jwt", kid: "k".repeat(43) }, {})),
      });
    expect((await sign(h.ra)).signatureData?.length).toBeGreaterThan(60);
    await denied(get(h.ra, uniqueIdentifier));
    await denied(get(h.ra, uniqueIdentifier, oaep(h.recipient)));
    await denied(h.ra.request("Destroy", { uniqueIdentifier }));
    await allHidden(h.officer, uniqueIdentifier, {
      kms: sign(h.kms),
      iam: sign(h.iam),
      audit: sign(h.audit),
    });
  });
});

describe("other identities", () => {
  it("W9 account keys are made for the KMS alone, and leave under their master key and nothing else", async () => {
    const make = (client: KmipClient) =>
      create(client, {
        ...AES,
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
        activationDate: PAST,
        vendorAttributes: [policy("Parent", h.master)],
      });
    for (const client of [h.iam, h.ra, h.audit]) await denied(make(client));
    const { uniqueIdentifier } = await make(h.kms);
    const other = await createMaster(h.officer, masterKeyName("other"));
    await get(h.kms, uniqueIdentifier, aesKw(h.master));
    await denied(get(h.kms, uniqueIdentifier, aesKw(other)));
    await denied(get(h.kms, uniqueIdentifier, aesKw(uniqueIdentifier)));
    await denied(get(h.kms, uniqueIdentifier, oaep(h.recipient)));
    await refused(get(h.kms, uniqueIdentifier)).toBe("Sensitive");
    await refused(get(h.iam, h.data, aesKw(h.master))).toBe("ObjectNotFound");
    await denied(h.iam.request("Import", wrappedImport(crypto.randomUUID(), h.master, h.wrappedAccount)));
  });

  it("the officer sets policy and sees no secret", async () => {
    for (const specification of [undefined, aesKw(h.master), oaep(h.recipient)])
      await expect(reason(get(h.officer, h.master, specification))).resolves.toMatch(
        /^(PermissionDenied|WrappingObjectNotFound)$/,
      );
    for (const keyClass of ["account", "data", "other"])
      await denied(create(h.officer, { ...AES, vendorAttributes: [policy("Class", keyClass)] }));
    const keyBlock = { keyFormatType: "Raw", keyValue: { keyMaterial: new Uint8Array(32) }, ...AES } as const;
    await denied(
      h.officer.request("Register", {
        objectType: "SymmetricKey",
        attributes: { ...AES, vendorAttributes: [policy("Class", "master")] },
        object: { symmetricKey: { keyBlock } },
      } as never),
    );
    const uniqueIdentifier = h.master;
    for (const newAttribute of [
      { sensitive: false },
      { extractable: true },
      { cryptographicUsageMask: ["Decrypt"] },
      { vendorAttributes: [policy("Class", "data")] },
      { vendorAttributes: [policy("Parent", h.data)] },
      { vendorAttributes: [policy("Recipient", "verified")] },
    ] as Attributes[])
      for (const operation of ["AddAttribute", "ModifyAttribute", "SetAttribute"] as const)
        await denied(h.officer.request(operation, { uniqueIdentifier, newAttribute }));
    await denied(
      h.officer.request("DeleteAttribute", {
        uniqueIdentifier,
        attributeReference: { vendorIdentification: VENDOR, attributeName: POLICY.class },
      }),
    );
    for (const operation of ["Encrypt", "Decrypt"] as const)
      await denied(h.officer.request(operation, { uniqueIdentifier, data: new Uint8Array(16) }));
  });

  it("an ordinary client has its own objects and no part in the policy", async () => {
    const user = test.as(await issueClient(test.pki.dir, "user"));
    for (const uniqueIdentifier of [h.master, h.account, h.data, h.recipient])
      await refused(get(user, uniqueIdentifier)).toBe("ObjectNotFound");
    await denied(
      create(user, {
        ...AES,
        cryptographicUsageMask: ["WrapKey"],
        vendorAttributes: [policy("Class", "master")],
      }),
    );
    await denied(create(user, { ...AES, cryptographicUsageMask: ["WrapKey"], name: named(TRUST_LIST) }));
    const { uniqueIdentifier } = await create(user, {
      ...AES,
      cryptographicUsageMask: ["WrapKey", "UnwrapKey", "Encrypt"],
      activationDate: PAST,
      sensitive: true,
    });
    await refused(get(user, uniqueIdentifier)).toBe("Sensitive");
    await denied(user.request("SetAttribute", { uniqueIdentifier, newAttribute: { sensitive: false } }));
    await denied(
      user.request("AddAttribute", {
        uniqueIdentifier,
        newAttribute: { vendorAttributes: [policy("Users", "*")] },
      }),
    );
    await refused(
      user.request("Import", wrappedImport(crypto.randomUUID(), h.master, h.wrappedAccount)),
    ).toBe("ObjectNotFound");
  });

  it("a name of ours that is not in the table is nobody", async () => {
    const impostor = test.as(await issueClient(test.pki.dir, "coffer-root"));
    await refused(impostor.request("Locate", { attributes: {} })).toBe("AuthenticationNotSuccessful");
  });
});

async function freshSpki(): Promise<Bytes> {
  const { publicKey } = await rsaKeys();
  return new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
}
