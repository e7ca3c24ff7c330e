import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDENTITY, isPolicy, masterKeyName, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  createAuthority,
  createMaster,
  type Hierarchy,
  PAST,
  TENANT,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { allDenied, denied, reason, refused } from "../testing/refusal.ts";

let test: TestHsm;
let h: Hierarchy;
let user: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  user = test.as(await issueClient(test.pki.dir, "user"));
}, 30_000);
afterAll(() => test.close());

type Vendor = NonNullable<Attributes["vendorAttributes"]>[number];
const vendors = (...vendorAttributes: Vendor[]): Attributes => ({ vendorAttributes });
const other = (attributeName: string, attributeValue: string, vendorIdentification = "x"): Vendor => ({
  vendorIdentification,
  attributeName,
  attributeValue,
});

async function policiesOf(client: KmipClient, uniqueIdentifier: string): Promise<Record<string, unknown>> {
  const { attributes } = await client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
  const ours = (attributes.vendorAttributes ?? []).filter(isPolicy);
  return Object.fromEntries(ours.map((one) => [one.attributeName, one.attributeValue]));
}

const modify = (uniqueIdentifier: string, from: Vendor, to: Vendor) =>
  h.officer.request("ModifyAttribute", {
    uniqueIdentifier,
    currentAttribute: vendors(from),
    newAttribute: vendors(to),
  });

describe("policy attributes that were set once", () => {
  it("the officer does not take Class from a master key by modifying it into another attribute", async () => {
    const uid = await createMaster(h.officer, masterKeyName("a"));
    await allDenied({
      "Class to Users": modify(uid, policy("Class", "master"), policy("Users", "*")),
      "Class to another vendor's": modify(uid, policy("Class", "master"), other("note", "1", "Acme")),
      "Class to another class": modify(uid, policy("Class", "master"), policy("Class", "data")),
      "Tenant to Users": modify(uid, policy("Tenant", TENANT), policy("Users", "*")),
      "Tenant to another": modify(uid, policy("Tenant", TENANT), policy("Tenant", "other")),
    });
    expect(await policiesOf(h.officer, uid)).toEqual({ Class: "master", Tenant: TENANT });
  });

  it("nor by deleting, setting, adding or adjusting it, in 2.1, 2.0 and 1.4", async () => {
    const uniqueIdentifier = await createMaster(h.officer, masterKeyName("b"));
    for (const version of [
      { major: 2, minor: 1 },
      { major: 2, minor: 0 },
      { major: 1, minor: 4 },
    ]) {
      const officer = test.as(IDENTITY.officer, version);
      for (const attribute of [policy("Class", "master"), policy("Tenant", TENANT)]) {
        const changed = vendors({ ...attribute, attributeValue: "other" });
        await allDenied({
          "delete by name": officer.request("DeleteAttribute", {
            uniqueIdentifier,
            attributeReference: attribute,
          }),
          modify: officer.request("ModifyAttribute", { uniqueIdentifier, newAttribute: changed }),
        });
        if (version.major < 2) continue;
        await allDenied({
          "delete by value": officer.request("DeleteAttribute", {
            uniqueIdentifier,
            currentAttribute: vendors(attribute),
          }),
          set: officer.request("SetAttribute", { uniqueIdentifier, newAttribute: changed }),
        });
        await refused(
          officer.request("AdjustAttribute", {
            uniqueIdentifier,
            attributeReference: attribute,
            adjustmentType: "Negate",
          }),
        ).toBe("InvalidAttribute");
      }
    }
    expect(await policiesOf(h.officer, uniqueIdentifier)).toEqual({ Class: "master", Tenant: TENANT });
  });

  it("a batch that is undone leaves it as it was", async () => {
    const uniqueIdentifier = await createMaster(h.officer, masterKeyName("c"));
    const answers = await h.officer.batch(
      [
        {
          operation: "AddAttribute",
          payload: { uniqueIdentifier, newAttribute: vendors(policy("Users", IDENTITY.kms)) },
        },
        {
          operation: "ModifyAttribute",
          payload: {
            uniqueIdentifier,
            currentAttribute: vendors(policy("Class", "master")),
            newAttribute: vendors(policy("Users", "*")),
          },
        },
      ],
      { batchErrorContinuationOption: "Undo" },
    );
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(["OperationUndone", "OperationFailed"]);
    expect(await policiesOf(h.officer, uniqueIdentifier)).toEqual({ Class: "master", Tenant: TENANT });
  });

  it("Users of a master key change and do not vanish; a recipients' authority is only switched off", async () => {
    const master = await createMaster(h.officer, masterKeyName("d"));
    await h.officer.request("AddAttribute", {
      uniqueIdentifier: master,
      newAttribute: vendors(policy("Users", IDENTITY.kms)),
    });
    await modify(master, policy("Users", IDENTITY.kms), policy("Users", ""));
    await denied(
      h.officer.request("DeleteAttribute", {
        uniqueIdentifier: master,
        attributeReference: policy("Users", ""),
      }),
    );
    const { uid } = await createAuthority(h.officer, h.root);
    await denied(modify(uid, policy("RecipientCA", "true"), policy("Users", "*")));
    await modify(uid, policy("RecipientCA", "true"), policy("RecipientCA", "false"));
    await denied(modify(uid, policy("RecipientCA", "false"), policy("RecipientCA", "true")));
    expect(await policiesOf(h.officer, uid)).toEqual({ Users: "*", RecipientCA: "false" });
  });

  it("an object that policy speaks of is not replaced by an import", async () => {
    for (const uid of [h.authority.uid, h.root.uid, h.master])
      await refused(
        h.officer.request("Import", {
          ...wrappedImport(uid, h.master, h.wrappedAccount),
          objectType: "OpaqueObject",
          keyWrapType: undefined,
          replaceExisting: true,
          attributes: {},
          object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: Uint8Array.of(1) } },
        }),
      ).toBe("ObjectAlreadyExists");
  });

  it("a vendor attribute becomes no other one, for anybody", async () => {
    const { uniqueIdentifier } = await user.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...AES,
        cryptographicUsageMask: ["Encrypt"],
        activationDate: PAST,
        vendorAttributes: [other("note", "1"), other("label", "2", "Acme")],
      },
    });
    const change = (from: Vendor, to: Vendor) =>
      user.request("ModifyAttribute", {
        uniqueIdentifier,
        currentAttribute: vendors(from),
        newAttribute: vendors(to),
      });
    await change(other("note", "1"), other("note", "3"));
    await denied(change(other("note", "3"), other("label", "3", "Acme")));
    await denied(change(other("note", "3"), policy("Users", "*")));
  });
});

describe("another vendor's attribute that reads as ours in 1.x", () => {
  it("is refused for everybody, wherever attributes come in", async () => {
    const posing = [other("Coffer-Class", "master"), other("x-Coffer-Users", "*", "")];
    for (const attribute of posing)
      for (const client of [user, h.officer]) {
        const make = (more: Attributes) =>
          client.request("Create", {
            objectType: "SymmetricKey",
            attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], ...more },
          });
        await denied(make(vendors(attribute)));
        const { uniqueIdentifier } = await make(vendors(other("note", "1")));
        const newAttribute = vendors(attribute);
        await allDenied({
          add: client.request("AddAttribute", { uniqueIdentifier, newAttribute }),
          set: client.request("SetAttribute", { uniqueIdentifier, newAttribute }),
          modify: client.request("ModifyAttribute", {
            uniqueIdentifier,
            currentAttribute: vendors(other("note", "1")),
            newAttribute,
          }),
        });
      }
  });

  it("would be no policy: only the vendor Coffer speaks for it", async () => {
    const lookalikes = [other("Users", "*", "coffer"), other("Class", "master", "COFFER")];
    const { uniqueIdentifier } = await user.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], vendorAttributes: lookalikes },
    });
    expect(await reason(h.kms.request("GetAttributes", { uniqueIdentifier, attributeReference: [] }))).toBe(
      "ObjectNotFound",
    );
    expect(await policiesOf(user, uniqueIdentifier)).toEqual({});
  });
});

describe("the tenant of a key", () => {
  it("is set by the officer once, on a master key, and by nobody else", async () => {
    const made = (client: KmipClient, attributes: Attributes) =>
      client.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], ...attributes },
      });
    await allDenied({
      "no class": made(h.officer, vendors(policy("Tenant", "a"))),
      "a user": made(user, vendors(policy("Tenant", "a"))),
      "the IAM": made(h.iam, vendors(policy("Parent", h.master), policy("Tenant", "a"))),
      "the KMS": h.kms.request(
        "Import",
        wrappedImport(crypto.randomUUID(), h.master, h.wrappedAccount, {
          ...AES,
          ...vendors(policy("Tenant", "a")),
        }),
      ),
      "not a name": made(h.officer, vendors(policy("Class", "master"), policy("Tenant", " a"))),
    });
    const bare = await createMaster(h.officer, masterKeyName("e"), null);
    const add = (uniqueIdentifier: string, tenant: string) =>
      h.officer.request("AddAttribute", {
        uniqueIdentifier,
        newAttribute: vendors(policy("Tenant", tenant)),
      });
    await add(bare, "e");
    await denied(add(bare, "f"));
    expect(await policiesOf(h.officer, bare)).toEqual({ Class: "master", Tenant: "e" });
    const { uniqueIdentifier: plain } = await made(h.officer, {});
    await denied(add(plain, "e"));
  });

  it("is inherited by account and data keys", async () => {
    for (const uid of [h.account, h.data])
      expect(await policiesOf(h.kms, uid)).toMatchObject({ Tenant: TENANT });
  });
});
