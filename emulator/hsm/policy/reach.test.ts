import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import {
  encryptedDataKeyName,
  encryptedMasterKeyName,
  KEY_PAIR,
  named,
  POLICY,
  policy,
  USAGE,
  users,
} from "#protocol/hierarchy/index.ts";
import { type KmipClient, KmipError, type OperationName } from "#protocol/kmip/index.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { issueClient } from "../identity/pki.ts";
import { OPERATIONS } from "../operations/index.ts";
import { keyBlockOf } from "../store/material.ts";
import { ObjectStore } from "../store/store.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Hierarchy,
  keyBytes,
  PAST,
  registerCertificate,
  registerRecipient,
  rsaKeys,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { type Target, whatever } from "../testing/operations.ts";

/** W9: keys of the hierarchy answer to the KMS's identity alone, whatever operation is asked for. */

let test: TestHsm;
let h: Hierarchy;
let clients: Record<string, KmipClient>;
/** A key of each class, and a master key that the officer's `Users` would give to everybody. */
let targets: Record<
  | "master"
  | "masterPair"
  | "recovery"
  | "appSpecific"
  | "account"
  | "data"
  | "encrypted"
  | "encryptedMaster"
  | "open"
  | "pair",
  string
>;
/** Of each client that can make one, a key that wraps, unwraps and encrypts. */
const own: Record<string, string> = {};

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  const user = test.as(await issueClient(test.pki.dir, "user"));
  clients = { ra: h.ra, iam: h.iam, audit: h.audit, officer: h.officer, user };
  const wrapped = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: aesKw(h.account) }),
  );
  const { object } = wrappedImport("", h.account, wrapped);
  const encrypted = await h.kms.request("Import", {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "SymmetricKey",
    keyWrapType: "AsRegistered",
    attributes: { ...AES, name: named(encryptedDataKeyName("k", 1)) },
    object,
  });
  const encryptedMaster = crypto.randomUUID();
  await h.kms.request("Import", {
    ...wrappedImport(encryptedMaster, "recipient", crypto.getRandomValues(new Uint8Array(384)), AES),
    keyWrapType: "AsRegistered",
    attributes: { ...AES, name: named(encryptedMasterKeyName(h.master, "t".repeat(43))) },
  });
  const open = await h.officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...{ ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: new Date(0) },
      vendorAttributes: [policy(POLICY.class, "master"), policy(POLICY.users, "*")],
    },
  });
  const pair = await h.kms.request("CreateKeyPair", {
    commonAttributes: { ...KEY_PAIR, activationDate: new Date(0) },
    privateKeyAttributes: {
      cryptographicUsageMask: [...USAGE.account],
      vendorAttributes: [policy(POLICY.parent, h.master)],
    },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  const masterPair = await h.officer.request("CreateKeyPair", {
    commonAttributes: { ...KEY_PAIR, activationDate: PAST },
    privateKeyAttributes: {
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      vendorAttributes: [
        policy(POLICY.class, "master"),
        policy(POLICY.tenant, TENANT),
        policy(POLICY.level, "master"),
      ],
    },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  // As an instance at level master has it.
  const { der, spki } = await h.authority.issue({ policies: [LEVEL_POLICY.master] });
  const recipient = await registerRecipient(h.ra, await registerCertificate(h.ra, der), spki);
  const appSpecific = await h.kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...{ ...AES, cryptographicUsageMask: [...USAGE["app-specific"]], activationDate: PAST },
      vendorAttributes: [policy(POLICY.parent, recipient)],
    },
  });
  // As the officer brings it for a ceremony of the strict variant.
  const { privateKey } = await rsaKeys();
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  const recovery = await h.officer.request("Register", {
    objectType: "PrivateKey",
    attributes: {
      ...{ cryptographicUsageMask: ["UnwrapKey"], activationDate: PAST },
      vendorAttributes: [
        ...[policy(POLICY.class, "recovery"), policy(POLICY.tenant, TENANT)],
        policy(POLICY.restoredFor, await digest(spki)),
      ],
    },
    object: { privateKey: { keyBlock: { keyFormatType: "PKCS_8", keyValue: { keyMaterial: pkcs8 } } } },
  });
  targets = {
    ...{ masterPair: masterPair.privateKeyUniqueIdentifier, recovery: recovery.uniqueIdentifier },
    appSpecific: appSpecific.uniqueIdentifier,
    pair: pair.privateKeyUniqueIdentifier,
    ...{ master: h.master, account: h.account, data: h.data },
    ...{ encrypted: encrypted.uniqueIdentifier, encryptedMaster, open: open.uniqueIdentifier },
  };
  for (const name of ["officer", "user"]) {
    const made = await clients[name]!.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...{ ...AES, activationDate: new Date(0) },
        cryptographicUsageMask: ["WrapKey", "UnwrapKey", "Encrypt", "Decrypt", "DeriveKey"],
      },
    });
    own[name] = made.uniqueIdentifier;
  }
}, 30_000);
afterAll(() => test.close());

/** What is kept of an object: state, and the bytes of its key. */
function kept(uid: string): string {
  const store = new ObjectStore(test.dir, () => {
    throw new Error("no new key file");
  });
  try {
    const object = store.read(uid)!;
    const value = keyBlockOf(object).keyValue;
    const bytes = value instanceof Uint8Array ? value : (value?.keyMaterial as Uint8Array);
    return `${object.state} ${object.owner} ${encodeHex(bytes)}`;
  } finally {
    store.close();
  }
}

const hexed = (answer: unknown) =>
  JSON.stringify(answer, (_, value) => {
    if (value instanceof Uint8Array) return encodeHex(value);
    return typeof value === "bigint" ? String(value) : value;
  });

/** What the HSM answers; undefined for a refusal. */
async function answered(
  client: KmipClient,
  operation: OperationName,
  payload: object,
): Promise<string | undefined> {
  try {
    return hexed(await client.request(operation, payload as never));
  } catch (error) {
    if (error instanceof KmipError) return undefined;
    throw error;
  }
}

/** They may name whatever they like: nothing is looked up. */
const NAMING: readonly string[] = ["Register", "Log", "Notify", "Put"];

function reaches(operation: string, answer: string, uid: string, payload: object): boolean {
  if (operation === "Locate") return answer.includes(uid);
  return !NAMING.includes(operation) && hexed(payload).includes(uid);
}

/** What the officer makes. */
const OFFICERS: readonly string[] = ["master", "masterPair", "open", "recovery"];

describe("a key of the hierarchy", () => {
  it("W9 is reached by no identity but the KMS's, by no operation of the server", async () => {
    const before = Object.values(targets).map(kept);
    const secrets = before.map((one) => one.split(" ")[2]!);
    const found: string[] = [];
    for (const [name, client] of Object.entries(clients))
      for (const [kind, uid] of Object.entries(targets)) {
        // The officer makes and ends them; what of them it may not, `attacks.test.ts` and `recovery.test.ts` have.
        if (name === "officer" && OFFICERS.includes(kind)) continue;
        const target: Target = { uid, by: h.account, recipient: h.recipient, own: own[name] ?? uid };
        for (const [operation, payloads] of Object.entries(whatever(target)))
          for (const payload of payloads) {
            const answer = await answered(client, operation as OperationName, payload);
            if (answer === undefined) continue;
            const told = secrets.some((secret) => answer.includes(secret));
            if (told || reaches(operation, answer, uid, payload))
              found.push(`${name}: ${operation} of ${kind}: ${answer.slice(0, 200)}`);
          }
      }
    expect(found).toEqual([]);
    expect(Object.values(targets).map(kept)).toEqual(before);
    // And the KMS goes on with them.
    await h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: aesKw(h.account) });
    await h.kms.request("Get", { uniqueIdentifier: targets.encrypted });
  });

  it("W9 was asked for by every operation that the server has", () => {
    const target = { uid: "uid", by: "by", recipient: "recipient", own: "own" };
    const tried = Object.entries(whatever(target)).filter(([, payloads]) => payloads.length > 0);
    expect(tried.map(([operation]) => operation).sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  it("W9 is the KMS's also where the officer's Users name others", async () => {
    const { uniqueIdentifier } = await h.officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        cryptographicUsageMask: ["WrapKey"],
        vendorAttributes: [policy(POLICY.class, "master"), users("iam", "kms")],
      },
    });
    const read = (client: KmipClient) =>
      client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
    await expect(read(h.iam)).rejects.toThrow(KmipError);
    expect((await read(h.kms)).uniqueIdentifier).toBe(uniqueIdentifier);
  });
});
