import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { concat, encodeHex } from "#protocol/bytes.ts";
import type { Attributes, KmipClient, ManagedObject } from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, aesKw, type Bytes, keyBytes, PAST } from "../testing/hierarchy.ts";
import { reason, refused } from "../testing/refusal.ts";

/** What the published test cases of the profiles ask of a server, beyond those that are run by themselves. */

let test: TestHsm;
let alice: KeyAndCertificate;
let client: KmipClient;
let structured: KmipClient;
beforeAll(async () => {
  test = await testHsm({ structuredKeyValues: ["old"] });
  alice = await issueClient(test.pki.dir, "alice");
  client = test.as(alice);
  structured = test.as(await issueClient(test.pki.dir, "old"));
}, 30_000);
afterAll(() => test.close());

const bytes = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));

async function register(keyMaterial: Bytes, more: Attributes = {}, by = client): Promise<string> {
  const { uniqueIdentifier } = await by.request("Register", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], activationDate: PAST, ...more },
    object: { symmetricKey: { keyBlock: blockOf(keyMaterial) } },
  });
  return uniqueIdentifier;
}

const blockOf = (keyMaterial: Bytes) => ({
  keyFormatType: "Raw" as const,
  keyValue: { keyMaterial },
  cryptographicAlgorithm: "AES" as const,
  cryptographicLength: keyMaterial.length * 8,
});

const attributesOf = async (uniqueIdentifier: string) =>
  (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes!;

describe("wrapped keys", () => {
  it("have a Key Value that is a Byte String, but for clients that know only a structure", async () => {
    for (const by of [client, structured]) {
      const kek = await register(bytes(32), {}, by);
      const uniqueIdentifier = await register(bytes(32), {}, by);
      const { object } = await by.request("Get", { uniqueIdentifier, keyWrappingSpecification: aesKw(kek) });
      const { keyValue } = object!.symmetricKey!.keyBlock;
      expect(keyValue instanceof Uint8Array).toBe(by === client);
    }
  });

  it("come back as they were registered, or unwrapped on request", async () => {
    const kek = await register(bytes(32));
    const key = bytes(32);
    const uniqueIdentifier = await register(key);
    const { object } = await client.request("Get", {
      uniqueIdentifier,
      keyWrappingSpecification: aesKw(kek),
    });
    const wrapped = await client.request("Register", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
      object: object as ManagedObject,
    });
    expect((await client.request("Get", wrapped)).object).toEqual(object);
    const opened = await client.request("Get", { ...wrapped, keyWrapType: "NotWrapped" });
    expect(keyBytes(opened)).toEqual(key);
    await client.request("Revoke", {
      uniqueIdentifier: kek,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
    });
    await client.request("Destroy", { uniqueIdentifier: kek });
    await refused(client.request("Get", { ...wrapped, keyWrapType: "NotWrapped" })).not.toBe("Success");
    expect((await client.request("Get", wrapped)).object).toEqual(object);
  });
});

describe("attributes", () => {
  it("digests are of the value in its format", async () => {
    const key = bytes(32);
    const { digest } = await attributesOf(await register(key));
    expect(digest).toEqual([
      {
        hashingAlgorithm: "SHA_256",
        digestValue: new Uint8Array(createHash("sha256").update(key).digest()),
        keyFormatType: "Raw",
      },
    ]);
    const { uniqueIdentifier } = await client.request("Register", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
      object: {
        symmetricKey: {
          keyBlock: {
            ...blockOf(key),
            keyFormatType: "TransparentSymmetricKey",
            keyValue: { keyMaterial: { key } },
          },
        },
      },
    });
    const transparent = (await attributesOf(uniqueIdentifier)).digest!;
    expect(transparent.map((one) => one.keyFormatType)).toEqual(["TransparentSymmetricKey", "Raw"]);
    // The Key Material in TTLV: a structure with the Key (42003F) in it.
    const ttlv = concat(Buffer.from("420043010000002842003f0800000020", "hex"), key);
    expect(encodeHex(transparent[0]!.digestValue!)).toBe(createHash("sha256").update(ttlv).digest("hex"));
    expect(transparent[1]!.digestValue).toEqual(digest![0]!.digestValue);
  });

  it("a vendor attribute has several instances, and none is set while there are several", async () => {
    const uniqueIdentifier = await register(bytes(32));
    const colour = (attributeValue: string): Attributes => ({
      vendorAttributes: [{ vendorIdentification: "x", attributeName: "Colour", attributeValue }],
    });
    const ask = (operation: "AddAttribute" | "SetAttribute", value: string) =>
      client.request(operation, { uniqueIdentifier, newAttribute: colour(value) });
    await ask("AddAttribute", "red");
    await ask("SetAttribute", "green");
    await ask("AddAttribute", "blue");
    await refused(ask("AddAttribute", "blue")).toBe("InvalidAttribute");
    await refused(ask("SetAttribute", "white")).toBe("MultiValuedAttribute");
    const { vendorAttributes } = await attributesOf(uniqueIdentifier);
    expect(vendorAttributes!.map((one) => one.attributeValue)).toEqual(["green", "blue"]);
  });

  it("a replacement has the names of both and the dates of the old object", async () => {
    const name = (nameValue: string) => ({ nameValue, nameType: "UninterpretedTextString" as const });
    const deactivationDate = new Date(Math.floor(Date.now() / 1000) * 1000 + 3600_000);
    const old = await register(bytes(32), { name: [name("first")], deactivationDate });
    const { uniqueIdentifier } = await client.request("ReKey", {
      uniqueIdentifier: old,
      attributes: { name: [name("second")] },
    });
    const attributes = await attributesOf(uniqueIdentifier);
    expect(attributes.name).toEqual([name("first"), name("second")]);
    expect(attributes.deactivationDate).toEqual(deactivationDate);
    expect((await attributesOf(old)).name).toBeUndefined();
  });

  it("what is sensitive from the start was always so, also where it was registered", async () => {
    const marked = await attributesOf(await register(bytes(32), { sensitive: true, extractable: false }));
    expect(marked).toMatchObject({ alwaysSensitive: true, neverExtractable: true });
    const plain = await attributesOf(await register(bytes(32)));
    expect(plain).toMatchObject({ alwaysSensitive: false, neverExtractable: false });
  });

  it("an Activation Date that has come does not change any more", async () => {
    const uniqueIdentifier = await register(bytes(32));
    const newAttribute = { activationDate: new Date(0) };
    await refused(client.request("ModifyAttribute", { uniqueIdentifier, newAttribute })).toBe(
      "WrongKeyLifecycleState",
    );
  });

  it("only keys that are long enough are quantum safe", async () => {
    const create = (cryptographicLength: number) =>
      client.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...AES,
          cryptographicUsageMask: ["Encrypt"],
          cryptographicLength,
          quantumSafe: true,
        },
      });
    expect(await reason(create(256))).toBe("Success");
    await refused(create(128)).toBe("GeneralFailure");
  });
});

describe("a group's default member", () => {
  it("is each in its turn, as they are got", async () => {
    const objectGroup = [`turns ${crypto.randomUUID()}`];
    const members = [];
    for (let i = 0; i < 3; i++) members.push(await register(bytes(32), { objectGroup }));
    const next = async () => {
      const { uniqueIdentifier } = await client.request("Locate", {
        attributes: { objectGroup },
        objectGroupMember: "GroupMemberDefault",
        maximumItems: 1,
      });
      return uniqueIdentifier![0]!;
    };
    const got = [];
    for (let i = 0; i < 4; i++) {
      const uniqueIdentifier = await next();
      expect(await next()).toBe(uniqueIdentifier);
      got.push(uniqueIdentifier);
      await client.request("Get", { uniqueIdentifier });
    }
    expect(got).toEqual([...members, members[0]]);
  });
});

it("custom attributes of a template and of a request add up", async () => {
  const old = test.as(alice, { major: 1, minor: 2 });
  const custom = (attributeValue: string) => [
    { vendorIdentification: "x", attributeName: "ID", attributeValue },
  ];
  const name = { nameValue: crypto.randomUUID(), nameType: "UninterpretedTextString" as const };
  await old.request("Register", {
    objectType: "Template",
    attributes: { name: [name] },
    object: { template: { attributes: { vendorAttributes: custom("template") } } },
  });
  const { uniqueIdentifier } = await old.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      cryptographicUsageMask: ["Encrypt"],
      templateNames: [name],
      vendorAttributes: custom("request"),
    },
  });
  const { attributes } = await old.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
  expect(attributes!.vendorAttributes).toEqual([
    ...custom("template"),
    ...custom("request").map((one) => ({ ...one, attributeIndex: 1 })),
  ]);
});

describe("Import", () => {
  it("replaces what its owner destroyed, on request", async () => {
    const uniqueIdentifier = await register(bytes(32), { activationDate: new Date(Date.now() + 3600_000) });
    await client.request("Destroy", { uniqueIdentifier });
    const key = bytes(32);
    const again = (replaceExisting: boolean) =>
      client.request("Import", {
        uniqueIdentifier,
        objectType: "SymmetricKey",
        replaceExisting,
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
        object: { symmetricKey: { keyBlock: blockOf(key) } },
      });
    await refused(again(false)).toBe("ObjectAlreadyExists");
    await again(true);
    expect(keyBytes(await client.request("Get", { uniqueIdentifier }))).toEqual(key);
  });
});
