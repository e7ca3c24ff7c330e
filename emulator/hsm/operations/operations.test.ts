import { createPublicKey, createVerify, generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { named } from "#protocol/hierarchy/index.ts";
import { type Attributes, type KmipClient, KmipError, type ManagedObject } from "#protocol/kmip/index.ts";
import { unwrapAes } from "../crypto/aes-key-wrap.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, aesKw, type Bytes, keyBytes, PAST } from "../testing/hierarchy.ts";

let test: TestHsm;
let alice: KeyAndCertificate;
let clock = () => new Date();
beforeAll(async () => {
  test = await testHsm({ now: () => clock() });
  alice = await issueClient(test.pki.dir, "alice");
}, 30_000);
afterAll(() => test.close());

const HEX = (text: string): Bytes => new Uint8Array(Buffer.from(text, "hex"));
const failing = (answer: Promise<unknown>, code: string) =>
  expect(answer).rejects.toSatisfy((error) => error instanceof KmipError && error.code === code);

const VERSIONS = [
  { major: 1, minor: 4 },
  { major: 2, minor: 0 },
  { major: 2, minor: 1 },
];

describe.each(VERSIONS.map((version) => [`${version.major}.${version.minor}`, version] as const))(
  "KMIP %s",
  (_, version) => {
    let client: KmipClient;
    let count = 0;
    const fresh = () => `${version.major}.${version.minor} ${count++}`;
    beforeAll(() => {
      client = test.as(alice, version);
    });

    const register = async (keyMaterial: Bytes, more: Attributes) => {
      const attributes = {
        ...AES,
        cryptographicLength: keyMaterial.length * 8,
        activationDate: PAST,
        ...more,
      };
      const { cryptographicAlgorithm, cryptographicLength } = attributes;
      const { uniqueIdentifier } = await client.request("Register", {
        objectType: "SymmetricKey",
        attributes,
        object: {
          symmetricKey: {
            keyBlock: {
              keyFormatType: "Raw",
              keyValue: { keyMaterial },
              cryptographicAlgorithm,
              cryptographicLength,
            },
          },
        },
      });
      return uniqueIdentifier;
    };

    it("an object passes through its states, by command and by date", async () => {
      const state = async (uniqueIdentifier: string) =>
        (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: ["state"] }))
          .attributes.state;
      const create = async (more: Attributes = {}) =>
        (
          await client.request("Create", {
            objectType: "SymmetricKey",
            attributes: { ...AES, cryptographicUsageMask: ["Encrypt", "Decrypt"], ...more },
          })
        ).uniqueIdentifier;
      const uniqueIdentifier = await create();
      expect(await state(uniqueIdentifier)).toBe("PreActive");
      await failing(
        client.request("Encrypt", { uniqueIdentifier, data: new Uint8Array(16) }),
        version.minor === 1 ? "WrongKeyLifecycleState" : "PermissionDenied",
      );
      await client.request("Activate", { uniqueIdentifier });
      expect(await state(uniqueIdentifier)).toBe("Active");
      await expect(client.request("Destroy", { uniqueIdentifier })).rejects.toThrow(KmipError);
      await client.request("Revoke", {
        uniqueIdentifier,
        revocationReason: { revocationReasonCode: "CessationOfOperation" },
      });
      expect(await state(uniqueIdentifier)).toBe("Deactivated");
      await client.request("Destroy", { uniqueIdentifier });
      expect(await state(uniqueIdentifier)).toBe("Destroyed");
      await failing(
        client.request("Get", { uniqueIdentifier }),
        version.major === 1 ? "ItemNotFound" : "ObjectDestroyed",
      );
      const dated = await create({
        activationDate: new Date(Date.now() + 3600_000),
        deactivationDate: new Date(Date.now() + 7200_000),
      });
      expect(await state(dated)).toBe("PreActive");
      clock = () => new Date(Date.now() + 3700_000);
      expect(await state(dated)).toBe("Active");
      clock = () => new Date(Date.now() + 7300_000);
      expect(await state(dated)).toBe("Deactivated");
      clock = () => new Date();
    });

    it("wraps by AES-KW and AES-KWP, bare and as TTLV", async () => {
      const kek = HEX("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
      const wrappingKey = await register(kek, { cryptographicUsageMask: ["WrapKey", "UnwrapKey"] });
      const data = HEX("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
      const uniqueIdentifier = await register(data, { cryptographicUsageMask: ["Encrypt"] });
      const get = async (
        blockCipherMode: "NISTKeyWrap" | "AESKeyWrapPadding",
        encodingOption?: "NoEncoding",
      ) => {
        const keyWrappingSpecification = aesKw(wrappingKey);
        keyWrappingSpecification.encryptionKeyInformation!.cryptographicParameters = { blockCipherMode };
        keyWrappingSpecification.encodingOption = encodingOption;
        return keyBytes(await client.request("Get", { uniqueIdentifier, keyWrappingSpecification }));
      };
      // RFC 3394 §4.6
      expect(encodeHex(await get("NISTKeyWrap", "NoEncoding"))).toBe(
        "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
      );
      const padded = await get("AESKeyWrapPadding", "NoEncoding");
      expect(unwrapAes("AESKeyWrapPadding", kek, padded)).toEqual(data);
      for (const mode of ["NISTKeyWrap", "AESKeyWrapPadding"] as const)
        expect(encodeHex(unwrapAes(mode, kek, await get(mode)))).toBe(
          `42004501000000284200430800000020${encodeHex(data)}`,
        );
    });

    it("imports a key that a resident key wrapped, under an identifier of the client's", async () => {
      const wrappingKey = await register(new Uint8Array(32).fill(3), {
        cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      });
      const key = await register(new Uint8Array(16).fill(9), { cryptographicUsageMask: ["Encrypt"] });
      for (const encodingOption of ["NoEncoding", "TTLVEncoding"] as const) {
        const keyWrappingSpecification = { ...aesKw(wrappingKey), encodingOption };
        const { object } = await client.request("Get", { uniqueIdentifier: key, keyWrappingSpecification });
        const uniqueIdentifier = crypto.randomUUID();
        await client.request("Import", {
          uniqueIdentifier,
          objectType: "SymmetricKey",
          keyWrapType: "NotWrapped",
          attributes: {
            cryptographicAlgorithm: "AES",
            cryptographicLength: 128,
            cryptographicUsageMask: ["Encrypt"],
          },
          object: object as ManagedObject,
        });
        expect(keyBytes(await client.request("Get", { uniqueIdentifier }))).toEqual(
          new Uint8Array(16).fill(9),
        );
        await expect(
          client.request("Import", {
            uniqueIdentifier,
            objectType: "SymmetricKey",
            attributes: { cryptographicAlgorithm: "AES", cryptographicUsageMask: ["Encrypt"] },
            object: object as ManagedObject,
          }),
        ).rejects.toThrow(KmipError);
      }
    });

    it("encrypts with AES in its modes and refuses what was altered", async () => {
      const uniqueIdentifier = await register(HEX("2b7e151628aed2a6abf7158809cf4f3c"), {
        cryptographicUsageMask: ["Encrypt", "Decrypt"],
      });
      // NIST SP 800-38A §F.1.1, F.2.1, F.5.1
      const block = HEX("6bc1bee22e409f96e93d7e117393172a");
      for (const [blockCipherMode, iv, expected] of [
        ["ECB", undefined, "3ad77bb40d7a3660a89ecaf32466ef97"],
        ["CBC", "000102030405060708090a0b0c0d0e0f", "7649abac8119b246cee98e9b12e9197d"],
        ["CTR", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "874d6191b620e3261bef6864990db6ce"],
      ] as const) {
        const request = {
          uniqueIdentifier,
          cryptographicParameters: { blockCipherMode },
          ...(iv ? { ivCounterNonce: HEX(iv) } : {}),
        };
        const { data } = await client.request("Encrypt", { ...request, data: block });
        expect(encodeHex(data!)).toBe(expected);
        expect((await client.request("Decrypt", { ...request, data })).data).toEqual(block);
      }
      const gcm = {
        uniqueIdentifier,
        cryptographicParameters: { blockCipherMode: "GCM", tagLength: 16 } as const,
        authenticatedEncryptionAdditionalData: Uint8Array.of(1, 2),
      };
      const sealed = await client.request("Encrypt", { ...gcm, data: block });
      const open = (change: object) =>
        client.request("Decrypt", {
          ...gcm,
          data: sealed.data,
          ivCounterNonce: sealed.ivCounterNonce,
          authenticatedEncryptionTag: sealed.authenticatedEncryptionTag,
          ...change,
        });
      expect((await open({})).data).toEqual(block);
      await failing(
        open({ authenticatedEncryptionAdditionalData: Uint8Array.of(1, 3) }),
        "CryptographicFailure",
      );
      await failing(open({ data: HEX("00".repeat(16)) }), "CryptographicFailure");
      await expect(
        open({ authenticatedEncryptionTag: sealed.authenticatedEncryptionTag!.subarray(0, 4) }),
      ).rejects.toThrow(KmipError);
    });

    it("makes EC and RSA pairs, signs and verifies, and gives keys in their formats", async () => {
      const data = Uint8Array.of(1, 2, 3);
      for (const [algorithm, extra, parameters] of [
        [
          "EC",
          { cryptographicDomainParameters: { recommendedCurve: "P_256" } },
          { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
        ],
        [
          "EC",
          { cryptographicDomainParameters: { recommendedCurve: "P_384" } },
          { digitalSignatureAlgorithm: "ECDSAWithSHA384" },
        ],
        ["RSA", { cryptographicLength: 2048 }, { paddingMethod: "PSS", hashingAlgorithm: "SHA_256" }],
      ] as const) {
        const pair = await client.request("CreateKeyPair", {
          commonAttributes: { cryptographicAlgorithm: algorithm, activationDate: PAST, ...extra },
          privateKeyAttributes: { cryptographicUsageMask: ["Sign"], sensitive: true, name: named(fresh()) },
          publicKeyAttributes: { cryptographicUsageMask: ["Verify"], name: named(fresh()) },
        });
        const cryptographicParameters = parameters as object;
        const { signatureData } = await client.request("Sign", {
          uniqueIdentifier: pair.privateKeyUniqueIdentifier,
          cryptographicParameters,
          data,
        });
        const verify = async (change: object) =>
          (
            await client.request("SignatureVerify", {
              uniqueIdentifier: pair.publicKeyUniqueIdentifier,
              cryptographicParameters,
              data,
              signatureData,
              ...change,
            })
          ).validityIndicator;
        expect(await verify({})).toBe("Valid");
        expect(await verify({ data: Uint8Array.of(1, 2, 4) })).toBe("Invalid");
        await failing(
          client.request("Get", { uniqueIdentifier: pair.privateKeyUniqueIdentifier }),
          "Sensitive",
        );
        const spki = keyBytes(
          await client.request("Get", {
            uniqueIdentifier: pair.publicKeyUniqueIdentifier,
            keyFormatType: "X_509",
          }),
        );
        const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
        if (
          parameters &&
          "digitalSignatureAlgorithm" in parameters &&
          parameters.digitalSignatureAlgorithm.endsWith("256")
        )
          expect(createVerify("sha256").update(data).verify(key, signatureData!)).toBe(true);
        const form = algorithm === "RSA" ? "TransparentRSAPublicKey" : "TransparentECPublicKey";
        const { object } = await client.request("Get", {
          uniqueIdentifier: pair.publicKeyUniqueIdentifier,
          keyFormatType: form,
        });
        const again = await client.request("Register", {
          objectType: "PublicKey",
          attributes: { cryptographicUsageMask: ["Verify"] },
          object,
        });
        expect(keyBytes(await client.request("Get", { ...again, keyFormatType: "X_509" }))).toEqual(spki);
      }
    });

    it("gives and takes a private key as PKCS#12, under a password that is active", async () => {
      const secret = await client.request("Register", {
        objectType: "SecretData",
        attributes: { cryptographicUsageMask: ["DeriveKey"] },
        object: {
          secretData: {
            secretDataType: "Password",
            keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: HEX("70617373776f7264") } },
          },
        },
      });
      const link = [
        { linkType: "PKCS_12PasswordLink" as const, linkedObjectIdentifier: secret.uniqueIdentifier },
      ];
      const pair = await client.request("CreateKeyPair", {
        commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256 },
        privateKeyAttributes: { cryptographicUsageMask: ["Sign"], link },
        publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
      });
      const uniqueIdentifier = pair.privateKeyUniqueIdentifier;
      const certified = await client.request("Certify", {
        uniqueIdentifier: pair.publicKeyUniqueIdentifier,
        attributes: {},
      });
      await client.request("AddAttribute", {
        uniqueIdentifier,
        newAttribute: {
          link: [
            {
              linkType: "PKCS_12CertificateLink",
              linkedObjectIdentifier: certified.uniqueIdentifier,
            },
          ],
        },
      });
      const get = () => client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_12" });
      const wrongState = version.minor === 1 ? "WrongKeyLifecycleState" : "PermissionDenied";
      await failing(get(), wrongState);
      await client.request("Activate", secret);
      const { object } = await get();
      expect(object.privateKey!.keyBlock.keyValue instanceof Uint8Array).toBe(version.major === 1);
      const bring = (more: Attributes, value = object) =>
        client.request("Register", {
          objectType: "PrivateKey",
          attributes: { cryptographicUsageMask: ["Sign"], ...more },
          object: value,
        });
      const again = await bring({ link, pkcs_12FriendlyName: "alias" });
      const { object: brought } = await client.request("Get", again);
      expect(brought.privateKey!.keyBlock).toMatchObject({
        keyFormatType: "PKCS_8",
        cryptographicAlgorithm: "EC",
        cryptographicLength: 256,
      });
      expect(keyBytes({ object: brought })).toEqual(
        keyBytes(await client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_8" })),
      );
      const { attributes } = await client.request("GetAttributes", {
        ...again,
        attributeReference: ["link"],
      });
      const chain = attributes.link!.find(({ linkType }) => linkType === "PKCS_12CertificateLink")!;
      const certificate = { uniqueIdentifier: String(chain.linkedObjectIdentifier) };
      expect((await client.request("Get", certificate)).object).toEqual(
        (await client.request("Get", certified)).object,
      );
      // Without a password it is kept as it came.
      expect((await client.request("Get", await bring({}))).object).toEqual(object);
      const broken = keyBytes({ object }).slice(0, -1);
      const keyValue = version.major === 1 ? broken : { keyMaterial: broken };
      const value = { privateKey: { keyBlock: { ...object.privateKey!.keyBlock, keyValue } } };
      await failing(bring({ link }, value), "InvalidField");
    });

    it("wraps a key by RSA-OAEP with SHA-256 to a registered public key", async () => {
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const { uniqueIdentifier: wrappingKey } = await client.request("Register", {
        objectType: "PublicKey",
        attributes: { cryptographicUsageMask: ["WrapKey"], activationDate: PAST },
        object: {
          publicKey: {
            keyBlock: {
              keyFormatType: "X_509",
              keyValue: { keyMaterial: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) },
            },
          },
        },
      });
      const key = await register(new Uint8Array(32).fill(5), { cryptographicUsageMask: ["Encrypt"] });
      const wrapped = keyBytes(
        await client.request("Get", {
          uniqueIdentifier: key,
          keyWrappingSpecification: {
            wrappingMethod: "Encrypt",
            encodingOption: "NoEncoding",
            encryptionKeyInformation: {
              uniqueIdentifier: wrappingKey,
              cryptographicParameters: { paddingMethod: "OAEP", hashingAlgorithm: "SHA_256" },
            },
          },
        }),
      );
      const opened = await crypto.subtle.decrypt(
        { name: "RSA-OAEP" },
        await crypto.subtle.importKey(
          "pkcs8",
          new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" })),
          { name: "RSA-OAEP", hash: "SHA-256" },
          false,
          ["decrypt"],
        ),
        wrapped,
      );
      expect(new Uint8Array(opened)).toEqual(new Uint8Array(32).fill(5));
    });

    it("locates by attributes, newest first, in pages, and not what others own", async () => {
      const group = fresh();
      const made: string[] = [];
      for (let i = 0; i < 3; i++)
        made.unshift(
          await register(new Uint8Array(16).fill(i), {
            cryptographicUsageMask: ["Encrypt"],
            objectGroup: [group],
          }),
        );
      const locate = async (more: object, attributes: Attributes = {}) =>
        (await client.request("Locate", { attributes: { objectGroup: [group], ...attributes }, ...more }))
          .uniqueIdentifier;
      expect(await locate({})).toEqual(made);
      expect(await locate({ maximumItems: 2 })).toEqual(made.slice(0, 2));
      expect(await locate({ maximumItems: 2, offsetItems: 2 })).toEqual(made.slice(2));
      expect(await locate({}, { state: "Active", cryptographicUsageMask: ["Encrypt"] })).toEqual(made);
      expect(await locate({}, { state: "PreActive" })).toEqual([]);
      const bob = test.as(await issueClient(test.pki.dir, "bob"), version);
      expect(
        (await bob.request("Locate", { attributes: { objectGroup: [group] } })).uniqueIdentifier,
      ).toEqual([]);
      await expect(bob.request("Get", { uniqueIdentifier: made[0] })).rejects.toThrow(KmipError);
    });

    it("keeps names apart, adds, changes and deletes attributes, and leaves the server's own alone", async () => {
      const name = fresh();
      const uniqueIdentifier = await register(new Uint8Array(16), {
        cryptographicUsageMask: ["Encrypt"],
        name: named(name),
      });
      await expect(register(new Uint8Array(16), { name: named(name) })).rejects.toThrow(KmipError);
      const read = async () =>
        (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;
      await client.request("AddAttribute", { uniqueIdentifier, newAttribute: { contactInformation: "a" } });
      await client.request("ModifyAttribute", {
        uniqueIdentifier,
        newAttribute: { contactInformation: "b" },
      });
      expect((await read()).contactInformation).toBe("b");
      await client.request("DeleteAttribute", { uniqueIdentifier, attributeReference: "contactInformation" });
      expect((await read()).contactInformation).toBeUndefined();
      for (const newAttribute of [
        { state: "Active" },
        { initialDate: PAST },
        { alwaysSensitive: true },
      ] as Attributes[])
        await expect(client.request("ModifyAttribute", { uniqueIdentifier, newAttribute })).rejects.toThrow(
          KmipError,
        );
      const { attributeReference } = await client.request("GetAttributeList", { uniqueIdentifier });
      expect(attributeReference).toEqual(expect.arrayContaining(["name", "state", "initialDate", "digest"]));
    });

    it("answers Query and Discover Versions, and gives random bytes", async () => {
      const { operation } = await client.request("Query", {
        queryFunction: ["QueryOperations", "QueryObjects"],
      });
      expect(operation).toEqual(expect.arrayContaining(["Create", "Import", "Sign"]));
      const { protocolVersion } = await client.request("DiscoverVersions", { protocolVersion: [] });
      expect(protocolVersion[0]).toEqual({ major: 2, minor: 1 });
      const [a, b] = await Promise.all([
        client.request("RNGRetrieve", { dataLength: 32 }),
        client.request("RNGRetrieve", { dataLength: 32 }),
      ]);
      expect(a.data.length).toBe(32);
      expect(a.data).not.toEqual(b.data);
    });
  },
);

it("tells of defaults that there are none", async () => {
  const told = await test.as(alice).request("Query", { queryFunction: ["QueryDefaultsInformation"] });
  expect(told.defaultsInformation).toBeDefined();
});

it("refuses a version that it does not know", async () => {
  const client = test.as(alice, { major: 3, minor: 0 });
  await expect(client.request("DiscoverVersions", { protocolVersion: [] })).rejects.toThrow("version");
});
