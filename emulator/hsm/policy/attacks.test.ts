import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { IDENTITY, named, POLICY, policy, SIGN_TYPE, TRUST_LIST, users } from "#protocol/hierarchy/index.ts";
import { signingInput } from "#protocol/keys/index.ts";
import { type Attributes, item, type KmipClient, type OperationName } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Hierarchy,
  importAccount,
  oaep,
  PAST,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { everyOperation } from "../testing/operations.ts";
import { allDenied, allHidden, denied, reason, refused } from "../testing/refusal.ts";

/** What each identity tries with what is not its own. `release-policy.test.ts` has what leaves the HSM, and how. */

type Domain = "kms" | "ra" | "iam" | "audit";
const DOMAINS: readonly Domain[] = ["kms", "ra", "iam", "audit"];

let test: TestHsm;
let h: Hierarchy;
let user: KmipClient;
let other: KmipClient;
/** Signing keys of the officer's, by who may use them; public halves and the trust list are everybody's. */
let keys: Record<Domain, string>;
let publicKey: string;
let trust: string;
/** Of an ordinary client: a key that does everything, and a secret. */
let theirs: string;
const data = new Uint8Array(16);

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  [user, other] = (await Promise.all(
    ["user", "other"].map(async (name) => test.as(await issueClient(test.pki.dir, name))),
  )) as [KmipClient, KmipClient];
  keys = {} as typeof keys;
  for (const name of DOMAINS) {
    const pair = await h.officer.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "ECDSA", cryptographicLength: 256, activationDate: PAST },
      privateKeyAttributes: {
        name: named(`signing key of ${name}`),
        cryptographicUsageMask: ["Sign"],
        vendorAttributes: [users(name), policy(POLICY.signType, `${name}+jwt`)],
      },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"], vendorAttributes: [policy("Users", "*")] },
    });
    keys[name] = pair.privateKeyUniqueIdentifier;
    publicKey = pair.publicKeyUniqueIdentifier;
  }
  const registered = await h.officer.request("Register", {
    objectType: "OpaqueObject",
    attributes: { name: named(TRUST_LIST), vendorAttributes: [policy("Users", "*")] },
    object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: Uint8Array.of(1) } },
  });
  trust = registered.uniqueIdentifier;
  const made = await user.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      name: named("mine"),
      cryptographicUsageMask: ["Encrypt", "Decrypt", "WrapKey", "UnwrapKey", "DeriveKey", "MACGenerate"],
      activationDate: PAST,
    },
  });
  theirs = made.uniqueIdentifier;
}, 30_000);
afterAll(() => test.close());

const sign = (client: KmipClient, uniqueIdentifier: string, typ: string) =>
  client.request("Sign", {
    uniqueIdentifier,
    cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
    data: utf8(signingInput({ typ, kid: "k".repeat(43) }, {})),
  });

const life = (client: KmipClient, uniqueIdentifier: string) => ({
  activate: client.request("Activate", { uniqueIdentifier }),
  compromise: client.request("Revoke", {
    uniqueIdentifier,
    revocationReason: { revocationReasonCode: "KeyCompromise" },
  }),
  revoke: client.request("Revoke", {
    uniqueIdentifier,
    revocationReason: { revocationReasonCode: "CessationOfOperation" },
  }),
  destroy: client.request("Destroy", { uniqueIdentifier }),
});

const reading = (client: KmipClient, uniqueIdentifier: string) => ({
  attributes: client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] }),
  get: client.request("Get", { uniqueIdentifier }),
});

describe("what each identity may ask for", () => {
  const READING = ["Query", "DiscoverVersions", "Ping", "Locate", "GetAttributes"];
  const LIFE = ["Activate", "Revoke", "Destroy"];
  const ALLOWED: Record<Domain, string[]> = {
    kms: [
      ...[...READING, ...LIFE, "Create", "CreateKeyPair", "DeriveKey", "Encrypt", "Import", "Get", "Sign"],
      // With what is derived from data keys, where the officer allows it (data-operations.test.ts), or with no key.
      ...["Decrypt", "MAC", "MACVerify", "Hash", "RNGRetrieve"],
    ],
    ra: [...READING, ...LIFE, "Register", "Get", "Sign"],
    iam: [...READING, ...LIFE, "Get", "Sign", "RNGRetrieve"],
    audit: [...READING, "Get", "Sign"],
  };

  it.each(DOMAINS)("coffer-%s: this and nothing else, with whatever object", async (name) => {
    const { operation } = await h[name].request("Query", { queryFunction: ["QueryOperations"] });
    expect([...(operation ?? [])].sort()).toEqual([...ALLOWED[name]].sort());
    const objects = [h.master, h.account, h.recipient, keys[name], publicKey, trust, theirs];
    for (const uid of objects)
      for (const [asked, payload] of everyOperation(uid, data))
        if (!ALLOWED[name].includes(asked)) await denied(h[name].request(asked, payload as never));
  });
});

describe("what is not there for an identity", () => {
  /** Objects that each of them does not see, with their owners. */
  const hidden = (): Record<Domain, [KmipClient, string][]> => ({
    kms: [
      [h.ra, h.recipientCertificate],
      [h.officer, keys.ra],
      [h.officer, keys.audit],
      [user, theirs],
    ],
    ra: [
      [h.officer, h.master],
      [h.kms, h.account],
      [h.kms, h.data],
      [h.officer, keys.kms],
      [user, theirs],
    ],
    iam: [
      [h.officer, h.master],
      [h.kms, h.account],
      [h.kms, h.data],
      [h.ra, h.recipient],
      [h.officer, keys.kms],
      [user, theirs],
    ],
    audit: [
      [h.officer, h.master],
      [h.kms, h.account],
      [h.kms, h.data],
      [h.ra, h.recipient],
      [h.ra, h.recipientCertificate],
      [h.officer, keys.kms],
      [h.officer, keys.iam],
      [user, theirs],
    ],
  });

  it.each(DOMAINS)("is not read, used, activated, revoked or destroyed by coffer-%s", async (name) => {
    const client = h[name];
    for (const [owner, uid] of hidden()[name]) {
      await allHidden(owner, uid, {
        ...reading(client, uid),
        sign: sign(client, uid, `${name}+jwt`),
        "get wrapped": client.request("Get", { uniqueIdentifier: uid, keyWrappingSpecification: aesKw(uid) }),
        ...(name === "audit" ? {} : life(client, uid)),
      });
    }
  });

  it.each(DOMAINS)("is not found by coffer-%s, whatever is known of it", async (name) => {
    const client = h[name];
    const find = async (attributes: Attributes, mask?: "DestroyedStorage") => {
      const { uniqueIdentifier } = await client.request("Locate", {
        attributes,
        ...(mask ? { storageStatusMask: ["OnLineStorage", "ArchivalStorage", mask] } : {}),
      });
      return uniqueIdentifier;
    };
    const everything = await find({}, "DestroyedStorage");
    for (const [owner, uid] of hidden()[name]) {
      expect(everything).not.toContain(uid);
      const { attributes } = await owner.request("GetAttributes", {
        uniqueIdentifier: uid,
        attributeReference: [],
      });
      expect(await find({ uniqueIdentifier: uid })).toEqual([]);
      for (const property of [
        "name",
        "digest",
        "link",
        "cryptographicUsageMask",
        "initialDate",
        "vendorAttributes",
      ] as const)
        if (attributes[property] !== undefined)
          expect(await find({ [property]: attributes[property] }), property).not.toContain(uid);
      // Nor does a Locate leave it behind for the next item of the batch.
      const [, got] = await client.batch(
        [item("Locate", { attributes: { uniqueIdentifier: uid } }), item("Get", {})] as const,
        { batchErrorContinuationOption: "Continue" },
      );
      expect(got).toMatchObject({ resultStatus: "OperationFailed", resultReason: "ObjectNotFound" });
    }
  });
});

describe("what an identity sees and does not own", () => {
  const seen = (): Record<Domain, string[]> => {
    const everybodys = [h.authority.uid, h.root.uid, publicKey, trust];
    return {
      kms: [...everybodys, h.master, h.recipient, keys.kms],
      ra: [...everybodys, keys.ra],
      iam: [...everybodys, keys.iam],
      audit: [...everybodys, keys.audit],
    };
  };

  it.each(DOMAINS)("keeps its state, for all of coffer-%s", async (name) => {
    for (const uid of seen()[name]) {
      await h[name].request("GetAttributes", { uniqueIdentifier: uid, attributeReference: [] });
      await allDenied(life(h[name], uid));
    }
  });

  it.each(DOMAINS)("is named by a batch's placeholder with the same result, for coffer-%s", async (name) => {
    for (const uid of seen()[name].filter((one) => one !== publicKey && one !== trust))
      for (const option of ["Continue", "Undo"] as const) {
        const revocationReason = { revocationReasonCode: "KeyCompromise" } as const;
        const attempts = [item("Destroy", {}), item("Revoke", { revocationReason }), item("Activate", {})];
        for (const attempt of attempts) {
          const answers = await h[name].batch(
            [item("Locate", { attributes: { uniqueIdentifier: uid } }), attempt],
            { batchErrorContinuationOption: option },
          );
          expect(answers[1]).toMatchObject({ resultReason: "PermissionDenied" });
        }
      }
  });

  it("signing keys and master keys stay in the HSM, for their users and for the officer", async () => {
    for (const name of DOMAINS) {
      const client = h[name];
      const uniqueIdentifier = keys[name];
      await sign(client, uniqueIdentifier, `${name}+jwt`);
      const wrapped = (keyWrappingSpecification: ReturnType<typeof oaep>) =>
        client.request("Get", { uniqueIdentifier, keyWrappingSpecification });
      await allDenied({
        plain: client.request("Get", { uniqueIdentifier }),
        "PKCS#8": client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_8" }),
        "PKCS#12": client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_12" }),
        ...(name === "kms"
          ? {
              "to a recipient": wrapped(oaep(h.recipient)),
              "by the account key": wrapped(aesKw(h.account)),
              "by the master key": wrapped(aesKw(h.master)),
            }
          : {}),
        "signs for another": sign(client, uniqueIdentifier, "other+jwt"),
        officer: h.officer.request("Get", { uniqueIdentifier }),
        "officer's export": h.officer.request("Export", { uniqueIdentifier }),
        "officer's parts": h.officer.request("CreateSplitKey", {
          objectType: "SymmetricKey",
          uniqueIdentifier: h.master,
          splitKeyParts: 2,
          splitKeyThreshold: 2,
          splitKeyMethod: "XOR",
        }),
        "officer's export of the master key": h.officer.request("Export", { uniqueIdentifier: h.master }),
      });
    }
  });
});

describe(IDENTITY.audit, () => {
  it("signs heads and reads public material, and has nothing of its own", async () => {
    await sign(h.audit, keys.audit, "audit+jwt");
    for (const uniqueIdentifier of [h.authority.uid, h.root.uid, publicKey, trust])
      expect((await h.audit.request("Get", { uniqueIdentifier })).object).toBeDefined();
    await allDenied({
      create: h.audit.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, vendorAttributes: [policy("Parent", h.master)] },
      }),
      import: h.audit.request("Import", wrappedImport(crypto.randomUUID(), h.master, h.wrappedAccount)),
      register: h.audit.request("Register", {
        objectType: "OpaqueObject",
        attributes: {},
        object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: Uint8Array.of(1) } },
      }),
      "a receipt": sign(h.audit, keys.audit, SIGN_TYPE.receipt),
      "a wrapped certificate": h.audit.request("Get", {
        uniqueIdentifier: h.authority.uid,
        keyWrappingSpecification: aesKw(h.authority.uid),
      }),
    });
    await refused(
      h.audit.request("Get", { uniqueIdentifier: publicKey, keyWrappingSpecification: oaep(h.recipient) }),
    ).toBe("WrappingObjectNotFound");
  });
});

describe("batches that are undone", () => {
  it("tell no more than which object it was, and leave nothing made, revoked or destroyed behind", async () => {
    const account = await importAccount(h.kms, h.master, h.wrappedAccount);
    const everything = async () =>
      (
        await h.kms.request("Locate", {
          attributes: {},
          storageStatusMask: ["OnLineStorage", "DestroyedStorage"],
        })
      ).uniqueIdentifier;
    const before = await everything();
    const revocationReason = { revocationReasonCode: "KeyCompromise" } as const;
    const answers = await h.kms.batch(
      [
        item("Create", {
          objectType: "SymmetricKey",
          attributes: {
            ...AES,
            cryptographicUsageMask: ["DeriveKey"],
            vendorAttributes: [policy("Parent", account)],
          },
        }),
        item("Get", { keyWrappingSpecification: aesKw(account) }),
        item("Revoke", { uniqueIdentifier: account, revocationReason }),
        item("Destroy", { uniqueIdentifier: account }),
        item("Get", { uniqueIdentifier: h.master }),
      ] as const,
      { batchErrorContinuationOption: "Undo" },
    );
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual([
      ...Array.from({ length: 4 }, () => "OperationUndone"),
      "OperationFailed",
    ]);
    const told = answers.flatMap(({ payload }) => Object.keys(payload ?? {}));
    expect(new Set(told)).toEqual(new Set(["uniqueIdentifier"]));
    expect(answers[1]!.payload).toBeUndefined();
    expect(await everything()).toEqual(before);
    await h.kms.request("Revoke", { uniqueIdentifier: account, revocationReason });
  });

  it("lend no placeholder from one identity, message or undone item to the next", async () => {
    await h.kms.request("Locate", { attributes: { uniqueIdentifier: h.master } });
    await refused(h.kms.request("Get", {})).toBe("ObjectNotFound");
    const [, got] = await h.kms.batch(
      [
        item("Get", { uniqueIdentifier: h.master }),
        item("Get", { keyWrappingSpecification: aesKw(h.account) }),
      ],
      { batchErrorContinuationOption: "Continue" },
    );
    expect(got).toMatchObject({ resultReason: "ObjectNotFound" });
  });
});

describe("an ordinary client", () => {
  it("uses nothing of others in any operation, in whichever place of the request it stands", async () => {
    const hidden: [KmipClient, string][] = [
      [h.officer, h.master],
      [h.kms, h.account],
      [h.kms, h.data],
      [h.ra, h.recipient],
      [h.officer, keys.kms],
      [user, theirs],
    ];
    const own = await other.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["DeriveKey", "WrapKey"], activationDate: PAST },
    });
    const without: OperationName[] = [
      // These name no object, or are not there at all.
      ...([
        "Hash",
        "CreateKeyPair",
        "Register",
        "RNGSeed",
        "Login",
        "SetDefaults",
        "Log",
        "Interop",
      ] as const),
      ...(["DelegatedLogin", "Logout", "GetConstraints", "SetConstraints", "SetEndpointRole"] as const),
    ];
    const { operation: known = [] } = await other.request("Query", { queryFunction: ["QueryOperations"] });
    for (const [owner, uid] of hidden) {
      const attempts = everyOperation(uid, data).filter(
        ([name]) => known.includes(name) && !without.includes(name),
      );
      await allHidden(owner, uid, {
        ...Object.fromEntries(
          attempts.map(([name, payload]) => [name, other.request(name, payload as never)]),
        ),
        ...reading(other, uid),
        ...life(other, uid),
        sign: sign(other, uid, "kms+jwt"),
        "derive from another's and one's own": other.request("DeriveKey", {
          objectType: "SymmetricKey",
          uniqueIdentifier: [own.uniqueIdentifier, uid],
          derivationMethod: "HMAC",
          derivationParameters: {},
          attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
        }),
        "import under it": other.request("Import", wrappedImport(crypto.randomUUID(), uid, h.wrappedAccount)),
      });
      await refused(
        other.request("Get", {
          uniqueIdentifier: own.uniqueIdentifier,
          keyWrappingSpecification: aesKw(uid),
        }),
      ).toBe("WrappingObjectNotFound");
      await refused(
        other.request("Import", { ...wrappedImport(uid, own.uniqueIdentifier, data), replaceExisting: true }),
      ).toBe("ObjectAlreadyExists");
    }
  });

  it("follows no link to what belongs to others", async () => {
    const pair = await other.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256, activationDate: PAST },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const uniqueIdentifier = pair.privateKeyUniqueIdentifier;
    const link = (linkType: "PKCS_12PasswordLink" | "PKCS_12CertificateLink", to: string) =>
      other.request("AddAttribute", {
        uniqueIdentifier,
        newAttribute: { link: [{ linkType, linkedObjectIdentifier: to }] },
      });
    await link("PKCS_12PasswordLink", theirs);
    await allHidden(user, theirs, {
      "theirs as password": other.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_12" }),
    });
  });

  it("brings no policy in by a template of 1.x, its own or another's", async () => {
    const [old, stranger] = [
      test.as(await issueClient(test.pki.dir, "user"), { major: 1, minor: 4 }),
      test.as(await issueClient(test.pki.dir, "other"), { major: 1, minor: 4 }),
    ];
    const template = (client: KmipClient, name: string, attributes: Attributes) =>
      client.request("Register", {
        objectType: "Template",
        attributes: { name: named(name) },
        object: { template: { attributes } },
      });
    const make = (client: KmipClient, name: string) =>
      client.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, cryptographicUsageMask: ["WrapKey"], templateNames: named(name) },
      });
    const vendorAttributes = [policy("Class", "master")];
    await template(old, "harmless", { contactInformation: "me" });
    await make(old, "harmless");
    await template(old, "master", { vendorAttributes }).catch(() => undefined);
    expect(await reason(make(old, "master"))).toMatch(/^(PermissionDenied|ItemNotFound)$/);
    await refused(make(stranger, "harmless")).toBe("ItemNotFound");
    await refused(make(test.as(IDENTITY.kms, { major: 1, minor: 4 }), "harmless")).toBe("ItemNotFound");
  });

  it("gets no answer that waits for another, and the domains none at all later", async () => {
    const header = { asynchronousIndicator: "Mandatory" } as const;
    const [waiting] = await user.batch([item("Get", { uniqueIdentifier: theirs })], { header });
    const { resultStatus, asynchronousCorrelationValue } = waiting!;
    expect(resultStatus).toBe("OperationPending");
    const poll = (client: KmipClient) =>
      client.request("Poll", { asynchronousCorrelationValue: asynchronousCorrelationValue! });
    await refused(poll(other)).toBe("InvalidAsynchronousCorrelationValue");
    await refused(poll(h.officer)).toBe("InvalidAsynchronousCorrelationValue");
    for (const name of DOMAINS) {
      await denied(poll(h[name]));
      const [never] = await h[name].batch([item("Locate", { attributes: {} })], { header });
      expect(never).toMatchObject({ resultStatus: "OperationFailed", resultReason: "FeatureNotSupported" });
    }
    // It is answered in the place of Poll, as the operation that it was.
    expect(await poll(user)).toMatchObject({ uniqueIdentifier: theirs });
    expect(await user.request("Get", { uniqueIdentifier: theirs }, { header })).toMatchObject({
      uniqueIdentifier: theirs,
    });
  });

  it("changes nothing of what is everybody's", async () => {
    const newAttribute = { name: named("mine") };
    for (const uniqueIdentifier of [h.authority.uid, h.root.uid, publicKey, trust])
      await allDenied({
        ...life(other, uniqueIdentifier),
        archive: other.request("Archive", { uniqueIdentifier }),
        recover: other.request("Recover", { uniqueIdentifier }),
        add: other.request("AddAttribute", { uniqueIdentifier, newAttribute }),
        modify: other.request("ModifyAttribute", { uniqueIdentifier, newAttribute }),
        set: other.request("SetAttribute", { uniqueIdentifier, newAttribute: { comment: "x" } }),
        delete: other.request("DeleteAttribute", { uniqueIdentifier, attributeReference: "name" }),
        adjust: other.request("AdjustAttribute", {
          uniqueIdentifier,
          attributeReference: "leaseTime",
          adjustmentType: "Increment",
        }),
        export: other.request("Export", { uniqueIdentifier }),
      });
  });
});
