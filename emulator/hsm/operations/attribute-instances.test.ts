import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AttributeProperty, type Attributes, type KmipClient, VERSIONS } from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";
import { reason, refused } from "../testing/refusal.ts";

let test: TestHsm;
let alice: KeyAndCertificate;
beforeAll(async () => {
  test = await testHsm();
  alice = await issueClient(test.pki.dir, "alice");
}, 30_000);
afterAll(() => test.close());

const NOT_THERE = "ItemNotFound";

/** An attribute that may have several instances: three values, and how one of them is said in a request of 1.x. */
interface Several {
  since: number;
  values: [unknown, unknown, unknown];
  reference: AttributeProperty | { vendorIdentification: string; attributeName: string };
  one(value: unknown, index?: number): Attributes;
}

function standard(
  property: AttributeProperty,
  since: number,
  ...values: [unknown, unknown, unknown]
): Several {
  return {
    since,
    values,
    reference: property,
    one: (value, index) =>
      ({
        [property]: [value],
        ...(index === undefined ? {} : { attributeIndex: { [property]: [index] } }),
      }) as Attributes,
  };
}

const custom: Several = {
  since: 0,
  values: ["one", 2, true],
  reference: { vendorIdentification: "x", attributeName: "ID" },
  one: (attributeValue, index) => ({
    vendorAttributes: [
      {
        vendorIdentification: "x",
        attributeName: "ID",
        attributeValue: attributeValue as string,
        ...(index === undefined ? {} : { attributeIndex: index }),
      },
    ],
  }),
};

const named = (nameValue: string) => ({ nameValue, nameType: "UninterpretedTextString" });
const linked = (linkedObjectIdentifier: string) => ({ linkType: "CertificateLink", linkedObjectIdentifier });
const alternative = (alternativeNameValue: string) => ({
  alternativeNameValue,
  alternativeNameType: "UninterpretedTextString",
});
const application = (applicationNamespace: string) => ({ applicationNamespace, applicationData: "data" });
const unique = () => crypto.randomUUID();

const SEVERAL: [string, () => Several][] = [
  ["Name", () => standard("name", 0, named(unique()), named(unique()), named(unique()))],
  ["Object Group", () => standard("objectGroup", 0, "a", "b", "c")],
  ["Link", () => standard("link", 0, linked("a"), linked("b"), linked("c"))],
  [
    "Application Specific Information",
    () => standard("applicationSpecificInformation", 0, application("a"), application("b"), application("c")),
  ],
  [
    "Cryptographic Parameters",
    () =>
      standard(
        "cryptographicParameters",
        0,
        { blockCipherMode: "CBC" },
        { blockCipherMode: "ECB" },
        { blockCipherMode: "CTR" },
      ),
  ],
  [
    "Alternative Name",
    () => standard("alternativeName", 2, alternative("a"), alternative("b"), alternative("c")),
  ],
  ["a custom attribute", () => custom],
];

const ONES = VERSIONS.slice(0, 5).map((version, at) => [`1.${version.minor}`, version, at] as const);

async function create(client: KmipClient, more: Attributes = {}): Promise<string> {
  const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], ...more };
  return (await client.request("Create", { objectType: "SymmetricKey", attributes })).uniqueIdentifier;
}

describe.each(ONES)("KMIP %s", (_, version, at) => {
  let client: KmipClient;
  beforeAll(() => {
    client = test.as(alice, version);
  });

  const add = (uniqueIdentifier: string, newAttribute: Attributes) =>
    client.request("AddAttribute", { uniqueIdentifier, newAttribute });
  const modify = (uniqueIdentifier: string, newAttribute: Attributes) =>
    client.request("ModifyAttribute", { uniqueIdentifier, newAttribute });
  const remove = (uniqueIdentifier: string, { reference }: Several, attributeIndex?: number) =>
    client.request("DeleteAttribute", {
      uniqueIdentifier,
      attributeReference: reference,
      ...(attributeIndex === undefined ? {} : { attributeIndex }),
    });
  /** The instances as Get Attributes tells them. */
  const instances = async (uniqueIdentifier: string, { reference }: Several, asker = client) => {
    const { attributes } = await asker.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: [reference],
    });
    if (typeof reference !== "string")
      return (attributes.vendorAttributes ?? []).map(({ attributeIndex = 0, attributeValue }) => [
        attributeIndex,
        attributeValue,
      ]);
    const indexes = attributes.attributeIndex?.[reference] ?? [];
    return ((attributes[reference] as unknown[] | undefined) ?? []).map((value, i) => [
      indexes[i] ?? 0,
      value,
    ]);
  };
  const indexOf = (answer: Attributes | undefined, { reference }: Several) =>
    typeof reference === "string"
      ? answer?.attributeIndex?.[reference]?.[0]
      : answer?.vendorAttributes?.[0]?.attributeIndex;

  const kinds = SEVERAL.filter(([, make]) => make().since <= at);

  it.each(kinds)("instances of %s are told apart by their indexes", async (_kind, make) => {
    const kind = make();
    const [a, b, c] = kind.values;
    const uid = await create(client);
    expect(indexOf((await add(uid, kind.one(a))).newAttribute, kind)).toBe(0);
    expect(indexOf((await add(uid, kind.one(b))).newAttribute, kind)).toBe(1);
    expect(indexOf((await add(uid, kind.one(c))).newAttribute, kind)).toBe(2);
    expect(await instances(uid, kind)).toEqual([
      [0, a],
      [1, b],
      [2, c],
    ]);
    const { currentAttribute } = await remove(uid, kind, 1);
    expect(indexOf(currentAttribute, kind)).toBe(1);
    expect(await instances(uid, kind)).toEqual([
      [0, a],
      [2, c],
    ]);
    const { newAttribute } = await modify(uid, kind.one(b, 2));
    expect(indexOf(newAttribute, kind)).toBe(2);
    expect(await instances(uid, kind)).toEqual([
      [0, a],
      [2, b],
    ]);
    // Without an index it is the instance of index 0.
    expect(indexOf((await modify(uid, kind.one(c))).newAttribute, kind)).toBe(0);
    expect(indexOf((await add(uid, kind.one(a))).newAttribute, kind)).toBe(3);
    await remove(uid, kind);
    expect(await instances(uid, kind)).toEqual([
      [2, b],
      [3, a],
    ]);
    // There is none of index 0 any more.
    await refused(remove(uid, kind)).toBe(NOT_THERE);
    await refused(modify(uid, kind.one(c))).toBe(NOT_THERE);
    // The index of what was deleted last is not given to another.
    await remove(uid, kind, 3);
    expect(indexOf((await add(uid, kind.one(c))).newAttribute, kind)).toBe(4);
    for (const index of [2, 4]) await remove(uid, kind, index);
    expect(await instances(uid, kind)).toEqual([]);
    await refused(remove(uid, kind)).toBe(NOT_THERE);
    expect(indexOf((await add(uid, kind.one(a))).newAttribute, kind)).toBe(0);
  });

  it.each(kinds)("an index that no instance of %s has changes nothing", async (_kind, make) => {
    const kind = make();
    const [a, b, c] = kind.values;
    const uid = await create(client);
    for (const value of [a, b]) await add(uid, kind.one(value));
    for (const index of [2, 7, -1, -2147483648, 2147483647]) {
      await refused(modify(uid, kind.one(c, index))).toBe(NOT_THERE);
      await refused(remove(uid, kind, index)).toBe(NOT_THERE);
      await refused(add(uid, kind.one(c, index))).toBe("InvalidField");
    }
    await refused(add(uid, kind.one(c, 1))).toBe("InvalidField");
    expect(await instances(uid, kind)).toEqual([
      [0, a],
      [1, b],
    ]);
  });

  it("an attribute of one instance has index 0 and no other", async () => {
    const uid = await create(client);
    const contact = (contactInformation: string, index?: number): Attributes => ({
      contactInformation,
      ...(index === undefined ? {} : { attributeIndex: { contactInformation: [index] } }),
    });
    const told = async () =>
      (
        await client.request("GetAttributes", {
          uniqueIdentifier: uid,
          attributeReference: ["contactInformation"],
        })
      ).attributes.contactInformation;
    const removeContact = (attributeIndex?: number) =>
      client.request("DeleteAttribute", {
        uniqueIdentifier: uid,
        attributeReference: "contactInformation",
        ...(attributeIndex === undefined ? {} : { attributeIndex }),
      });
    await refused(modify(uid, contact("a"))).toBe(NOT_THERE);
    await refused(removeContact()).toBe(NOT_THERE);
    await refused(add(uid, contact("a", 1))).toBe("InvalidField");
    await add(uid, contact("a"));
    expect(await reason(add(uid, contact("b")))).not.toBe("Success");
    for (const index of [1, -1]) {
      await refused(modify(uid, contact("b", index))).toBe(NOT_THERE);
      await refused(removeContact(index)).toBe(NOT_THERE);
    }
    expect(await told()).toBe("a");
    expect((await modify(uid, contact("b", 0))).newAttribute).toEqual(contact("b", 0));
    expect(await told()).toBe("b");
    await removeContact(0);
    expect(await told()).toBe(undefined);
  });

  it("a template's instances come in the order of their indexes", async () => {
    const [first, second] = [named(unique()), named(unique())];
    const twice = (indexes: (number | undefined)[]) =>
      ({ name: [second, first], attributeIndex: { name: indexes } }) as Attributes;
    const uid = await create(client, twice([1, 0]));
    expect(await instances(uid, standard("name", 0, 0, 0, 0))).toEqual([
      [0, first],
      [1, second],
    ]);
    await refused(create(client, twice([1, 1]))).toBe("InvalidField");
    await refused(create(client, twice([0, -1]))).toBe("InvalidField");
    await refused(create(client, { attributeIndex: { cryptographicLength: [1] } })).toBe("InvalidField");
  });

  it("Locate finds an object by whichever instance", async () => {
    const [first, second] = [named(unique()), named(unique())];
    const uid = await create(client, { name: [first, second] } as Attributes);
    const located = async (attributes: Attributes) =>
      (await client.request("Locate", { attributes })).uniqueIdentifier;
    for (const name of [first, second]) expect(await located({ name: [name] } as Attributes)).toEqual([uid]);
    await remove(uid, standard("name", 0, 0, 0, 0), 0);
    expect(await located({ name: [first] } as Attributes)).toEqual([]);
    expect(await located({ name: [second] } as Attributes)).toEqual([uid]);
  });

  it.each(["Cryptographic Lenght", "custom", "X-ID", "x_ID", "", "z-Custom"])(
    "refuses an attribute named %j",
    async (attributeName) => {
      const misspelt = {
        vendorAttributes: [{ vendorIdentification: "", attributeName, attributeValue: 256 }],
      };
      const uid = await create(client);
      await refused(create(client, misspelt)).toBe("InvalidField");
      await refused(add(uid, misspelt)).toBe("InvalidField");
      await refused(modify(uid, misspelt)).toBe("InvalidField");
      const pair = (attributes: object) =>
        client.request("CreateKeyPair", {
          commonAttributes: { cryptographicAlgorithm: "RSA" },
          ...attributes,
        } as never);
      await refused(pair({ privateKeyAttributes: misspelt })).toBe("InvalidField");
      await refused(
        client.request("Register", {
          objectType: "Template",
          attributes: { name: [named(unique())] } as Attributes,
          object: { template: { attributes: misspelt } },
        }),
      ).toBe("InvalidField");
    },
  );
});

it("indexes outlive a restart, and changes by a client of 2.x", async () => {
  let old = test.as(alice, VERSIONS[4]);
  const client = test.as(alice);
  const groups = async () => {
    const { attributes } = await old.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["objectGroup", custom.reference],
    });
    return [
      attributes.objectGroup,
      attributes.attributeIndex?.objectGroup,
      attributes.vendorAttributes?.map(({ attributeIndex = 0, attributeValue }) => [
        attributeIndex,
        attributeValue,
      ]),
    ];
  };
  const uniqueIdentifier = await create(old, {
    objectGroup: ["a", "b", "c"],
    vendorAttributes: ["1", "2", "3"].flatMap((value) => custom.one(value).vendorAttributes!),
  });
  await client.request("DeleteAttribute", { uniqueIdentifier, currentAttribute: { objectGroup: ["a"] } });
  await client.request("ModifyAttribute", {
    uniqueIdentifier,
    currentAttribute: { objectGroup: ["c"] },
    newAttribute: { objectGroup: ["C"] },
  });
  await client.request("DeleteAttribute", { uniqueIdentifier, currentAttribute: custom.one("2") });
  const expected = [
    ["b", "C"],
    [1, 2],
    [
      [0, "1"],
      [2, "3"],
    ],
  ];
  expect(await groups()).toEqual(expected);
  await test.restart();
  old = test.as(alice, VERSIONS[4]);
  expect(await groups()).toEqual(expected);
  await old.request("AddAttribute", { uniqueIdentifier, newAttribute: { objectGroup: ["d"] } });
  expect((await groups())[1]).toEqual([1, 2, 3]);
});

describe.each(VERSIONS.slice(5).map((version) => [`2.${version.minor}`, version] as const))(
  "KMIP %s",
  (_, version) => {
    it("says by value which instance changes, and is refused where it does not", async () => {
      const client = test.as(alice, version);
      const uniqueIdentifier = await create(client, { objectGroup: ["a", "b"], contactInformation: "me" });
      const modify = (newAttribute: Attributes, currentAttribute?: Attributes) =>
        client.request("ModifyAttribute", {
          uniqueIdentifier,
          newAttribute,
          ...(currentAttribute ? { currentAttribute } : {}),
        });
      const told = async () =>
        (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: ["objectGroup"] }))
          .attributes.objectGroup;
      await refused(modify({ objectGroup: ["c"] })).toBe("MultiValuedAttribute");
      await refused(modify({ objectGroup: ["c"] }, { objectGroup: ["x"] })).toBe("AttributeInstanceNotFound");
      await refused(modify({ objectGroup: ["c"] }, { contactInformation: "me" })).toBe("InvalidMessage");
      await refused(modify({ contactInformation: "you" }, { contactInformation: "her" })).toBe(
        "AttributeInstanceNotFound",
      );
      expect(await told()).toEqual(["a", "b"]);
      await modify({ objectGroup: ["c"] }, { objectGroup: ["b"] });
      expect(await told()).toEqual(["a", "c"]);
      await client.request("DeleteAttribute", { uniqueIdentifier, attributeReference: "objectGroup" });
      expect(await told()).toBe(undefined);
    });
  },
);

it("an interval is not adjusted out of its range", async () => {
  const client = test.as(alice);
  const uniqueIdentifier = await create(client, { protectionPeriod: 5 });
  const adjust = (adjustmentType: "Increment" | "Decrement", adjustmentValue: number) =>
    client.request("AdjustAttribute", {
      uniqueIdentifier,
      attributeReference: "protectionPeriod",
      adjustmentType,
      adjustmentValue,
    });
  await refused(adjust("Decrement", 6)).toBe("NumericRange");
  await adjust("Decrement", 5);
  await refused(adjust("Increment", -1)).toBe("NumericRange");
  const { attributes } = await client.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["protectionPeriod"],
  });
  expect(attributes.protectionPeriod).toBe(0);
});
