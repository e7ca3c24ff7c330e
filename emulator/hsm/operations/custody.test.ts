import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, aesKw, PAST, wrappedImport } from "../testing/hierarchy.ts";
import { refused } from "../testing/refusal.ts";

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

const DATA = new Uint8Array(16);
const ECB = { blockCipherMode: "ECB", paddingMethod: "None" } as const;
const CMAC = { cryptographicAlgorithm: "AES", blockCipherMode: "CMAC" } as const;

/** A key for all uses, active. */
async function key(): Promise<string> {
  const made = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      activationDate: PAST,
      cryptographicUsageMask: [
        "Encrypt",
        "Decrypt",
        "MACGenerate",
        "MACVerify",
        "DeriveKey",
        "WrapKey",
        "UnwrapKey",
      ],
    },
  });
  return made.uniqueIdentifier;
}

async function publicKey(): Promise<string> {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyMaterial = new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" }));
  const keyBlock = { keyFormatType: "X_509" as const, keyValue: { keyMaterial } };
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "PublicKey",
    attributes: {},
    object: { publicKey: { keyBlock } },
  });
  return uniqueIdentifier;
}

async function certificate(): Promise<string> {
  return (await client.request("Certify", { uniqueIdentifier: await publicKey() })).uniqueIdentifier;
}

async function part(): Promise<string> {
  const { uniqueIdentifier } = await client.request("CreateSplitKey", {
    objectType: "SplitKey",
    splitKeyParts: 2,
    splitKeyThreshold: 2,
    splitKeyMethod: "XOR",
  });
  return uniqueIdentifier[0]!;
}

const archived = async (uniqueIdentifier: string) => {
  await client.request("Archive", { uniqueIdentifier });
  return uniqueIdentifier;
};

type Use = [name: string, make: () => Promise<string>, use: (uniqueIdentifier: string) => Promise<unknown>];
const USES: Use[] = [
  ["Get", key, (uniqueIdentifier) => client.request("Get", { uniqueIdentifier })],
  ["Export", key, (uniqueIdentifier) => client.request("Export", { uniqueIdentifier })],
  [
    "Encrypt",
    key,
    (uniqueIdentifier) =>
      client.request("Encrypt", { uniqueIdentifier, data: DATA, cryptographicParameters: ECB }),
  ],
  [
    "Decrypt",
    key,
    (uniqueIdentifier) =>
      client.request("Decrypt", { uniqueIdentifier, data: DATA, cryptographicParameters: ECB }),
  ],
  [
    "MAC",
    key,
    (uniqueIdentifier) =>
      client.request("MAC", { uniqueIdentifier, data: DATA, cryptographicParameters: CMAC }),
  ],
  [
    "DeriveKey",
    key,
    (uniqueIdentifier) =>
      client.request("DeriveKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [uniqueIdentifier],
        derivationMethod: "HMAC",
        derivationParameters: {
          cryptographicParameters: { hashingAlgorithm: "SHA_256" },
          derivationData: DATA,
        },
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
      }),
  ],
  ["ReKey", key, (uniqueIdentifier) => client.request("ReKey", { uniqueIdentifier })],
  [
    "CreateSplitKey",
    key,
    (uniqueIdentifier) =>
      client.request("CreateSplitKey", {
        objectType: "SplitKey",
        uniqueIdentifier,
        splitKeyParts: 2,
        splitKeyThreshold: 2,
        splitKeyMethod: "XOR",
      }),
  ],
  [
    "JoinSplitKey",
    part,
    async (uniqueIdentifier) =>
      client.request("JoinSplitKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [uniqueIdentifier, await part()],
        attributes: {},
      }),
  ],
  ["Certify", publicKey, (uniqueIdentifier) => client.request("Certify", { uniqueIdentifier })],
  ["ReCertify", certificate, (uniqueIdentifier) => client.request("ReCertify", { uniqueIdentifier })],
  [
    "Validate",
    certificate,
    (uniqueIdentifier) => client.request("Validate", { uniqueIdentifier: [uniqueIdentifier] }),
  ],
  [
    "Import of a key that it wrapped",
    key,
    (uniqueIdentifier) =>
      client.request(
        "Import",
        wrappedImport(`imported-under-${uniqueIdentifier}`, uniqueIdentifier, DATA, {}),
      ),
  ],
];

it.each(USES)("an archived object has no value for %s until it is recovered", async (_, make, use) => {
  const uniqueIdentifier = await archived(await make());
  await refused(use(uniqueIdentifier)).toBe("ObjectArchived");
  await client.request("Recover", { uniqueIdentifier });
  await refused(use(uniqueIdentifier)).not.toBe("ObjectArchived");
});

it("an archived key wraps nothing until it is recovered", async () => {
  const [object, wrapping] = [await key(), await archived(await key())];
  const wrapped = () =>
    client.request("Get", { uniqueIdentifier: object, keyWrappingSpecification: aesKw(wrapping) });
  await refused(wrapped()).toBe("WrappingObjectArchived");
  await client.request("Recover", { uniqueIdentifier: wrapping });
  await refused(wrapped()).toBe("Success");
});

it("a certificate is not replaced while the key that it is over is archived", async () => {
  const subject = await publicKey();
  const { uniqueIdentifier } = await client.request("Certify", { uniqueIdentifier: subject });
  await archived(subject);
  await refused(client.request("ReCertify", { uniqueIdentifier })).toBe("ObjectArchived");
  const { attributes } = await client.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["link"],
  });
  expect(attributes.link?.map(({ linkType }) => linkType)).toEqual(["PublicKeyLink"]);
});
