import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { keyBytes, PAST } from "../testing/hierarchy.ts";

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

const createPair = (attributes: Attributes, forPrivate: "Sign" | "DeriveKey") =>
  client.request("CreateKeyPair", {
    commonAttributes: { activationDate: PAST, ...attributes },
    privateKeyAttributes: { cryptographicUsageMask: [forPrivate] },
    publicKeyAttributes: { cryptographicUsageMask: [forPrivate === "Sign" ? "Verify" : "DeriveKey"] },
  });

describe("pairs that sign", () => {
  it.each<Attributes>([
    { cryptographicAlgorithm: "Ed25519" },
    { cryptographicAlgorithm: "Ed448" },
    { cryptographicAlgorithm: "EC", cryptographicDomainParameters: { recommendedCurve: "BRAINPOOLP256R1" } },
    { cryptographicAlgorithm: "ECDSA", cryptographicDomainParameters: { recommendedCurve: "P_521" } },
  ])("%o", async (attributes) => {
    const pair = await createPair(attributes, "Sign");
    const data = new Uint8Array(100);
    const { signatureData } = await client.request("Sign", {
      uniqueIdentifier: pair.privateKeyUniqueIdentifier,
      data,
    });
    const uniqueIdentifier = pair.publicKeyUniqueIdentifier;
    const verify = async (signed: Uint8Array<ArrayBuffer>) =>
      (
        await client.request("SignatureVerify", {
          uniqueIdentifier,
          data: signed,
          signatureData: signatureData!,
        })
      ).validityIndicator;
    expect(await verify(data)).toBe("Valid");
    expect(await verify(new Uint8Array(99))).toBe("Invalid");
  });
});

describe("pairs that agree", () => {
  it.each(["CURVE25519", "CURVE448", "SECP256K1"] as const)("on %s", async (recommendedCurve) => {
    const attributes: Attributes = {
      cryptographicAlgorithm: "ECDH",
      cryptographicDomainParameters: { recommendedCurve },
    };
    const pairs = [await createPair(attributes, "DeriveKey"), await createPair(attributes, "DeriveKey")];
    const secrets = await Promise.all(
      [0, 1].map(async (at) => {
        const derived = await client.request("DeriveKey", {
          objectType: "SecretData",
          uniqueIdentifier: [pairs[at]!.privateKeyUniqueIdentifier, pairs[1 - at]!.publicKeyUniqueIdentifier],
          derivationMethod: "AsymmetricKey",
          derivationParameters: {},
          attributes: { cryptographicUsageMask: ["DeriveKey"], cryptographicLength: 256 },
        });
        return keyBytes(await client.request("Get", derived));
      }),
    );
    expect(secrets[0]).toEqual(secrets[1]);
  });
});
