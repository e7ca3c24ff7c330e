/** What others do to an object while an operation on it takes its time. */

import { afterAll, beforeAll, expect, it } from "vitest";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

const ROUNDS = 2_000_000;
let hsm: TestHsm;
let alice: KmipClient;
let aliceToo: KmipClient;

beforeAll(async () => {
  hsm = await testHsm();
  const credential = await issueClient(hsm.pki.dir, "alice");
  alice = hsm.as(credential);
  aliceToo = hsm.as(credential);
});
afterAll(() => hsm.close());

/** Long enough for a request to have begun. */
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

function keep(
  uniqueIdentifier: string,
  bytes: Uint8Array<ArrayBuffer>,
  secrecy: object,
  replaceExisting: boolean,
) {
  const attributes = {
    cryptographicAlgorithm: "AES",
    cryptographicLength: 256,
    activationDate: PAST,
  } as const;
  const keyBlock = {
    keyFormatType: "Raw",
    keyValue: { keyMaterial: bytes },
    cryptographicAlgorithm: "AES",
    cryptographicLength: 256,
  } as const;
  return aliceToo.request("Import", {
    uniqueIdentifier,
    objectType: "SymmetricKey",
    replaceExisting,
    attributes: { ...attributes, ...secrecy, cryptographicUsageMask: ["DeriveKey"] },
    object: { symmetricKey: { keyBlock } },
  });
}

it.each([
  ["sensitive", { sensitive: true }],
  ["not extractable", { extractable: false }],
])(
  "what comes from a key that is %s stays as secret when a laxer key takes its place meanwhile",
  async (_, secrecy) => {
    const uid = crypto.randomUUID();
    await keep(uid, new Uint8Array(32).fill(7), secrecy, false);
    const derive = (cryptographicLength: number, iterationCount: number) =>
      alice.request("DeriveKey", {
        objectType: "SecretData",
        uniqueIdentifier: [uid],
        derivationMethod: "PBKDF2",
        derivationParameters: { salt: new Uint8Array(8), iterationCount },
        attributes: { cryptographicLength },
      });
    expect(await reason(derive(8, 1))).toBe("InvalidField");
    const whileReplaced = async (cryptographicLength: number) => {
      const deriving = derive(cryptographicLength, ROUNDS);
      await soon();
      await keep(uid, new Uint8Array(32), {}, true);
      return deriving;
    };
    expect(await reason(whileReplaced(8))).toBe("InvalidField");
    await keep(uid, new Uint8Array(32).fill(7), secrecy, true);
    const { uniqueIdentifier } = await whileReplaced(256);
    const { attributes } = await alice.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["sensitive", "extractable"],
    });
    expect(attributes).toMatchObject(secrecy);
  },
);

it("a pair that is being made in place of another may do no more than the other may by then", async () => {
  const { privateKeyUniqueIdentifier } = await alice.request("CreateKeyPair", {
    commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072, activationDate: PAST },
    privateKeyAttributes: { cryptographicUsageMask: ["Sign", "Decrypt"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify", "Encrypt"] },
  });
  const making = alice.request("ReKeyKeyPair", { privateKeyUniqueIdentifier });
  const set = { uniqueIdentifier: privateKeyUniqueIdentifier };
  await aliceToo.request("ModifyAttribute", { ...set, newAttribute: { cryptographicUsageMask: ["Sign"] } });
  await aliceToo.request("SetAttribute", { ...set, newAttribute: { sensitive: true } });
  const made = await making;
  const { attributes } = await alice.request("GetAttributes", {
    uniqueIdentifier: made.privateKeyUniqueIdentifier,
    attributeReference: ["cryptographicUsageMask", "sensitive"],
  });
  expect(attributes).toMatchObject({ cryptographicUsageMask: ["Sign"], sensitive: true });
});

it.each<[string, (set: { uniqueIdentifier: string }) => Promise<unknown>, string]>([
  [
    "sensitive",
    (set) => aliceToo.request("SetAttribute", { ...set, newAttribute: { sensitive: true } }),
    "Sensitive",
  ],
  [
    "not extractable",
    (set) => aliceToo.request("SetAttribute", { ...set, newAttribute: { extractable: false } }),
    "NotExtractable",
  ],
  ["archived", (set) => aliceToo.request("Archive", set), "ObjectArchived"],
  ["destroyed", (set) => aliceToo.request("Destroy", set), "ObjectDestroyed"],
])("a key that becomes %s while it is split is not had in parts", async (_, change, expected) => {
  const keyMaterial = new Uint8Array(1024).fill(5);
  const { uniqueIdentifier } = await alice.request("Register", {
    objectType: "SecretData",
    attributes: {},
    object: {
      secretData: {
        secretDataType: "Seed",
        keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial } },
      },
    },
  });
  const splitting = reason(
    alice.request("CreateSplitKey", {
      objectType: "SplitKey",
      uniqueIdentifier,
      splitKeyParts: 180,
      splitKeyThreshold: 180,
      splitKeyMethod: "PolynomialSharingGF2_8",
      attributes: {},
    }),
  );
  await change({ uniqueIdentifier });
  expect(await splitting).toBe(expected);
});
