import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named, policy, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  attributeSpelling,
  decodeItem,
  encodeKeyValue,
  type Item,
  type KeyWrappingSpecification,
  type KmipClient,
  type ManagedObject,
  type ProtocolVersion,
  tagNumber,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { unwrapAes, wrapAes } from "../crypto/aes-key-wrap.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { aesKw, type Bytes, keyBytes, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** Attributes that are wrapped with keys, and that come in Key Values (KMIP 1.4 §2.1.4 Key Value, §2.1.6 Key Wrapping Specification). */

let test: TestHsm;
let certificates: Record<"alice" | "carol", KeyAndCertificate>;
beforeAll(async () => {
  test = await testHsm({
    policies: {
      got: { preset: { SYMMETRIC_KEY: { LOCATE: "ALLOW_ALL", GET: "ALLOW_ALL" } as never } },
    },
  });
  const { dir } = test.pki;
  certificates = { alice: await issueClient(dir, "alice"), carol: await issueClient(dir, "carol") };
}, 30_000);
afterAll(() => test.close());

const clients = new Map<string, KmipClient>();
function as(who: keyof typeof certificates, version: ProtocolVersion): KmipClient {
  const name = `${who} ${version.major}.${version.minor}`;
  const client = clients.get(name) ?? test.as(certificates[who], version);
  clients.set(name, client);
  return client;
}

const V1_4 = { major: 1, minor: 4 };
const V2_1 = { major: 2, minor: 1 };
const KEK = new Uint8Array(32).fill(3);
const KEY = new Uint8Array(16).fill(9);
const ENCRYPTS: Attributes = { cryptographicUsageMask: ["Encrypt"], activationDate: PAST };
const WRAPS: Attributes = { cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST };
const VENDORS: Attributes["vendorAttributes"] = [
  { vendorIdentification: "x", attributeName: "ID", attributeValue: "one" },
];

function symmetricKey(keyMaterial: Bytes, inside?: Attributes): ManagedObject {
  return {
    symmetricKey: {
      keyBlock: {
        keyFormatType: "Raw",
        keyValue: { keyMaterial, ...(inside ? { attributes: inside } : {}) },
        cryptographicAlgorithm: "AES",
        cryptographicLength: keyMaterial.length * 8,
      },
    },
  };
}

async function register(client: KmipClient, keyMaterial: Bytes, attributes: Attributes, inside?: Attributes) {
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "SymmetricKey",
    attributes,
    object: symmetricKey(keyMaterial, inside),
  });
  return uniqueIdentifier;
}

/** The specification of a wrap with the TTLV encoding, which is the default. */
function ttlv(
  uniqueIdentifier: string,
  more: Partial<KeyWrappingSpecification> = {},
): KeyWrappingSpecification {
  const { encodingOption: _, ...specification } = aesKw(uniqueIdentifier);
  return { ...specification, ...more };
}

/** An Import of a key in a Key Value that `kek` wrapped: the server unwraps it by the key of that identifier. */
function imported(
  client: KmipClient,
  uniqueIdentifier: string,
  inside: Attributes | undefined,
  attributes: Attributes = {},
  { kek = KEK, version = V2_1 } = {},
) {
  const plain = encodeKeyValue({ keyMaterial: KEY, ...(inside ? { attributes: inside } : {}) }, version);
  const object = symmetricKey(KEY);
  Object.assign(object.symmetricKey!.keyBlock, {
    keyValue: new Uint8Array(wrapAes("NISTKeyWrap", kek, plain)),
    keyWrappingData: ttlv(uniqueIdentifier),
  });
  return client.request("Import", {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "SymmetricKey",
    keyWrapType: "NotWrapped",
    attributes,
    object,
  });
}

const told = async (client: KmipClient, uniqueIdentifier: string, ...names: (keyof Attributes)[]) =>
  (
    await client.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: names as never,
    })
  ).attributes;

const VERSIONED = VERSIONS.map((version) => [`${version.major}.${version.minor}`, version] as const);

describe.each(VERSIONED)("a key that is wrapped with its attributes by KMIP %s", (text, version) => {
  let client: KmipClient;
  let kek: string;
  let key: string;
  const missing = version.major < 2 ? "ItemNotFound" : "AttributeNotFound";
  beforeAll(async () => {
    client = as("alice", version);
    kek = await register(client, KEK, WRAPS);
    key = await register(client, KEY, {
      ...ENCRYPTS,
      name: [...named(`one ${text}`), ...named(`two ${text}`)],
      vendorAttributes: VENDORS,
    });
  });

  const unwrapped = async (attributeName: string[], more: Partial<KeyWrappingSpecification> = {}) => {
    const keyWrappingSpecification = ttlv(kek, { attributeName, ...more });
    const answer = await client.request("Get", { uniqueIdentifier: key, keyWrappingSpecification });
    expect(answer.object.symmetricKey!.keyBlock.keyValue).toBeInstanceOf(Uint8Array);
    return decodeItem(unwrapAes("NISTKeyWrap", KEK, keyBytes(answer)));
  };
  const children = ({ value }: Item) => value as Item[];
  const get = (specification: KeyWrappingSpecification) =>
    reason(client.request("Get", { uniqueIdentifier: key, keyWrappingSpecification: specification }));

  it("has them behind its bytes, in the form of the version", async () => {
    const keyValue = await unwrapped(["Cryptographic Usage Mask"]);
    expect(keyValue.tag).toBe(tagNumber("KeyValue"));
    const [material, attribute, ...more] = children(keyValue);
    expect(material).toEqual({ tag: tagNumber("KeyMaterial"), type: "ByteString", value: KEY });
    expect(more).toEqual([]);
    if (version.major < 2)
      expect(attribute).toEqual({
        tag: tagNumber("Attribute"),
        type: "Structure",
        value: [
          { tag: tagNumber("AttributeName"), type: "TextString", value: "Cryptographic Usage Mask" },
          { tag: tagNumber("AttributeValue"), type: "Integer", value: 4 },
        ],
      });
    else
      expect(attribute).toEqual({
        tag: tagNumber("Attributes"),
        type: "Structure",
        value: [{ tag: tagNumber("CryptographicUsageMask"), type: "Integer", value: 4 }],
      });
  });

  it("has each that is named, once, with all its instances", async () => {
    const names = ["Name", "Cryptographic Usage Mask", "Name", "x-ID", "Activation Date", "State"];
    const [, ...attributes] = children(await unwrapped(names));
    const count = version.major < 2 ? attributes.length : children(attributes[0]!).length;
    expect(count).toBe(6);
    if (version.major < 2) return;
    const references = {
      attributeReference: ["cryptographicUsageMask", { vendorIdentification: "x", attributeName: "ID" }],
    } satisfies Partial<KeyWrappingSpecification>;
    const [, both] = children(await unwrapped([], references));
    expect(children(both!).length).toBe(2);
  });

  it("is refused where it lacks one of them", async () => {
    for (const name of [
      "Usage Limits",
      "Cryptographic Usage Masks",
      "x-Other",
      "",
      "Key Value",
      version.major < 2 ? "Protection Level" : "Operation Policy Name",
    ])
      expect([name, await get(ttlv(kek, { attributeName: ["Name", name] }))]).toEqual([name, missing]);
    const many = new Array<string>(257).fill("Name");
    expect(await get(ttlv(kek, { attributeName: many }))).toBe("InvalidField");
    if (version.major < 2) return;
    for (const one of [
      "usageLimits",
      { tag: 0x42fff0 },
      { vendorIdentification: "y", attributeName: "ID" },
    ] as const)
      expect(await get(ttlv(kek, { attributeReference: [one] }))).toBe(missing);
  });

  it.skipIf(text === "1.0")("is refused without the encoding", async () => {
    const encodingOption = "NoEncoding" as const;
    const attributeName = ["Cryptographic Usage Mask"];
    expect(await get(ttlv(kek, { attributeName, encodingOption }))).toBe("EncodingOptionError");
    expect(await get(ttlv(kek, { attributeName, encodingOption: "TTLVEncoding" }))).toBe("Success");
    if (version.major < 2) return;
    const attributeReference = ["cryptographicUsageMask" as const];
    expect(await get(ttlv(kek, { attributeReference, encodingOption }))).toBe("EncodingOptionError");
  });
});

describe.each(VERSIONED)("a Key Value with attributes by KMIP %s", (text, version) => {
  let client: KmipClient;
  beforeAll(() => {
    client = as("alice", version);
  });
  const readOnly = version.major < 2 ? "PermissionDenied" : "ReadOnlyAttribute";
  const invalid = version.major < 2 ? "InvalidField" : "InvalidAttributeValue";

  it("gives them to the object that is registered", async () => {
    const inside: Attributes = {
      ...ENCRYPTS,
      name: named(`inside ${text}`),
      objectType: "SymmetricKey",
      cryptographicAlgorithm: "AES",
      vendorAttributes: VENDORS,
    };
    const uid = await register(client, KEY, { contactInformation: "alice" }, inside);
    expect(
      await told(client, uid, "name", "cryptographicUsageMask", "state", "contactInformation"),
    ).toMatchObject({
      name: inside.name,
      cryptographicUsageMask: ["Encrypt"],
      state: "Active",
      contactInformation: "alice",
    });
    // They are told by Get Attributes from now on, as they become.
    const { object } = await client.request("Get", { uniqueIdentifier: uid });
    expect(object.symmetricKey!.keyBlock.keyValue).toEqual({ keyMaterial: KEY });
  });

  it("says nothing else than the request, or the key", async () => {
    const attempts: [Attributes, Attributes][] = [
      [{ cryptographicUsageMask: ["Encrypt", "Decrypt"] }, ENCRYPTS],
      [{ cryptographicUsageMask: ["Encrypt"] }, { ...ENCRYPTS, cryptographicUsageMask: ["Decrypt"] }],
      [{ name: named("this") }, { name: named("that") }],
      [{ objectType: "SecretData" }, {}],
      [{ cryptographicLength: 256 }, {}],
      [
        { vendorAttributes: VENDORS },
        { vendorAttributes: [{ vendorIdentification: "x", attributeName: "ID", attributeValue: "two" }] },
      ],
    ];
    for (const [inside, attributes] of attempts)
      expect([inside, await reason(register(client, KEY, attributes, inside))]).toEqual([inside, invalid]);
    const both = register(client, KEY, { ...ENCRYPTS, vendorAttributes: VENDORS }, { ...ENCRYPTS });
    expect(await reason(both)).toBe("Success");
  });

  it("sets nothing that is the server's, or a matter of trust", async () => {
    const attempts: [Attributes, unknown][] = [
      [{ state: "Active" }, readOnly],
      [{ uniqueIdentifier: "mine" }, readOnly],
      [{ initialDate: PAST }, readOnly],
      [{ lastChangeDate: PAST }, readOnly],
      [{ leaseTime: 1 }, readOnly],
      [{ digest: [{ hashingAlgorithm: "SHA_256", digestValue: new Uint8Array(32) }] }, readOnly],
      [{ vendorAttributes: [policy("Users", "*")] }, "PermissionDenied"],
      [{ vendorAttributes: [policy("Class", "master")] }, "PermissionDenied"],
      [{ vendorAttributes: [policy("Attestation", "x")] }, "PermissionDenied"],
      [
        {
          vendorAttributes: [
            { vendorIdentification: "x", attributeName: "Coffer-Users", attributeValue: "*" },
          ],
        },
        "PermissionDenied",
      ],
      [{ name: named(TRUST_LIST) }, "PermissionDenied"],
    ];
    if (version.major < 2) attempts.push([{ operationPolicyName: "public" }, readOnly]);
    if (version.major < 2)
      attempts.push([
        { vendorAttributes: [{ vendorIdentification: "", attributeName: "Usage Mask", attributeValue: 1 }] },
        "InvalidField",
      ]);
    for (const [inside, expected] of attempts)
      expect([inside, await reason(register(client, KEY, ENCRYPTS, inside))]).toEqual([inside, expected]);
  });

  it("has none beside what is wrapped", async () => {
    const object = symmetricKey(KEY, { cryptographicUsageMask: ["Encrypt"] });
    Object.assign(object.symmetricKey!.keyBlock, { keyWrappingData: ttlv("somewhere else") });
    const registered = client.request("Register", { objectType: "SymmetricKey", attributes: {}, object });
    expect(await reason(registered)).toBe("InvalidField");
  });
});

describe.each([
  ["1.4", V1_4],
  ["2.1", V2_1],
] as const)("a wrapped Key Value with attributes that is imported by KMIP %s", (text, version) => {
  let client: KmipClient;
  let kek: string;
  beforeAll(async () => {
    client = as("alice", version);
    kek = await register(client, KEK, WRAPS);
  });
  const invalid = version.major < 2 ? "InvalidField" : "InvalidAttributeValue";

  it("comes back with what it was wrapped with, in the form of either version", async () => {
    const uid = await register(client, KEY, { ...ENCRYPTS, comment: text, vendorAttributes: VENDORS });
    const keyWrappingSpecification = ttlv(kek, {
      attributeName: ["Cryptographic Usage Mask", "Activation Date", "Comment", "x-ID"],
    });
    for (const other of [V1_4, V2_1]) {
      const { object } = await as("alice", other).request("Get", {
        uniqueIdentifier: uid,
        keyWrappingSpecification,
      });
      const back = await client.request("Import", {
        uniqueIdentifier: crypto.randomUUID(),
        objectType: "SymmetricKey",
        keyWrapType: "NotWrapped",
        attributes: {},
        object,
      });
      const { attributes } = await client.request("GetAttributes", { ...back, attributeReference: [] });
      expect(attributes).toMatchObject({
        cryptographicUsageMask: ["Encrypt"],
        comment: text,
        state: "Active",
        vendorAttributes: VENDORS,
      });
      const plain = await client.request("Get", back);
      expect(plain.object.symmetricKey!.keyBlock.keyValue).toEqual({ keyMaterial: KEY });
    }
  });

  it("sets nothing that is the server's, or a matter of trust, and contradicts nothing", async () => {
    const old = version.major < 2;
    const attempts: [Attributes, unknown, ProtocolVersion?][] = [
      [{ state: "Active" }, old ? "PermissionDenied" : "ReadOnlyAttribute"],
      [{ alwaysSensitive: true }, old ? "PermissionDenied" : "ReadOnlyAttribute"],
      [{ operationPolicyName: "public" }, old ? "PermissionDenied" : "UnsupportedAttribute", V1_4],
      [{ vendorAttributes: [policy("Users", "*")] }, "PermissionDenied"],
      [{ vendorAttributes: [policy("Users", "*")] }, "PermissionDenied", V1_4],
      [{ vendorAttributes: [policy("Class", "master")] }, "PermissionDenied", V1_4],
      [{ cryptographicUsageMask: ["Decrypt"] }, invalid],
      [{ sensitive: false }, invalid],
      [{ extractable: true }, invalid],
      [{ cryptographicLength: 256 }, invalid],
    ];
    const asked: Attributes = { ...ENCRYPTS, sensitive: true, extractable: false };
    for (const [inside, expected, form = version] of attempts)
      expect([inside, await reason(imported(client, kek, inside, asked, { version: form }))]).toEqual([
        inside,
        expected,
      ]);
    expect(await reason(imported(client, kek, { sensitive: true, extractable: false }, asked))).toBe(
      "Success",
    );
  });

  it("stays as secret as the key that opens it", async () => {
    const secret = new Uint8Array(32).fill(5);
    const closed = await register(client, secret, { ...WRAPS, sensitive: true });
    const attempt = (inside: Attributes) => imported(client, closed, inside, {}, { kek: secret });
    expect(await reason(attempt({ sensitive: false }))).toBe("Sensitive");
    expect(await reason(attempt({ cryptographicAlgorithm: "OneTimePad" }))).toMatch(
      /InvalidField|UnsupportedCryptographicParameters/,
    );
    const { uniqueIdentifier } = await attempt({ extractable: true, cryptographicUsageMask: ["Encrypt"] });
    expect(await told(client, uniqueIdentifier, "sensitive")).toMatchObject({ sensitive: true });
    expect(await reason(client.request("Get", { uniqueIdentifier }))).toMatch(/Sensitive|PermissionDenied/);
  });

  it("is no Key Value where it is cut, or has more in it", async () => {
    const whole = encodeKeyValue({ keyMaterial: KEY, attributes: ENCRYPTS }, version);
    const other = new Uint8Array(whole);
    other[2] = 0x46;
    const longer = new Uint8Array(whole.length + 16);
    longer.set(whole);
    longer[7] = whole[7]! + 16;
    longer.set([0x42, 0, 0x93, 2, 0, 0, 0, 4], whole.length);
    for (const plain of [whole.slice(0, -8), other, longer, new Uint8Array(16)]) {
      const object = symmetricKey(KEY);
      Object.assign(object.symmetricKey!.keyBlock, {
        keyValue: new Uint8Array(wrapAes("NISTKeyWrap", KEK, plain)),
        keyWrappingData: ttlv(kek),
      });
      const back = client.request("Import", {
        uniqueIdentifier: crypto.randomUUID(),
        objectType: "SymmetricKey",
        keyWrapType: "NotWrapped",
        attributes: {},
        object,
      });
      expect(await reason(back)).toBe("EncodingOptionError");
    }
  });

  it("has none beside it", async () => {
    const plain = encodeKeyValue({ keyMaterial: KEY }, version);
    const object = symmetricKey(KEY);
    Object.assign(object.symmetricKey!.keyBlock, {
      keyValue: {
        keyMaterial: new Uint8Array(wrapAes("NISTKeyWrap", KEK, plain)),
        attributes: { cryptographicUsageMask: ["Encrypt"] },
      },
      keyWrappingData: ttlv(kek),
    });
    for (const keyWrapType of ["NotWrapped", "AsRegistered"] as const) {
      const back = client.request("Import", {
        uniqueIdentifier: crypto.randomUUID(),
        objectType: "SymmetricKey",
        keyWrapType,
        attributes: {},
        object,
      });
      expect(await reason(back)).toBe("InvalidField");
    }
  });
});

describe("attributes of a key", () => {
  it("are wrapped for nobody who may not ask for them", async () => {
    const key = await register(as("alice", V1_4), KEY, { ...ENCRYPTS, operationPolicyName: "got" });
    const carol = as("carol", V2_1);
    const kek = await register(carol, KEK, WRAPS);
    const get = (more: Partial<KeyWrappingSpecification>) =>
      reason(carol.request("Get", { uniqueIdentifier: key, keyWrappingSpecification: ttlv(kek, more) }));
    expect(await get({})).toBe("Success");
    for (const more of [
      { attributeName: [attributeSpelling("cryptographicUsageMask")] },
      { attributeReference: ["cryptographicUsageMask" as const] },
    ])
      expect(await get(more)).toBe("PermissionDenied");
  });

  it("are wrapped by no ticket that is not for them", async () => {
    const alice = as("alice", V2_1);
    const [key, kek] = [await register(alice, KEY, ENCRYPTS), await register(alice, KEK, WRAPS)];
    const get = async (right: object) => {
      const { ticket } = await alice.request("DelegatedLogin", { rights: { right: [right] } } as never);
      const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
      const keyWrappingSpecification = ttlv(kek, { attributeName: ["Cryptographic Usage Mask"] });
      return reason(
        as("carol", V2_1).request(
          "Get",
          { uniqueIdentifier: key, keyWrappingSpecification },
          { header: { authentication: { credential } } },
        ),
      );
    };
    expect(await get({ operations: { operation: ["Get"] } })).toBe("NotAuthorised");
    expect(await get({ operations: { operation: ["Get", "GetAttributes"] } })).toBe("Success");
  });
});
