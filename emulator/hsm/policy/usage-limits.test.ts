import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Attributes, type KmipClient, VERSIONS } from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** Usage Limits (KMIP 1.4 §3.21): Total and Unit are the client's, Count is the server's. */

type Limits = NonNullable<Attributes["usageLimits"]>;

let test: TestHsm;
let alice: KeyAndCertificate;
beforeAll(async () => {
  test = await testHsm();
  alice = await issueClient(test.pki.dir, "alice");
}, 30_000);
afterAll(() => test.close());

const limits = (total: bigint, count?: bigint, unit: "Byte" | "Object" = "Byte"): Limits => ({
  usageLimitsTotal: total,
  ...(count === undefined ? {} : { usageLimitsCount: count }),
  usageLimitsUnit: unit,
});
const keyMaterial = new Uint8Array(32).fill(7);
const keyBlock = {
  keyFormatType: "Raw",
  keyValue: { keyMaterial },
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
} as const;
const attributes: Attributes = { ...AES, cryptographicUsageMask: ["Encrypt"], activationDate: PAST };

describe.each(VERSIONS.map((version) => [`${version.major}.${version.minor}`, version] as const))(
  "usage limits by KMIP %s",
  (_, version) => {
    let client: KmipClient;
    beforeAll(() => {
      client = test.as(alice, version);
    });
    const invalid = version.major < 2 ? "InvalidField" : "InvalidAttributeValue";

    const told = async (uniqueIdentifier: string) =>
      (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: ["usageLimits"] }))
        .attributes.usageLimits;
    const create = async (usageLimits?: Limits) =>
      (
        await client.request("Create", {
          objectType: "SymmetricKey",
          attributes: { ...attributes, ...(usageLimits ? { usageLimits } : {}) },
        })
      ).uniqueIdentifier;

    it("begin with a Count of all, whichever way they come", async () => {
      const add = async (operation: "AddAttribute" | "SetAttribute") => {
        const uniqueIdentifier = await create();
        const answer = await client.request(operation, {
          uniqueIdentifier,
          newAttribute: { usageLimits: limits(1000n) },
        } as never);
        return [uniqueIdentifier, answer] as const;
      };
      const [added, answer] = await add("AddAttribute");
      if (version.major < 2)
        expect(answer).toMatchObject({ newAttribute: { usageLimits: limits(1000n, 1000n) } });
      const modified = await create(limits(500n));
      const change = await client.request("ModifyAttribute", {
        uniqueIdentifier: modified,
        newAttribute: { usageLimits: limits(1000n) },
      });
      if (version.major < 2)
        expect(change).toMatchObject({ newAttribute: { usageLimits: limits(1000n, 1000n) } });
      const registered = await client.request("Register", {
        objectType: "SymmetricKey",
        attributes: { ...attributes, usageLimits: limits(1000n) },
        object: { symmetricKey: { keyBlock } },
      });
      const pair = await client.request("CreateKeyPair", {
        commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
        privateKeyAttributes: { cryptographicUsageMask: ["Sign"], usageLimits: limits(1000n) },
        publicKeyAttributes: { cryptographicUsageMask: ["Encrypt"], usageLimits: limits(1000n) },
      });
      const all = [
        added,
        modified,
        registered.uniqueIdentifier,
        pair.privateKeyUniqueIdentifier,
        pair.publicKeyUniqueIdentifier,
        await create(limits(1000n)),
      ];
      if (version.major >= 2) all.push((await add("SetAttribute"))[0]);
      for (const one of all) expect(await told(one)).toEqual(limits(1000n, 1000n));
      const replaced = await client.request("ReKey", { uniqueIdentifier: all[0]! });
      expect(await told(replaced.uniqueIdentifier)).toEqual(limits(1000n, 1000n));
    });

    it("take no Count from a client", async () => {
      // KMIP 1.4 §3.21 Usage Limits: not looked at where an object is made.
      expect(await told(await create(limits(1000n, 3n)))).toEqual(limits(1000n, 1000n));
      for (const count of [-1n, 1001n]) expect(await reason(create(limits(1000n, count)))).toBe(invalid);
      expect(await reason(create(limits(-1n)))).toBe(invalid);
      const uniqueIdentifier = await create(limits(1000n));
      const ways = ["ModifyAttribute", ...(version.major >= 2 ? (["SetAttribute"] as const) : [])] as const;
      for (const way of ways) {
        const modify = (usageLimits: Limits) =>
          reason(client.request(way, { uniqueIdentifier, newAttribute: { usageLimits } } as never));
        for (const count of [-1n, 0n, 3n, 1001n]) expect(await modify(limits(1000n, count))).toBe(invalid);
        expect(await modify(limits(1000n, undefined, "Object"))).toBe(invalid);
        expect(await modify(limits(1000n, 1000n))).toBe("Success");
      }
      const bare = await create();
      const newAttribute = { usageLimits: limits(1000n, 3n) };
      expect(await reason(client.request("AddAttribute", { uniqueIdentifier: bare, newAttribute }))).toBe(
        invalid,
      );
      expect(await told(bare)).toBeUndefined();
    });

    it("are used up to the last, and then are neither changed nor deleted", async () => {
      const uniqueIdentifier = await create();
      await client.request("AddAttribute", {
        uniqueIdentifier,
        newAttribute: { usageLimits: limits(1000n) },
      });
      const allocate = (usageLimitsCount: bigint) =>
        reason(client.request("GetUsageAllocation", { uniqueIdentifier, usageLimitsCount }));
      expect([await allocate(500n), await allocate(500n), await allocate(1n)]).toEqual([
        "Success",
        "Success",
        version.major < 2 ? "PermissionDenied" : "UsageLimitExceeded",
      ]);
      expect(await told(uniqueIdentifier)).toEqual(limits(1000n, 0n));
      const modify = client.request("ModifyAttribute", {
        uniqueIdentifier,
        newAttribute: { usageLimits: limits(2000n) },
      });
      expect(await reason(modify)).toBe(version.major < 2 ? "PermissionDenied" : "AttributeReadOnly");
    });
  },
);

describe("usage limits of an imported object", () => {
  const client = () => test.as(alice, { major: 2, minor: 1 });
  const imported = async (usageLimits: Limits) => {
    const uniqueIdentifier = crypto.randomUUID();
    await client().request("Import", {
      uniqueIdentifier,
      objectType: "SymmetricKey",
      attributes: { ...attributes, usageLimits },
      object: { symmetricKey: { keyBlock } },
    });
    const answer = await client().request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["usageLimits"],
    });
    return answer.attributes.usageLimits;
  };

  it("keep the Count that they had where they were used", async () => {
    expect(await imported(limits(1000n, 3n))).toEqual(limits(1000n, 3n));
    expect(await imported(limits(1000n))).toEqual(limits(1000n, 1000n));
    expect(await reason(imported(limits(1000n, 1001n)))).toBe("InvalidAttributeValue");
  });

  it("are deleted by their value, with its Count and without", async () => {
    for (const count of [undefined, 10n]) {
      const { uniqueIdentifier } = await client().request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...attributes, usageLimits: limits(10n) },
      });
      const currentAttribute = { usageLimits: limits(10n, count) };
      expect(await reason(client().request("DeleteAttribute", { uniqueIdentifier, currentAttribute }))).toBe(
        "Success",
      );
    }
  });
});
