import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  createAccount,
  createData,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  PAST,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { denied, refused } from "../testing/refusal.ts";

/** Rotation of a master key (W12): who may make a successor, and what may be wrapped under it. */

let test: TestHsm;
let h: Hierarchy;
let user: KmipClient;

/** A master key, an account key below it, and how it was wrapped; new ones for each test. */
let old: string;
let account: string;
let enc: Bytes;
let count = 0;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  user = test.as(await issueClient(test.pki.dir, "user"));
}, 30_000);
afterAll(() => test.close());

beforeEach(async () => {
  old = await createMaster(h.officer, `master ${count++}`);
  enc = await createAccount(h.kms, old);
  account = await importAccount(h.kms, old, enc);
});

const replacing = (uid: string): Attributes["link"] => [
  { linkType: "ReplacedObjectLink", linkedObjectIdentifier: uid },
];

interface Order {
  tenant?: string | null;
  level?: Level;
  link?: Attributes["link"];
}

async function succeed({ tenant = TENANT, level, link = replacing(old) }: Order = {}): Promise<string> {
  const { uniqueIdentifier } = await h.officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      activationDate: PAST,
      ...(link ? { link } : {}),
      vendorAttributes: [
        policy(POLICY.class, "master"),
        ...(tenant === null ? [] : [policy(POLICY.tenant, tenant)]),
        ...(level ? [policy(POLICY.level, level)] : []),
      ],
    },
  });
  return uniqueIdentifier;
}

const under = (uid: string, by: string, client = h.kms) =>
  client.request("Get", { uniqueIdentifier: uid, keyWrappingSpecification: aesKw(by) });

async function retire(uniqueIdentifier: string): Promise<void> {
  await h.officer.request("Revoke", {
    uniqueIdentifier,
    revocationReason: { revocationReasonCode: "Superseded" },
  });
}

describe("the successor of a master key", () => {
  it("W12 gets the account keys of the old one, which unwrap to the same", async () => {
    const successor = await succeed();
    const data = await createData(h.kms, account);
    const wrappedData = keyBytes(await under(data, account));
    const rewrapped = keyBytes(await under(account, successor));
    expect(rewrapped).not.toEqual(enc);
    const moved = await importAccount(h.kms, successor, rewrapped);
    // What was below the account key is below it still.
    const uid = crypto.randomUUID();
    await h.kms.request("Import", wrappedImport(uid, moved, wrappedData));
    expect(keyBytes(await under(uid, moved))).toEqual(wrappedData);
    // And from its new place it goes nowhere else.
    expect(keyBytes(await under(moved, successor))).toEqual(rewrapped);
    await denied(under(moved, old));
  });

  it("W12 is linked with it in both directions, for good", async () => {
    const successor = await succeed();
    const linksOf = async (uniqueIdentifier: string) => {
      const attributeReference = ["link" as const];
      const { attributes } = await h.kms.request("GetAttributes", { uniqueIdentifier, attributeReference });
      return attributes.link;
    };
    expect(await linksOf(successor)).toEqual(replacing(old));
    expect(await linksOf(old)).toEqual([
      { linkType: "ReplacementObjectLink", linkedObjectIdentifier: successor },
    ]);
    const other = await createMaster(h.officer, `other ${count}`);
    for (const client of [h.officer, h.kms, h.iam, user])
      for (const uid of [successor, other]) {
        const newAttribute = { link: replacing(h.master) };
        const request = { uniqueIdentifier: uid, newAttribute };
        await refused(client.request("AddAttribute", request)).toMatch(/^(PermissionDenied|ObjectNotFound)$/);
        await refused(client.request("SetAttribute", request)).toMatch(/^(PermissionDenied|ObjectNotFound)$/);
      }
    await denied(
      h.officer.request("DeleteAttribute", { uniqueIdentifier: successor, attributeReference: "link" }),
    );
  });

  it("W12 lets the old one unwrap until the officer retires it", async () => {
    const successor = await succeed();
    const again = await importAccount(h.kms, old, enc);
    const rewrapped = keyBytes(await under(again, successor));
    await retire(old);
    await refused(importAccount(h.kms, old, enc)).toBe("WrongKeyLifecycleState");
    await h.officer.request("Destroy", { uniqueIdentifier: old });
    await refused(importAccount(h.kms, old, enc)).toBe("ObjectDestroyed");
    await importAccount(h.kms, successor, rewrapped);
  });

  it("W12 is made by the officer alone", async () => {
    const { uniqueIdentifier: child } = await h.kms.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
        activationDate: PAST,
        link: replacing(old),
        vendorAttributes: [policy(POLICY.parent, h.master)],
      },
    });
    await denied(under(account, child));
    for (const client of [h.kms, h.iam, h.ra, h.audit, user])
      await denied(
        client.request("Create", {
          objectType: "SymmetricKey",
          attributes: { ...AES, link: replacing(old), vendorAttributes: [policy(POLICY.class, "master")] },
        }),
      );
    // Of an ordinary client a link says nothing.
    const { uniqueIdentifier } = await h.officer.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        cryptographicUsageMask: ["WrapKey"],
        activationDate: PAST,
        link: replacing(old),
        vendorAttributes: [policy(POLICY.users, "*")],
      },
    });
    await denied(under(account, uniqueIdentifier));
  });

  it("W12 is of the same tenant and level, and replaces a master key at work", async () => {
    await denied(succeed({ tenant: "Another tenant" }));
    await denied(succeed({ tenant: null }));
    await denied(succeed({ level: "account" }));
    await denied(succeed({ level: "master" }));
    await denied(succeed({ link: replacing(account) }));
    await denied(succeed({ link: replacing(h.recipient) }));
    await denied(succeed({ link: replacing(crypto.randomUUID()) }));
    const [link] = replacing(old)!;
    await denied(succeed({ link: [link!, ...replacing(h.master)!] }));
    await denied(succeed({ link: [{ ...link!, linkType: "ReplacementObjectLink" }] }));
    await retire(old);
    await denied(succeed());
  });

  it("W12 is the only one", async () => {
    const first = await succeed();
    await denied(succeed());
    // One that was given up makes room.
    await retire(first);
    await h.officer.request("Destroy", { uniqueIdentifier: first });
    await under(account, await succeed());
  });

  it("W12 has a successor of its own, which gets nothing of the first", async () => {
    const second = await succeed();
    const third = await succeed({ link: replacing(second) });
    await denied(under(account, third));
    const moved = await importAccount(h.kms, second, keyBytes(await under(account, second)));
    await under(moved, third);
  });

  it("W12 gets account keys from the KMS alone, and no other master key gets them", async () => {
    const successor = await succeed();
    for (const client of [h.iam, h.officer, user])
      await refused(under(account, successor, client)).not.toBe("Success");
    await denied(under(account, h.master));
    await denied(under(h.account, successor));
    const data = await createData(h.kms, account);
    await denied(under(data, successor));
    await denied(under(old, successor));
  });
});
