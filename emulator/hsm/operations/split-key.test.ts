import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { item, type KmipClient, payloadOf, VERSIONS } from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Bytes, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** Create Split Key and Join Split Key (KMIP 1.2 §4.38, §4.39), which 1.2 brought; one-time pads, which 1.3 brought. */

let test: TestHsm;
let alice: KeyAndCertificate;
beforeAll(async () => {
  test = await testHsm();
  alice = await issueClient(test.pki.dir, "alice");
}, 30_000);
afterAll(() => test.close());

const since = (minor: number) =>
  VERSIONS.filter((version) => version.major > 1 || version.minor >= minor).map(
    (version) => [`${version.major}.${version.minor}`, version] as const,
  );
const KEY: Bytes = new Uint8Array(Buffer.from("0102030405060708090a0b0c0d0e0f10", "hex"));

describe.each(since(2))("the parts of a key by KMIP %s", (_, version) => {
  let client: KmipClient;
  beforeAll(() => {
    client = test.as(alice, version);
  });

  const register = async () => {
    const { uniqueIdentifier } = await client.request("Register", {
      objectType: "SymmetricKey",
      attributes: { cryptographicUsageMask: ["Encrypt", "Decrypt"] },
      object: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: KEY },
            cryptographicAlgorithm: "AES",
            cryptographicLength: 128,
          },
        },
      },
    });
    return uniqueIdentifier;
  };
  const split = (uniqueIdentifier: string, method: "XOR" | "PolynomialSharingGF2_8", threshold: number) =>
    client.request("CreateSplitKey", {
      objectType: "SplitKey",
      uniqueIdentifier,
      splitKeyParts: 4,
      splitKeyThreshold: threshold,
      splitKeyMethod: method,
    });
  const part = async (uniqueIdentifier?: string) => {
    const answer = await client.request("Get", uniqueIdentifier === undefined ? {} : { uniqueIdentifier });
    return [answer.uniqueIdentifier, answer.object.splitKey?.keyPartIdentifier];
  };

  it.each([
    ["XOR", 4],
    ["PolynomialSharingGF2_8", 2],
  ] as const)(
    "answer to their own identifiers, in order, and make the key again: %s",
    async (method, threshold) => {
      const uid = await register();
      const { uniqueIdentifier: parts } = await split(uid, method, threshold);
      expect(new Set([uid, ...parts]).size).toBe(5);
      const told = [];
      for (const one of parts) told.push(await part(one));
      expect(told).toEqual(parts.map((one, index) => [one, index + 1]));
      const join = (uniqueIdentifier: string[]) =>
        client.request("JoinSplitKey", {
          objectType: "SymmetricKey",
          uniqueIdentifier,
          attributes: { ...AES, cryptographicLength: 128, cryptographicUsageMask: ["Encrypt"] },
        });
      const joined = await join(parts.slice(-threshold).toReversed());
      const { object } = await client.request("Get", joined);
      expect(object.symmetricKey?.keyBlock.keyValue).toEqual({ keyMaterial: KEY });
      expect(await reason(join([parts[1]!]))).toBe("CryptographicFailure");
      // The key itself and its parts live on their own.
      await client.request("Destroy", { uniqueIdentifier: uid });
      expect(await part(parts[3])).toEqual([parts[3], 4]);
    },
  );

  it("are followed in a batch by the first", async () => {
    const answers = await client.batch([
      item("CreateSplitKey", {
        objectType: "SplitKey",
        splitKeyParts: 3,
        splitKeyThreshold: 3,
        splitKeyMethod: "XOR",
        attributes: { cryptographicAlgorithm: "AES", cryptographicLength: 128 },
      }),
      item("Get", {}),
    ]);
    const { uniqueIdentifier: parts } = payloadOf(answers[0]);
    const got = payloadOf(answers[1]);
    expect([got.uniqueIdentifier, got.object.splitKey?.keyPartIdentifier]).toEqual([parts[0], 1]);
  });
});

describe.each(since(3))("a one-time pad by KMIP %s", (_, version) => {
  it("encrypts and decrypts as much as it has, and is told to nobody", async () => {
    const client = test.as(alice, version);
    const keyMaterial = new Uint8Array(Buffer.from("fc932e1428bd", "hex"));
    const { uniqueIdentifier } = await client.request("Register", {
      objectType: "SecretData",
      attributes: {
        cryptographicUsageMask: ["Encrypt", "Decrypt"],
        cryptographicAlgorithm: "OneTimePad",
        cryptographicLength: 48,
        activationDate: PAST,
      },
      object: {
        secretData: {
          secretDataType: "Password",
          keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial } },
        },
      },
    });
    // TC-OTP-1
    const data = new Uint8Array(Buffer.from("010203040506", "hex"));
    const encrypted = await client.request("Encrypt", { uniqueIdentifier, data });
    expect(Buffer.from(encrypted.data!).toString("hex")).toBe("fd912d102dbb");
    const decrypted = await client.request("Decrypt", { uniqueIdentifier, data: encrypted.data! });
    expect(decrypted.data).toEqual(data);
    expect(await reason(client.request("Encrypt", { uniqueIdentifier, data: new Uint8Array(7) }))).not.toBe(
      "Success",
    );
    expect(await reason(client.request("Get", { uniqueIdentifier }))).toBe("PermissionDenied");
  });
});
