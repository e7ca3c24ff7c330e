import { createDecipheriv, createHash, createHmac, createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConnectedKmipClient, connectKmip } from "#kmip-node/index.ts";
import { type Attributes, item, payloadOf } from "#protocol/kmip/index.ts";
import { findPython, missing } from "../support/missing.ts";
import { type PyKmipServer, startPyKmipServer } from "./pykmip/server.ts";

const AES: Attributes = {
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  cryptographicUsageMask: ["Encrypt", "Decrypt", "MACGenerate"],
};

describe.skipIf(missing("python3-pykmip", findPython("import kmip")))(
  "our client with PyKMIP's server",
  () => {
    let dir: string;
    let server: PyKmipServer;
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), "coffer-pykmip-"));
      server = await startPyKmipServer(dir);
    });
    afterAll(async () => {
      await server?.close();
      if (dir) rmSync(dir, { recursive: true, force: true });
    });

    const connect = (versions?: readonly [{ major: number; minor: number }]) => {
      const { host, port, ...options } = server.connection;
      return connectKmip({ ...options, servers: [{ host, port }], ...(versions ? { versions } : {}) });
    };

    it("takes the newest version that it knows", async () => {
      const client = await connect();
      expect(client.version).toEqual({ major: 2, minor: 0 });
      client.close();
    });

    describe.each([
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 0],
    ])("KMIP %i.%i", (major, minor) => {
      const since = (wanted: number) => major * 10 + minor >= wanted;
      let client: ConnectedKmipClient;
      beforeAll(async () => {
        client = await connect([{ major, minor }]);
      });
      afterAll(() => client?.close());

      const register = async (key: Uint8Array, attributes: Attributes) => {
        const { uniqueIdentifier } = await client.request("Register", {
          objectType: "SymmetricKey",
          attributes,
          object: {
            symmetricKey: {
              keyBlock: {
                keyFormatType: "Raw",
                keyValue: { keyMaterial: key },
                cryptographicAlgorithm: "AES",
                cryptographicLength: key.length * 8,
              },
            },
          },
        });
        await client.request("Activate", { uniqueIdentifier });
        return uniqueIdentifier;
      };

      it("discovers and queries", async () => {
        if (since(11)) {
          const { protocolVersion } = await client.request("DiscoverVersions", { protocolVersion: [] });
          expect(protocolVersion).toContainEqual({ major, minor });
        }
        const answer = await client.request("Query", {
          queryFunction: ["QueryOperations", "QueryObjects", "QueryServerInformation"],
        });
        expect(answer.operation).toContain("Create");
        expect(answer.vendorIdentification).toContain("PyKMIP");
      });

      it("creates, reads, locates, changes and ends a key", async () => {
        const name = `key ${major}.${minor}`;
        const { uniqueIdentifier } = await client.request("Create", {
          objectType: "SymmetricKey",
          attributes: { ...AES, name: [{ nameValue: name, nameType: "UninterpretedTextString" }] },
        });
        const { object } = await client.request("Get", { uniqueIdentifier });
        const { keyValue } = object.symmetricKey!.keyBlock;
        expect((keyValue as { keyMaterial: Uint8Array }).keyMaterial.length).toBe(32);
        const { attributeReference } = await client.request("GetAttributeList", { uniqueIdentifier });
        expect(attributeReference).toContain("cryptographicLength");
        const { attributes } = await client.request("GetAttributes", {
          uniqueIdentifier,
          attributeReference: [],
        });
        expect(attributes).toMatchObject({ ...AES, objectType: "SymmetricKey", state: "PreActive" });
        const found = await client.request("Locate", {
          attributes: { name: [{ nameValue: name, nameType: "UninterpretedTextString" }] },
        });
        expect(found.uniqueIdentifier).toEqual([uniqueIdentifier]);
        if (since(20)) {
          await client.request("SetAttribute", { uniqueIdentifier, newAttribute: { sensitive: true } });
          const { attributes } = await client.request("GetAttributes", {
            uniqueIdentifier,
            attributeReference: ["sensitive"],
          });
          expect(attributes).toMatchObject({ sensitive: true });
        }
        await client.request("Activate", { uniqueIdentifier });
        await client.request("Revoke", {
          uniqueIdentifier,
          revocationReason: { revocationReasonCode: "CessationOfOperation" },
        });
        await client.request("Destroy", { uniqueIdentifier });
        await expect(client.request("Get", { uniqueIdentifier })).rejects.toMatchObject({
          code: "ItemNotFound",
        });
      });

      it.runIf(since(11))("registers a key and has it wrapped", async () => {
        const key = Uint8Array.from({ length: 16 }, (_, i) => i);
        const wrapping = await register(new Uint8Array(16).fill(7), {
          cryptographicAlgorithm: "AES",
          cryptographicLength: 128,
          cryptographicUsageMask: ["WrapKey"],
        });
        const uniqueIdentifier = await register(key, { ...AES, cryptographicLength: 128 });
        const { object } = await client.request("Get", {
          uniqueIdentifier,
          keyWrappingSpecification: {
            wrappingMethod: "Encrypt",
            encryptionKeyInformation: {
              uniqueIdentifier: wrapping,
              cryptographicParameters: { blockCipherMode: "NISTKeyWrap" },
            },
            encodingOption: "NoEncoding",
          },
        });
        const { keyMaterial } = object.symmetricKey!.keyBlock.keyValue as { keyMaterial: Uint8Array };
        const unwrap = createDecipheriv("id-aes128-wrap", new Uint8Array(16).fill(7), Buffer.alloc(8, 0xa6));
        expect(new Uint8Array(Buffer.concat([unwrap.update(keyMaterial), unwrap.final()]))).toEqual(key);
      });

      it("makes an RSA key pair", async () => {
        const made = await client.request("CreateKeyPair", {
          commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
          privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
          publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
        });
        const { object } = await client.request("Get", { uniqueIdentifier: made.publicKeyUniqueIdentifier });
        const { keyMaterial } = object.publicKey!.keyBlock.keyValue as { keyMaterial: Uint8Array };
        const publicKey = createPublicKey({ key: Buffer.from(keyMaterial), format: "der", type: "pkcs1" });
        expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
        if (!since(12)) return;
        await client.request("Activate", { uniqueIdentifier: made.privateKeyUniqueIdentifier });
        const data = new TextEncoder().encode("message");
        const { signatureData } = await client.request("Sign", {
          uniqueIdentifier: made.privateKeyUniqueIdentifier,
          cryptographicParameters: {
            paddingMethod: "PKCS1V1_5",
            hashingAlgorithm: "SHA_256",
            cryptographicAlgorithm: "RSA",
          },
          data,
        });
        expect(verify("sha256", data, publicKey, signatureData!)).toBe(true);
      });

      it("derives a key", async () => {
        const { uniqueIdentifier: secret } = await client.request("Register", {
          objectType: "SecretData",
          attributes: { cryptographicUsageMask: ["DeriveKey"] },
          object: {
            secretData: {
              secretDataType: "Password",
              keyBlock: {
                keyFormatType: "Opaque",
                keyValue: { keyMaterial: new TextEncoder().encode("password") },
              },
            },
          },
        });
        const { uniqueIdentifier } = await client.request("DeriveKey", {
          objectType: "SymmetricKey",
          uniqueIdentifier: [secret],
          derivationMethod: "HASH",
          derivationParameters: { cryptographicParameters: { hashingAlgorithm: "SHA_256" } },
          attributes: AES,
        });
        const { object } = await client.request("Get", { uniqueIdentifier });
        const { keyMaterial } = object.symmetricKey!.keyBlock.keyValue as { keyMaterial: Uint8Array };
        expect(Buffer.from(keyMaterial)).toEqual(createHash("sha256").update("password").digest());
      });

      it.runIf(since(12))("encrypts, decrypts and authenticates", async () => {
        const key = new Uint8Array(32).fill(3);
        const uniqueIdentifier = await register(key, AES);
        const cryptographicParameters = {
          blockCipherMode: "CBC",
          paddingMethod: "PKCS5",
          cryptographicAlgorithm: "AES",
        } as const;
        const ivCounterNonce = new Uint8Array(16).fill(1);
        const data = new TextEncoder().encode("plaintext");
        const encrypted = await client.request("Encrypt", {
          uniqueIdentifier,
          cryptographicParameters,
          data,
          ivCounterNonce,
        });
        const decipher = createDecipheriv("aes-256-cbc", key, ivCounterNonce);
        expect(`${decipher.update(encrypted.data!, undefined, "utf8")}${decipher.final("utf8")}`).toBe(
          "plaintext",
        );
        const decrypted = await client.request("Decrypt", {
          uniqueIdentifier,
          cryptographicParameters,
          data: encrypted.data!,
          ivCounterNonce,
        });
        expect(new Uint8Array(decrypted.data!)).toEqual(data);
        const { macData } = await client.request("MAC", {
          uniqueIdentifier,
          cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" },
          data,
        });
        expect(Buffer.from(macData!)).toEqual(createHmac("sha256", key).update(data).digest());
      });

      it("runs a batch with the ID placeholder", async () => {
        // PyKMIP reads no Activate without an identifier.
        const answers = await client.batch([
          item("Create", { objectType: "SymmetricKey", attributes: AES }),
          item("Get", {}),
          item("Get", { uniqueIdentifier: "no such object" }),
          item("Get", {}),
        ]);
        expect(payloadOf(answers[1]).uniqueIdentifier).toBe(payloadOf(answers[0]).uniqueIdentifier);
        expect(answers.slice(2)).toMatchObject([
          { resultReason: "ItemNotFound" },
          { resultStatus: "OperationFailed", resultMessage: "not reached" },
        ]);
      });
    });
  },
);
