import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDENTITY, named, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient, OperationName, RequestHeader } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type Principal, principalOf } from "../identity/principals.ts";
import { OPERATIONS } from "../operations/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  createMaster,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  testHierarchy,
} from "../testing/hierarchy.ts";
import { reason as reasonOf } from "../testing/refusal.ts";
import type { OperationPolicy, PolicySection } from "./operation-policy.ts";
import { namedInPolicies } from "./traits.ts";

/** What ordinary clients may do with each other's objects: operation policies, groups, and ways around them. */

const V1_2 = { major: 1, minor: 2 };
const V1_4 = { major: 1, minor: 4 };
const V2_1 = { major: 2, minor: 1 };
const VERSIONS = [V1_2, V1_4, V2_1];
const NONE = "ObjectNotFound";
const NO = "PermissionDenied";
const data = new Uint8Array(16);

/** 1.x calls an object that is not there an item. */
async function reason(answer: Promise<unknown>): Promise<unknown> {
  const code = await reasonOf(answer);
  return code === "ItemNotFound" ? NONE : code;
}

const ON_OBJECTS = namedInPolicies(OPERATIONS);
type Name = string;
const NAMES = Object.keys(ON_OBJECTS);
const all = (...names: Name[]): PolicySection => ({
  SYMMETRIC_KEY: Object.fromEntries(names.map((name) => [name, "ALLOW_ALL"])),
});

const POLICIES: Record<string, OperationPolicy> = {
  open: {
    preset: {
      ...all(...NAMES),
      PRIVATE_KEY: Object.fromEntries(NAMES.map((name) => [name, "ALLOW_ALL"])),
      PUBLIC_KEY: Object.fromEntries(NAMES.map((name) => [name, "ALLOW_ALL"])),
      SPLIT_KEY: Object.fromEntries(NAMES.map((name) => [name, "ALLOW_ALL"])),
      CERTIFICATE: Object.fromEntries(NAMES.map((name) => [name, "ALLOW_ALL"])),
    },
  },
  // Members of groups may do less than others, so that it shows whose rules count.
  team: {
    preset: all("LOCATE", "GET", "GET_ATTRIBUTES"),
    groups: {
      operators: all("LOCATE", "ENCRYPT"),
      auditors: all("LOCATE", "GET_ATTRIBUTES"),
      keepers: { SYMMETRIC_KEY: { GET: "ALLOW_OWNER", LOCATE: "ALLOW_OWNER" } },
    },
  },
  ungrouped: { preset: all("LOCATE", "GET") },
  nobody: { preset: { SYMMETRIC_KEY: { GET: "DISALLOW_ALL", LOCATE: "ALLOW_OWNER" } } },
  encrypting: { preset: all("ENCRYPT") },
  ...Object.fromEntries(NAMES.map((name) => [`only ${name}`, { preset: all(name) }])),
};

const principals: Principal[] = [
  principalOf("fred", "password1", { groups: ["operators"] }),
  principalOf("otto", "password2"),
  { name: "gina", kind: "certificate", groups: ["auditors"] },
  { name: "dave", kind: "certificate", groups: ["operators", "auditors"] },
  { name: "kate", kind: "certificate", groups: ["keepers"] },
  { name: "lone", kind: "certificate", groups: ["strangers"] },
  // Has the groups of a certificate, not of the principal of that name.
  { name: "otto", kind: "certificate", groups: ["operators"] },
];

let test: TestHsm;
let h: Hierarchy;
const clients = new Map<string, KmipClient>();

beforeAll(async () => {
  test = await testHsm({ principals, policies: POLICIES });
  h = await testHierarchy(test);
}, 60_000);
afterAll(() => test.close());

/** A client with that certificate. */
async function as(name: string, version = V2_1): Promise<KmipClient> {
  const key = `${name} ${version.major}.${version.minor}`;
  const client = clients.get(key) ?? test.as(await issueClient(test.pki.dir, name), version);
  clients.set(key, client);
  return client;
}
const password = (username: string, given: string): { header: Partial<RequestHeader> } => ({
  header: {
    authentication: {
      credential: [{ credentialType: "UsernameAndPassword", credentialValue: { username, password: given } }],
    },
  },
});
const FRED = password("fred", "password1");
const OTTO = password("otto", "password2");

const USES = [
  "Encrypt",
  "Decrypt",
  "MACGenerate",
  "MACVerify",
  "Sign",
  "Verify",
  "DeriveKey",
  "WrapKey",
] as const;

/** A symmetric key of alice's. Only 1.x has the attribute. */
async function key(operationPolicyName?: string, more: Attributes = {}, owner = "alice"): Promise<string> {
  const client = await as(owner, V1_4);
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      cryptographicUsageMask: [...USES],
      activationDate: PAST,
      ...(operationPolicyName === undefined ? {} : { operationPolicyName }),
      ...more,
    },
  });
  return uniqueIdentifier;
}
const get = async (who: string, uniqueIdentifier: string, version = V2_1) =>
  reason((await as(who, version)).request("Get", { uniqueIdentifier }));
const located = async (client: KmipClient, attributes: Attributes = {}) =>
  (await client.request("Locate", { attributes })).uniqueIdentifier;
const encrypts = (client: KmipClient, uniqueIdentifier: string, header = {}) =>
  reason(
    client.request(
      "Encrypt",
      { uniqueIdentifier, data, cryptographicParameters: { blockCipherMode: "ECB" } },
      header,
    ),
  );

/** What a request for each operation on an object looks like; Locate names none. */
const REQUESTS: Readonly<Record<Exclude<Name, "LOCATE">, (uniqueIdentifier: string) => object>> = {
  ACTIVATE: (uniqueIdentifier) => ({ uniqueIdentifier }),
  ADD_ATTRIBUTE: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { contactInformation: "a" } }),
  ADJUST_ATTRIBUTE: (uniqueIdentifier) => ({
    uniqueIdentifier,
    attributeReference: "leaseTime",
    adjustmentType: "Increment",
  }),
  ARCHIVE: (uniqueIdentifier) => ({ uniqueIdentifier }),
  CERTIFY: (uniqueIdentifier) => ({ uniqueIdentifier }),
  CHECK: (uniqueIdentifier) => ({ uniqueIdentifier }),
  CREATE_SPLIT_KEY: (uniqueIdentifier) => ({
    objectType: "SplitKey",
    uniqueIdentifier,
    splitKeyParts: 2,
    splitKeyThreshold: 2,
    splitKeyMethod: "XOR",
  }),
  DECRYPT: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data,
    cryptographicParameters: { blockCipherMode: "ECB" },
  }),
  DELETE_ATTRIBUTE: (uniqueIdentifier) => ({ uniqueIdentifier, attributeReference: "contactInformation" }),
  DERIVE_KEY: (uniqueIdentifier) => ({
    objectType: "SecretData",
    uniqueIdentifier: [uniqueIdentifier],
    derivationMethod: "HKDF",
    derivationParameters: { salt: data },
    attributes: { cryptographicLength: 256 },
  }),
  DESTROY: (uniqueIdentifier) => ({ uniqueIdentifier }),
  ENCRYPT: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data,
    cryptographicParameters: { blockCipherMode: "ECB" },
  }),
  EXPORT: (uniqueIdentifier) => ({ uniqueIdentifier }),
  GET: (uniqueIdentifier) => ({ uniqueIdentifier }),
  GET_ATTRIBUTES: (uniqueIdentifier) => ({ uniqueIdentifier, attributeReference: [] }),
  GET_ATTRIBUTE_LIST: (uniqueIdentifier) => ({ uniqueIdentifier }),
  GET_USAGE_ALLOCATION: (uniqueIdentifier) => ({ uniqueIdentifier, usageLimitsCount: 1n }),
  JOIN_SPLIT_KEY: (uniqueIdentifier) => ({
    objectType: "SecretData",
    uniqueIdentifier: [uniqueIdentifier],
  }),
  MAC: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data,
    cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" },
  }),
  MAC_VERIFY: (uniqueIdentifier) => ({
    uniqueIdentifier,
    data,
    macData: data,
    cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" },
  }),
  MODIFY_ATTRIBUTE: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { leaseTime: 7 } }),
  OBTAIN_LEASE: (uniqueIdentifier) => ({ uniqueIdentifier }),
  RECERTIFY: (uniqueIdentifier) => ({ uniqueIdentifier }),
  RECOVER: (uniqueIdentifier) => ({ uniqueIdentifier }),
  REKEY: (uniqueIdentifier) => ({ uniqueIdentifier }),
  REKEY_KEY_PAIR: (uniqueIdentifier) => ({ privateKeyUniqueIdentifier: uniqueIdentifier }),
  REVOKE: (uniqueIdentifier) => ({
    uniqueIdentifier,
    revocationReason: { revocationReasonCode: "CessationOfOperation" },
  }),
  SET_ATTRIBUTE: (uniqueIdentifier) => ({ uniqueIdentifier, newAttribute: { leaseTime: 8 } }),
  SIGN: (uniqueIdentifier) => ({ uniqueIdentifier, data }),
  SIGNATURE_VERIFY: (uniqueIdentifier) => ({ uniqueIdentifier, data, signatureData: data }),
  VALIDATE: (uniqueIdentifier) => ({ uniqueIdentifier: [uniqueIdentifier] }),
};
const requests = Object.entries(REQUESTS) as [Exclude<Name, "LOCATE">, (uid: string) => object][];
const attempt = (client: KmipClient, name: Name, uid: string) =>
  reason(client.request(ON_OBJECTS[name] as OperationName, REQUESTS[name]!(uid) as never));

describe.each(VERSIONS)("the default policy, in %o", (version) => {
  it("lets everybody read public keys and certificates, and nobody else change them", async () => {
    const alice = await as("alice", version);
    const pair = await alice.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const uniqueIdentifier = pair.publicKeyUniqueIdentifier;
    const certificate = await alice.request("Certify", {
      uniqueIdentifier,
      attributes:
        version.major === 1
          ? { name: named(`certificate ${version.minor}`) }
          : { certificateSubjectCN: ["alice"] },
    });
    const carol = await as("carol", version);
    for (const uid of [uniqueIdentifier, certificate.uniqueIdentifier]) {
      for (const options of [{}, OTTO, FRED]) {
        const may = (operation: OperationName, more = {}) =>
          reason(carol.request(operation, { uniqueIdentifier: uid, ...more } as never, options));
        expect(await may("Get")).toBe("Success");
        expect(await may("Check")).toBe("Success");
        expect(await may("GetAttributes", { attributeReference: ["objectType"] })).toBe("Success");
        expect(await may("GetAttributeList")).toBe("Success");
        expect(await may("ObtainLease")).toBe("Success");
        expect(await may("Activate")).toBe(NO);
        expect(await may("Destroy")).toBe(NO);
        expect(await may("Archive")).toBe(NO);
        expect(await may("AddAttribute", { newAttribute: { contactInformation: "x" } })).toBe(NO);
      }
      expect(await located(carol)).toContain(uid);
    }
    expect(await get("carol", pair.privateKeyUniqueIdentifier, version)).toBe(NONE);
    expect(await located(carol)).not.toContain(pair.privateKeyUniqueIdentifier);
  });

  it("keeps everything secret for its owner, who may do all of it", async () => {
    const alice = await as("alice", version);
    const { uniqueIdentifier } = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], activationDate: PAST },
    });
    for (const client of [await as("carol", version), await as("gina", version)]) {
      expect(await reason(client.request("Get", { uniqueIdentifier }))).toBe(NONE);
      expect(await reason(client.request("Get", { uniqueIdentifier }, FRED))).toBe(NONE);
      expect(await encrypts(client, uniqueIdentifier)).toBe(NONE);
      expect(await reason(client.request("Destroy", { uniqueIdentifier }))).toBe(NONE);
      expect(await located(client)).not.toContain(uniqueIdentifier);
    }
    expect(await located(alice)).toContain(uniqueIdentifier);
    expect(await encrypts(alice, uniqueIdentifier)).toBe("Success");
    expect(await reason(alice.request("Get", { uniqueIdentifier }))).toBe("Success");
  });
});

describe("the default policy", () => {
  it("is that of what 2.x makes, and of what names it", async () => {
    const alice = await as("alice");
    const made = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
    });
    const uids = [made.uniqueIdentifier, await key("default")];
    for (const uid of uids) {
      expect(await get("alice", uid)).toBe("Success");
      expect(await get("carol", uid)).toBe(NONE);
    }
  });

  it("refuses a stranger every operation on a key as if it were not there, and groups change nothing", async () => {
    const uid = await key();
    for (const who of ["carol", "gina", "dave", "lone"]) {
      const client = await as(who);
      const reasons = await Promise.all(
        requests.map(async ([name]) => [name, await attempt(client, name, uid)] as const),
      );
      expect(reasons.filter(([, code]) => code !== NONE)).toEqual([]);
    }
  });

  it("gives the owner every operation, also one who is in groups", async () => {
    const client = await as("lone");
    for (const [name] of requests) {
      const uid = await key(undefined, {}, "lone");
      expect([name, await attempt(client, name, uid)]).not.toEqual([name, NO]);
      expect([name, await attempt(client, name, uid)]).not.toEqual([name, NONE]);
    }
  });
});

describe("the public policy", () => {
  const register = async (name: string, attributes: Attributes, held: Attributes = AES) =>
    (await as("alice", V1_2)).request("Register", {
      objectType: "Template",
      attributes: { name: named(name), ...attributes },
      object: { template: { attributes: held } },
    });
  const createBy = async (who: string, template: string) =>
    (await as(who, V1_2)).request("Create", {
      objectType: "SymmetricKey",
      attributes: { templateNames: named(template), cryptographicUsageMask: ["Encrypt"] },
    });

  it("makes a template readable to all, and changeable to none", async () => {
    const { uniqueIdentifier } = await register("for all", { operationPolicyName: "public" });
    for (const who of ["alice", "carol", "gina"]) {
      expect(await get(who, uniqueIdentifier, V1_2)).toBe("Success");
      expect(await located(await as(who, V1_2))).toContain(uniqueIdentifier);
      const client = await as(who, V1_2);
      expect(await reason(client.request("Destroy", { uniqueIdentifier }))).toBe(NO);
      const newAttribute = { contactInformation: "x" };
      expect(await reason(client.request("AddAttribute", { uniqueIdentifier, newAttribute }))).toBe(NO);
    }
    expect(await reason(createBy("carol", "for all"))).toBe("Success");
  });

  it("is what a template of alice's own needs to be used by others", async () => {
    const { uniqueIdentifier } = await register("hers", {});
    expect(await get("carol", uniqueIdentifier, V1_2)).toBe(NONE);
    expect(await reason(createBy("carol", "hers"))).toBe(NONE);
    expect(await reason(createBy("alice", "hers"))).toBe("Success");
  });

  it("does not let a template of others pass for one's own, or for another's", async () => {
    const open = { ...AES, operationPolicyName: "open" };
    await register("mine", { operationPolicyName: "public" }, open);
    const carol = await as("carol", V1_2);
    await carol.request("Register", {
      objectType: "Template",
      attributes: { name: named("mine") },
      object: { template: { attributes: AES } },
    });
    const { uniqueIdentifier } = await createBy("carol", "mine");
    expect(await get("alice", uniqueIdentifier)).toBe(NONE);
    const dave = await as("dave", V1_2);
    await dave.request("Register", {
      objectType: "Template",
      attributes: { name: named("mine"), operationPolicyName: "public" },
      object: { template: { attributes: AES } },
    });
    expect(await reason(createBy("kate", "mine"))).toBe("InvalidField");
  });

  it("leaves what is no template to nobody", async () => {
    const uid = await key("public");
    expect(await get("alice", uid)).toBe(NO);
    expect(await get("carol", uid)).toBe(NONE);
  });
});

describe("a policy of the configuration", () => {
  it.each(["nowhere", "", "DEFAULT", "constructor", "default "])(
    "that is not there (%j) is refused",
    async (name) => {
      expect(await reason(key(name))).toBe("InvalidField");
      const uid = await key();
      const alice = await as("alice", V1_4);
      const newAttribute = { operationPolicyName: name };
      expect(await reason(alice.request("AddAttribute", { uniqueIdentifier: uid, newAttribute }))).toBe(
        "InvalidField",
      );
    },
  );

  it.each(requests)("that names %s allows it and nothing else, to owner and stranger", async (name) => {
    const uid = await key(`only ${name}`);
    const carol = await as("carol");
    // These give the value away, and need Get beside them.
    const alone = !["EXPORT", "CREATE_SPLIT_KEY", "JOIN_SPLIT_KEY"].includes(name);
    for (const client of [await as("alice"), carol])
      for (const [other] of requests)
        if (other !== name) expect([other, await attempt(client, other, uid)]).toEqual([other, NO]);
    expect(await located(carol)).not.toContain(uid);
    const outcome = await attempt(carol, name, uid);
    if (alone) expect([NO, NONE]).not.toContain(outcome);
    else expect(outcome).toBe(NO);
  });

  it("that is gone from the configuration allows nobody anything", async () => {
    const uid = await key("open");
    const restarted = async (policies?: typeof POLICIES) => {
      await test.restart(policies ? { policies } : {});
      clients.clear();
    };
    await restarted({});
    try {
      for (const [who, expected] of [
        ["alice", NO],
        ["carol", NONE],
      ] as const) {
        expect(await get(who, uid)).toBe(expected);
        expect(await located(await as(who))).not.toContain(uid);
      }
    } finally {
      await restarted();
    }
    expect(await get("carol", uid)).toBe("Success");
  });

  it("that lets nobody destroy an object keeps it from being replaced by an import", async () => {
    const replace = async (uniqueIdentifier: string) =>
      reason(
        (await as("alice", V1_4)).request("Import", {
          uniqueIdentifier,
          objectType: "SymmetricKey",
          replaceExisting: true,
          attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
          object: {
            symmetricKey: {
              keyBlock: {
                keyFormatType: "Raw",
                keyValue: { keyMaterial: new Uint8Array(32) },
                cryptographicAlgorithm: "AES",
                cryptographicLength: 256,
              },
            },
          },
        }),
      );
    expect(await replace(await key("nobody"))).toBe("ObjectAlreadyExists");
    expect(await replace(await key("only DESTROY"))).toBe("Success");
    expect(await replace(await key())).toBe("Success");
  });

  it("holds in every version, whichever made the object", async () => {
    const uid = await key("ungrouped");
    for (const version of VERSIONS) {
      expect(await get("carol", uid, version)).toBe("Success");
      expect(await located(await as("carol", version))).toContain(uid);
      const destroy = (await as("carol", version)).request("Destroy", { uniqueIdentifier: uid });
      expect(await reason(destroy)).toBe(NO);
    }
    const { attributes } = await (await as("carol", V1_4)).request("GetAttributes", {
      uniqueIdentifier: await key("open"),
      attributeReference: ["operationPolicyName"],
    });
    expect(attributes).toEqual({ operationPolicyName: "open" });
  });
});

describe("groups", () => {
  it("decide, whatever preset says, and any of several suffices", async () => {
    const uid = await key("team");
    const may = async (who: string, header = {}) => {
      const client = await as(who);
      const attributes = { uniqueIdentifier: uid, attributeReference: ["state" as const] };
      return [
        await reason(client.request("Get", { uniqueIdentifier: uid }, header)),
        await encrypts(client, uid, header),
        await reason(client.request("GetAttributes", attributes, header)),
      ];
    };
    expect(await may("carol")).toEqual(["Success", NO, "Success"]);
    expect(await may("gina")).toEqual([NO, NO, "Success"]);
    expect(await may("dave")).toEqual([NO, "Success", "Success"]);
    expect(await may("carol", FRED)).toEqual([NO, "Success", NO]);
    // The credential gives the identity: gina's groups are not fred's, nor otto's.
    expect(await may("gina", FRED)).toEqual([NO, "Success", NO]);
    expect(await may("gina", OTTO)).toEqual(["Success", NO, "Success"]);
    expect(await may("otto")).toEqual([NO, "Success", NO]);
    // A group that the policy does not name, and one to which it gives their own objects only.
    expect(await may("lone")).toEqual([NONE, NONE, NONE]);
    expect(await may("kate")).toEqual([NONE, NONE, NONE]);
  });

  it("judge owners too, who are whom ALLOW_OWNER means", async () => {
    expect(await get("kate", await key("team", {}, "kate"))).toBe("Success");
    expect(await get("lone", await key("team", {}, "lone"))).toBe(NO);
    expect(await get("gina", await key("team", {}, "gina"))).toBe(NO);
  });

  it("are not served by a policy without groups", async () => {
    const uid = await key("ungrouped");
    expect([await get("carol", uid), await get("gina", uid)]).toEqual(["Success", NONE]);
    expect(await located(await as("gina"))).not.toContain(uid);
  });

  it("are nothing that a message can claim", async () => {
    const uid = await key("team");
    const carol = await as("carol", V1_4);
    const claim = { ...AES, cryptographicUsageMask: ["Encrypt" as const], objectGroup: ["operators"] };
    await carol.request("Create", { objectType: "SymmetricKey", attributes: claim });
    expect(await encrypts(carol, uid)).toBe(NO);
    expect(await encrypts(carol, uid, password("fred", "password2"))).toBe("AuthenticationNotSuccessful");
  });
});

describe("Locate", () => {
  it("finds what the client may locate, all of it and nothing else", async () => {
    const name = "to be found";
    const made: Record<string, string> = {};
    for (const one of [
      "default",
      "open",
      "team",
      "ungrouped",
      "nobody",
      "encrypting",
      "only LOCATE",
      "only GET",
    ])
      made[one] = await key(one, { objectGroup: [name], name: named(`${name} ${one}`) });
    const expected: Record<string, string[]> = {
      alice: ["default", "open", "team", "ungrouped", "nobody", "only LOCATE"],
      carol: ["open", "team", "ungrouped", "only LOCATE"],
      gina: ["team"],
      dave: ["team"],
      kate: [],
      lone: [],
    };
    for (const [who, policies] of Object.entries(expected)) {
      const wanted = policies.map((one) => made[one]!).reverse();
      for (const version of VERSIONS) {
        const client = await as(who, version);
        expect([who, await located(client, { objectGroup: [name] })]).toEqual([who, wanted]);
        const every = await located(client);
        expect(every.filter((uid) => Object.values(made).includes(uid))).toEqual(wanted);
        for (const one of Object.keys(made))
          expect(await located(client, { uniqueIdentifier: made[one]! })).toEqual(
            policies.includes(one) ? [made[one]] : [],
          );
      }
    }
    const carol = await as("carol", V1_4);
    expect(await located(carol, { objectGroup: [name], operationPolicyName: "team" })).toEqual([made.team]);
    const page = await carol.request("Locate", { attributes: { objectGroup: [name] }, maximumItems: 1 });
    expect(page.uniqueIdentifier).toEqual([made["only LOCATE"]]);
  });

  it("follows a change of policy at once", async () => {
    const uid = await key("default");
    const [alice, carol] = [await as("alice", V1_4), await as("carol")];
    expect(await located(carol)).not.toContain(uid);
    const change = (operationPolicyName: string) =>
      alice.request("ModifyAttribute", { uniqueIdentifier: uid, newAttribute: { operationPolicyName } });
    await change("open");
    expect([await located(carol), await get("carol", uid)]).toEqual([
      expect.arrayContaining([uid]),
      "Success",
    ]);
    await change("default");
    expect(await get("carol", uid)).toBe(NONE);
    expect(await located(carol)).not.toContain(uid);
  });
});

describe("what is shared", () => {
  it("stays wrapped where it is sensitive, and stays where it cannot be extracted", async () => {
    const carol = await as("carol");
    const wrapping = await key(undefined, {}, "carol");
    const sensitive = await key("open", { sensitive: true });
    const plain = (uniqueIdentifier: string) => carol.request("Get", { uniqueIdentifier });
    const wrapped = (uniqueIdentifier: string) =>
      carol.request("Get", { uniqueIdentifier, keyWrappingSpecification: aesKw(wrapping) });
    expect(await reason(plain(sensitive))).toBe("Sensitive");
    expect(keyBytes(await wrapped(sensitive))).toHaveLength(40);
    expect(await reason(carol.request("Export", { uniqueIdentifier: sensitive }))).toBe("Sensitive");
    expect(await attempt(carol, "CREATE_SPLIT_KEY", sensitive)).toBe("Sensitive");
    const kept = await key("open", { extractable: false });
    expect(await reason(plain(kept))).toBe("NotExtractable");
    expect(await reason(wrapped(kept))).toBe("NotExtractable");
    const loosen = (newAttribute: Attributes) =>
      reason(carol.request("SetAttribute", { uniqueIdentifier: kept, newAttribute }));
    expect(await loosen({ extractable: true })).toBe(NO);
  });

  it("wraps for others what is theirs, and unwraps nothing for them", async () => {
    const carol = await as("carol");
    const [shared, own] = [
      await key("open", { cryptographicUsageMask: ["WrapKey", "UnwrapKey"] }),
      await key(undefined, {}, "carol"),
    ];
    const answer = await carol.request("Get", {
      uniqueIdentifier: own,
      keyWrappingSpecification: aesKw(shared),
    });
    const back = carol.request("Import", {
      uniqueIdentifier: crypto.randomUUID(),
      objectType: "SymmetricKey",
      keyWrapType: "NotWrapped",
      attributes: AES,
      object: answer.object,
    });
    expect(await reason(back)).toBe(NO);
    const unseen = await key("encrypting");
    const by = carol.request("Get", { uniqueIdentifier: own, keyWrappingSpecification: aesKw(unseen) });
    expect(await reason(by)).toBe(NO);
  });

  it("has its uses counted by those alone who may take from them", async () => {
    const alice = await as("alice", V1_4);
    const pair = await alice.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
      privateKeyAttributes: { cryptographicUsageMask: ["UnwrapKey"] },
      publicKeyAttributes: {
        cryptographicUsageMask: ["WrapKey"],
        activationDate: PAST,
        usageLimits: { usageLimitsTotal: 2n, usageLimitsCount: 2n, usageLimitsUnit: "Object" },
      },
    });
    const specification = oaep(pair.publicKeyUniqueIdentifier);
    const wrap = async (who: string) =>
      reason(
        (await as(who)).request("Get", {
          uniqueIdentifier: await key(undefined, {}, who),
          keyWrappingSpecification: specification,
        }),
      );
    expect([await wrap("carol"), await wrap("alice"), await wrap("alice")]).toEqual([
      NO,
      "Success",
      "Success",
    ]);
    expect(await wrap("alice")).toBe("PermissionDenied");
  });

  it("gives what is derived or split from it to the client that does so", async () => {
    const uid = await key("open", { sensitive: true });
    const carol = await as("carol");
    const derived = await carol.request("DeriveKey", REQUESTS.DERIVE_KEY!(uid) as never);
    expect(await get("alice", derived.uniqueIdentifier)).toBe(NONE);
    expect(await get("carol", derived.uniqueIdentifier)).toBe("Sensitive");
    const split = await carol.request(
      "CreateSplitKey",
      REQUESTS.CREATE_SPLIT_KEY!(await key("open")) as never,
    );
    expect(await get("carol", split.uniqueIdentifier[0]!)).toBe("Success");
    expect(await get("alice", split.uniqueIdentifier[0]!)).toBe(NONE);
  });

  it("is not read by a client that may only derive from it", async () => {
    const carol = await as("carol");
    const own = await key(undefined, {}, "carol");
    const derive = (uid: string) =>
      carol.request("DeriveKey", {
        objectType: "SecretData",
        uniqueIdentifier: [own, uid],
        derivationMethod: "ENCRYPT",
        derivationParameters: { cryptographicParameters: { blockCipherMode: "ECB" } },
        attributes: { cryptographicLength: 256 },
      });
    expect(await reason(derive(await key("only DERIVE_KEY")))).toBe(NO);
    expect(await reason(derive(await key("open")))).toBe("Success");
  });

  it("is opened, closed or bound by its owner alone", async () => {
    const uid = await key("open");
    const [carol, alice] = [await as("carol", V1_4), await as("alice", V1_4)];
    const change = (
      operation: "AddAttribute" | "ModifyAttribute",
      client: KmipClient,
      newAttribute: Attributes,
    ) => reason(client.request(operation, { uniqueIdentifier: uid, newAttribute }));
    expect(await change("AddAttribute", carol, { contactInformation: "carol" })).toBe("Success");
    for (const name of ["default", "open", "nobody"])
      expect(await change("ModifyAttribute", carol, { operationPolicyName: name })).toBe(NO);
    const remove = { uniqueIdentifier: uid, attributeReference: "operationPolicyName" as const };
    expect(await reason(carol.request("DeleteAttribute", remove))).toBe(NO);
    const bound = { vendorAttributes: [policy("Attestation", "EAT")] };
    expect(await change("AddAttribute", carol, bound)).toBe(NO);
    expect(await change("AddAttribute", carol, { vendorAttributes: [policy("Users", "*")] })).toBe(NO);
    expect(await change("AddAttribute", alice, { vendorAttributes: [policy("Users", "*")] })).toBe(NO);
    expect(await reason(alice.request("DeleteAttribute", remove))).toBe("Success");
    expect(await get("carol", uid)).toBe(NONE);
  });

  it("is replaced by what its owner owns, as it was", async () => {
    const uid = await key("open", { name: named("to replace") });
    const carol = await as("carol", V1_4);
    for (const attributes of [{ operationPolicyName: "open" }, { sensitive: false }, { name: named("x") }])
      expect(await reason(carol.request("ReKey", { uniqueIdentifier: uid, attributes }))).toBe(NO);
    const { uniqueIdentifier } = await carol.request("ReKey", { uniqueIdentifier: uid });
    const alice = await as("alice", V1_4);
    expect(await reason(alice.request("Revoke", REQUESTS.REVOKE!(uniqueIdentifier) as never))).toBe(
      "Success",
    );
    expect(await located(alice, { name: named("to replace") })).toEqual([uniqueIdentifier]);
    const close = { uniqueIdentifier, newAttribute: { operationPolicyName: "default" } };
    expect(await reason(alice.request("ModifyAttribute", close))).toBe("Success");
    expect(await get("carol", uniqueIdentifier)).toBe(NONE);
    const only = await key("only REKEY");
    const next = await (await as("carol")).request("ReKey", { uniqueIdentifier: only });
    expect(await get("carol", next.uniqueIdentifier)).toBe(NO);
  });

  it("is replaced so as a pair and as a certificate", async () => {
    const alice = await as("alice", V1_4);
    const common = { cryptographicAlgorithm: "EC", cryptographicLength: 256 } as const;
    const pair = await alice.request("CreateKeyPair", {
      commonAttributes: { ...common, operationPolicyName: "open" },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const carol = await as("carol", V1_4);
    const next = await carol.request("ReKeyKeyPair", {
      privateKeyUniqueIdentifier: pair.privateKeyUniqueIdentifier,
    });
    const change = async (client: KmipClient, uniqueIdentifier: string) =>
      reason(
        client.request("ModifyAttribute", {
          uniqueIdentifier,
          newAttribute: { operationPolicyName: "default" },
        }),
      );
    expect(await change(carol, next.privateKeyUniqueIdentifier)).toBe(NO);
    const certificate = await alice.request("Certify", {
      uniqueIdentifier: next.publicKeyUniqueIdentifier,
      attributes: { operationPolicyName: "open" },
    });
    const again = await carol.request("ReCertify", { uniqueIdentifier: certificate.uniqueIdentifier });
    expect(await change(carol, again.uniqueIdentifier)).toBe(NO);
    expect(await change(alice, again.uniqueIdentifier)).toBe("Success");
    expect(await change(alice, next.privateKeyUniqueIdentifier)).toBe("Success");
    expect(await get("carol", next.privateKeyUniqueIdentifier)).toBe(NONE);
  });

  it("keeps parts of a key that are sensitive from being joined in plain", async () => {
    const alice = await as("alice", V1_4);
    const { uniqueIdentifier: parts } = await alice.request("CreateSplitKey", {
      objectType: "SplitKey",
      splitKeyParts: 2,
      splitKeyThreshold: 2,
      splitKeyMethod: "XOR",
      attributes: { operationPolicyName: "open", sensitive: true, cryptographicLength: 256 },
    });
    const join = (client: KmipClient) =>
      client.request("JoinSplitKey", { objectType: "SecretData", uniqueIdentifier: parts });
    expect(await reason(join(await as("carol")))).toBe("Sensitive");
    const { uniqueIdentifier } = await join(await as("alice"));
    expect(await get("alice", uniqueIdentifier)).toBe("Sensitive");
  });

  it("needs attestation where its owner says so", async () => {
    const uid = await key("open", { vendorAttributes: [policy("Attestation", "EAT")] });
    expect(await encrypts(await as("carol"), uid)).toBe(NO);
    expect(await get("carol", uid)).toBe(NO);
  });

  it("is what a ticket's bearer may use like the one who gave it, and no more than that", async () => {
    const uid = await key("team");
    const carol = await as("carol");
    const right = {
      operations: { operation: ["Encrypt" as const, "Get" as const] },
      objects: { uniqueIdentifier: [uid] },
    };
    const { ticket } = await carol.request("DelegatedLogin", { rights: { right: [right] } }, FRED);
    const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
    const header = { header: { authentication: { credential } } };
    const gina = await as("gina");
    expect(await encrypts(gina, uid, header)).toBe("Success");
    expect(await reason(gina.request("Get", { uniqueIdentifier: uid }, header))).toBe(NO);
    expect(await encrypts(gina, await key("team"), header)).toBe("NotAuthorised");
    const again = gina.request("GetAttributes", { uniqueIdentifier: uid, attributeReference: [] }, header);
    expect(await reason(again)).toBe("NotAuthorised");
  });
});

describe("a deployment", () => {
  it("has a hierarchy that no policy opens to anybody", async () => {
    const open = { operationPolicyName: "open" };
    const officer = test.as(IDENTITY.officer, V1_4);
    const { uniqueIdentifier: master } = await officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        ...open,
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
        activationDate: PAST,
        vendorAttributes: [policy("Class", "master")],
      },
    });
    const other = await createMaster(officer, "closed");
    const newAttribute = open;
    expect(await reason(officer.request("AddAttribute", { uniqueIdentifier: other, newAttribute }))).toBe(NO);
    const { uniqueIdentifier: plain } = await officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, ...open, cryptographicUsageMask: ["Encrypt"], activationDate: PAST },
    });
    for (const who of ["alice", "carol", "gina"])
      for (const uid of [master, other, plain, h.master, h.account, h.data]) {
        const client = await as(who);
        for (const [name] of requests) expect([name, await attempt(client, name, uid)]).toEqual([name, NONE]);
        expect(await located(client)).not.toContain(uid);
      }
    for (const domain of [IDENTITY.kms, IDENTITY.ra, IDENTITY.iam, IDENTITY.audit] as const)
      expect(await reason(test.as(domain).request("Get", { uniqueIdentifier: plain }))).toBe(NONE);
    expect(await reason(officer.request("Get", { uniqueIdentifier: plain }))).toBe(NO);
  });

  it("has domains and an officer to whom no policy gives what users share", async () => {
    const uid = await key("open");
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const shown = await (await as("alice", V1_4)).request("Register", {
      objectType: "PublicKey",
      attributes: { cryptographicUsageMask: ["Verify"], operationPolicyName: "open" },
      object: {
        publicKey: {
          keyBlock: {
            keyFormatType: "X_509",
            keyValue: { keyMaterial: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) },
            cryptographicAlgorithm: "RSA",
            cryptographicLength: 2048,
          },
        },
      },
    });
    for (const domain of [IDENTITY.officer, IDENTITY.kms, IDENTITY.ra, IDENTITY.iam, IDENTITY.audit] as const)
      for (const object of [uid, shown.uniqueIdentifier]) {
        const client = test.as(domain);
        expect(await reason(client.request("Get", { uniqueIdentifier: object }))).toBe(NONE);
        const attributes = { uniqueIdentifier: object, attributeReference: [] };
        expect(await reason(client.request("GetAttributes", attributes))).toBe(NONE);
        expect(await located(client)).not.toContain(object);
      }
    // The domains name no policy at all.
    const create = test.as(IDENTITY.iam, V1_4).request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, operationPolicyName: "default", vendorAttributes: [policy("Parent", h.master)] },
    });
    expect(await reason(create)).toBe(NO);
  });

  it("has recipients' keys and certificates of which others learn nothing", async () => {
    const seen = await located(await as("carol"));
    for (const uid of [h.recipient, h.recipientCertificate]) {
      expect(await located(test.as(IDENTITY.ra))).toContain(uid);
      expect(seen).not.toContain(uid);
      expect(await get("carol", uid)).toBe(NONE);
    }
  });

  it("has officers who share with a principal by name, and with nobody of a like name", async () => {
    const officer = test.as(IDENTITY.officer);
    const share = async (users: string) => {
      const { uniqueIdentifier } = await officer.request("Register", {
        objectType: "OpaqueObject",
        attributes: { vendorAttributes: [policy("Users", users)] },
        object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: data } },
      });
      return uniqueIdentifier;
    };
    const reads = async (who: string, uniqueIdentifier: string, header = {}) =>
      reason((await as(who)).request("Get", { uniqueIdentifier }, header));
    const fred = await share("·fred, carol");
    expect(await reads("gina", fred, FRED)).toBe("Success");
    expect(await reads("carol", fred)).toBe("Success");
    expect([await reads("fred", fred), await reads("gina", fred, OTTO)]).toEqual([NONE, NONE]);
    const names = await share("fred");
    expect([await reads("fred", names), await reads("gina", names, FRED)]).toEqual(["Success", NONE]);
    expect((await (await as("gina")).request("Locate", { attributes: {} }, FRED)).uniqueIdentifier).toContain(
      fred,
    );
    expect(await located(await as("gina"))).not.toContain(fred);
    for (const users of ["·", "· fred", "·fred,", "·a\u0000b", "··\n", "müller", "*,·fred"])
      expect([users, await reason(share(users))]).toEqual([users, NO]);
    expect(await reason(share("·Frédérique Müller"))).toBe("Success");
  });
});

it("operations are ruled under their own names", () => {
  for (const [name, operation] of Object.entries(ON_OBJECTS))
    expect(operation.toUpperCase()).toBe(name.replaceAll("_", ""));
});
