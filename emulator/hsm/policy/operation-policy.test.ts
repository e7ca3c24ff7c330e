import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named, policy } from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  type KmipClient,
  KmipError,
  type OperationName,
  type RequestPayload,
  type UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Hierarchy, PAST, testHierarchy } from "../testing/hierarchy.ts";

/** The operations beyond the release policy's own: none of them is a way around it. */

let test: TestHsm;
let h: Hierarchy;
let alice: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  alice = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

async function reason(answer: Promise<unknown>): Promise<unknown> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof KmipError) return error.code;
    throw error;
  }
  return "Success";
}

const bytes = new Uint8Array(16);
type Attack = { [O in OperationName]?: (uid: UniqueIdentifier) => RequestPayload<O> };

/** Requests that would use, copy, split, replace or publish the key of that identifier. */
const ATTACKS: Attack = {
  DeriveKey: (uid) => ({
    objectType: "SecretData",
    uniqueIdentifier: [uid],
    derivationMethod: "HKDF",
    derivationParameters: { salt: bytes },
    attributes: { cryptographicLength: 256 },
  }),
  CreateSplitKey: (uid) => ({
    objectType: "SplitKey",
    uniqueIdentifier: uid,
    splitKeyParts: 2,
    splitKeyThreshold: 2,
    splitKeyMethod: "XOR",
  }),
  JoinSplitKey: (uid) => ({ objectType: "SecretData", uniqueIdentifier: [uid] }),
  ReKey: (uniqueIdentifier) => ({
    uniqueIdentifier,
    attributes: { sensitive: false, cryptographicUsageMask: ["Encrypt"] },
  }),
  ReKeyKeyPair: (privateKeyUniqueIdentifier) => ({ privateKeyUniqueIdentifier }),
  Encrypt: (uniqueIdentifier) => ({ uniqueIdentifier, data: bytes, initIndicator: true }),
  Decrypt: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data: bytes,
    ivCounterNonce: bytes,
    initIndicator: true,
  }),
  MAC: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data: bytes,
    cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" },
    initIndicator: true,
  }),
  MACVerify: (uniqueIdentifier) => ({ uniqueIdentifier, data: bytes, macData: bytes }),
  Export: (uniqueIdentifier) => ({ uniqueIdentifier }),
  Archive: (uniqueIdentifier) => ({ uniqueIdentifier }),
  Recover: (uniqueIdentifier) => ({ uniqueIdentifier }),
  AddAttribute: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { contactInformation: "me" } }),
  ModifyAttribute: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { sensitive: false } }),
  SetAttribute: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { extractable: true } }),
  DeleteAttribute: (uniqueIdentifier) => ({ uniqueIdentifier, attributeReference: "cryptographicUsageMask" }),
  GetUsageAllocation: (uniqueIdentifier) => ({ uniqueIdentifier, usageLimitsCount: 1n }),
  ObtainLease: (uniqueIdentifier) => ({ uniqueIdentifier }),
};
const attacks = Object.entries(ATTACKS) as [OperationName, (uid: UniqueIdentifier) => never][];

describe("the domains of a deployment", () => {
  it.each(attacks)("are refused %s, on whatever object", async (operation, request) => {
    for (const client of [h.kms, h.ra, h.iam])
      for (const uid of [h.master, h.account, h.data])
        expect(await reason(client.request(operation, request(uid)))).toBe("PermissionDenied");
  });

  it.each([
    "SetConstraints",
    "SetDefaults",
    "GetConstraints",
    "Put",
    "Notify",
    "PKCS_11",
    "Login",
    "Hash",
    "RNGSeed",
  ] as const)("are refused %s", async (operation) => {
    const payload = {
      Put: {
        uniqueIdentifier: "x",
        putFunction: "New",
        object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: bytes } },
      },
      Notify: { uniqueIdentifier: "x", attributeReference: [] },
      PKCS_11: { pkcs_11Function: "C_Initialize" },
      Hash: { data: bytes },
      RNGSeed: { data: bytes },
    }[operation as string] as never;
    // A digest takes no key: the KMS has them for an app that asks the CaaS.
    for (const client of operation === "Hash" ? [h.ra, h.iam] : [h.kms, h.ra, h.iam])
      expect(await reason(client.request(operation, payload ?? ({} as never)))).toBe("PermissionDenied");
  });
});

describe("keys of the hierarchy", () => {
  const KEEPS_SECRET: readonly OperationName[] = [
    "DeriveKey",
    "CreateSplitKey",
    "ReKey",
    "Encrypt",
    "Decrypt",
    "MAC",
    "MACVerify",
    "Export",
    "ModifyAttribute",
    "SetAttribute",
    "DeleteAttribute",
  ];

  it.each(KEEPS_SECRET)("are refused %s to the officer who owns the master key", async (operation) => {
    const request = ATTACKS[operation] as (uid: UniqueIdentifier) => never;
    expect(await reason(h.officer.request(operation, request(h.master)))).not.toBe("Success");
  });

  it.each(attacks)("are not there for an ordinary client's %s", async (operation, request) => {
    for (const uid of [h.master, h.account, h.data])
      expect(["ObjectNotFound", "PermissionDenied"]).toContain(
        await reason(alice.request(operation, request(uid))),
      );
  });

  it("get no class by derivation, joining or re-keying", async () => {
    const vendorAttributes = [policy("Class", "master")];
    const base = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        cryptographicUsageMask: ["DeriveKey"],
        activationDate: PAST,
        name: named("base"),
      },
    });
    const attributes = { ...AES, cryptographicUsageMask: ["WrapKey" as const], vendorAttributes };
    for (const client of [alice, h.officer]) {
      const derive = client.request("DeriveKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [base.uniqueIdentifier],
        derivationMethod: "HKDF",
        derivationParameters: {},
        attributes,
      });
      expect(["PermissionDenied", "ObjectNotFound"]).toContain(await reason(derive));
      const join = client.request("JoinSplitKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [],
        attributes,
      });
      expect(await reason(join)).toBe("PermissionDenied");
    }
    const rekey = alice.request("ReKey", {
      uniqueIdentifier: base.uniqueIdentifier,
      attributes: { vendorAttributes },
    });
    expect(await reason(rekey)).toBe("PermissionDenied");
  });
});

describe("an officer's secrets", () => {
  it("do not leave by splitting or PKCS#12", async () => {
    const { uniqueIdentifier } = await h.officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
    });
    const split = h.officer.request("CreateSplitKey", ATTACKS.CreateSplitKey!(uniqueIdentifier));
    expect(await reason(split)).toBe("PermissionDenied");
    const { privateKeyUniqueIdentifier } = await h.officer.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256 },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const get = h.officer.request("Get", {
      uniqueIdentifier: privateKeyUniqueIdentifier,
      keyFormatType: "PKCS_12",
    });
    expect(await reason(get)).toBe("PermissionDenied");
  });

  it("a sensitive key is neither split nor given as PKCS#12", async () => {
    const { uniqueIdentifier } = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], sensitive: true },
    });
    expect(await reason(alice.request("CreateSplitKey", ATTACKS.CreateSplitKey!(uniqueIdentifier)))).toBe(
      "Sensitive",
    );
  });
});

describe("what is derived and joined", () => {
  /** A symmetric key of alice's whose bytes she knows: zeros. */
  const known = async (attributes: Attributes) => {
    const { uniqueIdentifier } = await alice.request("Register", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["DeriveKey"], activationDate: PAST, ...attributes },
      object: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: new Uint8Array(32) },
            cryptographicAlgorithm: "AES",
            cryptographicLength: 256,
            ...attributes,
          },
        },
      },
    });
    return uniqueIdentifier;
  };
  const secret = async (attributes: Attributes) => {
    const { uniqueIdentifier } = await alice.request("Register", {
      objectType: "SecretData",
      attributes: { cryptographicUsageMask: ["DeriveKey"], activationDate: PAST, ...attributes },
      object: {
        secretData: {
          secretDataType: "Password",
          keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: new Uint8Array(32).fill(1) } },
        },
      },
    });
    return uniqueIdentifier;
  };
  const derive = (
    uniqueIdentifier: UniqueIdentifier[],
    request: Pick<RequestPayload<"DeriveKey">, "derivationMethod" | "derivationParameters">,
    attributes: Attributes = {},
  ) =>
    alice.request("DeriveKey", {
      objectType: "SymmetricKey",
      uniqueIdentifier,
      attributes: { ...AES, ...attributes },
      ...request,
    });
  const encrypted = {
    derivationMethod: "ENCRYPT",
    derivationParameters: { cryptographicParameters: { blockCipherMode: "ECB" } },
  } as const;

  it("is no way to read by a known key what Get refuses", async () => {
    const key = await known({});
    expect(await reason(derive([key, await secret({})], encrypted))).toBe("Success");
    expect(await reason(derive([key, await secret({ sensitive: true })], encrypted))).toBe("Sensitive");
    const kept = await secret({ extractable: false });
    expect(await reason(derive([key, kept], encrypted))).toBe("NotExtractable");
  });

  it("is not given away for being joined of parts that are not", async () => {
    const part = async (keyPartIdentifier: number, attributes: Attributes) => {
      const { uniqueIdentifier } = await alice.request("Register", {
        objectType: "SplitKey",
        attributes: { ...AES, cryptographicUsageMask: [], ...attributes },
        object: {
          splitKey: {
            splitKeyParts: 2,
            keyPartIdentifier,
            splitKeyThreshold: 2,
            splitKeyMethod: "XOR",
            keyBlock: {
              keyFormatType: "Raw",
              keyValue: { keyMaterial: new Uint8Array(32) },
              cryptographicAlgorithm: "AES",
              cryptographicLength: 256,
            },
          },
        },
      });
      return uniqueIdentifier;
    };
    const joined = async (one: Attributes, other: Attributes) => {
      const key = await alice.request("JoinSplitKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [await part(1, one), await part(2, other)],
        attributes: { ...AES, sensitive: false, extractable: true },
      });
      return reason(alice.request("Get", key));
    };
    expect(await joined({}, {})).toBe("Success");
    expect(await joined({ extractable: false }, {})).toBe("NotExtractable");
    expect(await joined({}, { extractable: false })).toBe("NotExtractable");
    expect(await joined({}, { sensitive: true })).toBe("Sensitive");
  });

  it("is no way to read a one-time pad", async () => {
    const pad = await known({ cryptographicAlgorithm: "OneTimePad" });
    const derivationParameters = { derivationData: new Uint8Array(32) };
    const zeros = derive([pad], { derivationMethod: "ENCRYPT", derivationParameters });
    expect(await reason(zeros)).toBe("UnsupportedCryptographicParameters");
    expect(await reason(derive([await known({}), pad], encrypted))).toBe("PermissionDenied");
  });

  it("stays where any base of it stays, whatever is asked for", async () => {
    const hmac = {
      derivationMethod: "HMAC",
      derivationParameters: { cryptographicParameters: { hashingAlgorithm: "SHA_256" } },
    } as const;
    const asked = { sensitive: false, extractable: true };
    const get = async (...bases: UniqueIdentifier[]) =>
      reason(alice.request("Get", await derive(bases, hmac, asked)));
    const [key, data] = [await known({}), await secret({})];
    expect(await get(key, data)).toBe("Success");
    expect(await get(await known({ extractable: false }), data)).toBe("NotExtractable");
    expect(await get(key, await secret({ extractable: false }))).toBe("NotExtractable");
    expect(await get(key, await secret({ sensitive: true }))).toBe("Sensitive");
  });
});

describe("streams and tickets", () => {
  it("a stream goes on for the one who began it, with the same key and operation", async () => {
    const key = (client: KmipClient) =>
      client.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt", "Decrypt"], activationDate: PAST },
      });
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    const [mine, other, bobs] = [await key(alice), await key(alice), await key(bob)];
    const begin = async () => {
      const { correlationValue } = await alice.request("Encrypt", {
        ...mine,
        data: bytes,
        initIndicator: true,
      });
      return correlationValue!;
    };
    const next = { data: bytes, finalIndicator: true };
    const foreign = bob.request("Encrypt", { ...bobs, ...next, correlationValue: await begin() });
    expect(await reason(foreign)).toBe("InvalidCorrelationValue");
    const exchanged = alice.request("Encrypt", { ...other, ...next, correlationValue: await begin() });
    expect(await reason(exchanged)).toBe("InvalidCorrelationValue");
    const turned = alice.request("Decrypt", { ...mine, ...next, correlationValue: await begin() });
    expect(await reason(turned)).toBe("InvalidCorrelationValue");
    const correlationValue = await begin();
    expect(await reason(alice.request("Encrypt", { ...mine, ...next, correlationValue }))).toBe("Success");
    expect(await reason(alice.request("Encrypt", { ...mine, ...next, correlationValue }))).toBe(
      "InvalidCorrelationValue",
    );
    const ended = await begin();
    await alice.request("Revoke", {
      ...mine,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    const late = alice.request("Encrypt", { ...mine, ...next, correlationValue: ended });
    expect(await reason(late)).toBe("WrongKeyLifecycleState");
  });

  it("a ticket is worth its requests, on its owner's channel, and never a domain's or the officer's", async () => {
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    const { ticket } = await alice.request("Login", { requestCount: 2 });
    const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
    const header = { authentication: { credential } };
    const ping = (client: KmipClient) => reason(client.request("Ping", {}, { header }));
    expect(await ping(bob)).toBe("InvalidTicket");
    expect(await ping(h.kms)).toBe("AuthenticationNotSuccessful");
    expect([await ping(alice), await ping(alice), await ping(alice)]).toEqual([
      "Success",
      "Success",
      "UsageLimitExceeded",
    ]);
    expect(await reason(h.officer.request("Login", {}))).toBe("PermissionDenied");
  });

  it("a delegated ticket does what it says and no more", async () => {
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    const create = () =>
      alice.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
      });
    const [shown, hidden] = [await create(), await create()];
    const { ticket } = await alice.request("DelegatedLogin", {
      rights: {
        right: [
          { operations: { operation: ["Get"] }, objects: { uniqueIdentifier: [shown.uniqueIdentifier] } },
        ],
      },
    });
    const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
    const header = { authentication: { credential } };
    const get = ({ uniqueIdentifier }: { uniqueIdentifier: string }) =>
      reason(bob.request("Get", { uniqueIdentifier }, { header }));
    expect(await get(shown)).toBe("Success");
    expect(await get(hidden)).toBe("NotAuthorised");
    const destroy = bob.request("Destroy", { uniqueIdentifier: shown.uniqueIdentifier }, { header });
    expect(await reason(destroy)).toBe("NotAuthorised");
    expect(await reason(bob.request("Login", {}, { header }))).toBe("NotAuthorised");
  });

  it("each right of a delegated ticket has its own operations and objects", async () => {
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    const create = async () =>
      (
        await alice.request("Create", {
          objectType: "SymmetricKey",
          attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
        })
      ).uniqueIdentifier;
    const [read, removed] = [await create(), await create()];
    const right = (operation: "Get" | "Destroy", uid: string) => ({
      operations: { operation: [operation] },
      objects: { uniqueIdentifier: [uid] },
    });
    const { ticket } = await alice.request("DelegatedLogin", {
      requestCount: 0,
      rights: { right: [right("Get", read), right("Destroy", removed)] },
    });
    const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
    const header = { authentication: { credential } };
    const asked = (operation: "Get" | "Destroy", uniqueIdentifier: string) =>
      reason(bob.request(operation, { uniqueIdentifier }, { header }));
    expect(await asked("Get", removed)).toBe("NotAuthorised");
    expect(await asked("Destroy", read)).toBe("NotAuthorised");
    expect(await asked("Get", read)).toBe("Success");
    expect(await asked("Destroy", removed)).toBe("Success");
  });
});
