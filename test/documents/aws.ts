/** AWS's own Encryption SDK client for Node, as the foreign reader and writer of our documents. */

import { createDecipheriv } from "node:crypto";
import aws from "@aws-crypto/client-node";

/** Suite 0x0478, which we write, and 0x0578, which AWS's clients write where they are not told otherwise. */
export const SUITE = aws.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
export const SIGNED_SUITE =
  aws.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384;
const client = aws.buildClient(aws.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);

export type Message = { plaintext: Uint8Array; context: Record<string, string> };

/** Opens a message with whatever key the keyring finds; rejects when AWS's client refuses it. */
export async function awsOpen(keyring: aws.KeyringNode, message: Uint8Array): Promise<Message> {
  const { plaintext, messageHeader } = await client.decrypt(keyring, message);
  return { plaintext: new Uint8Array(plaintext), context: { ...messageHeader.encryptionContext } };
}

/** Seals a message, of suite 0x0478 where nothing else is said. */
export async function awsSeal(
  keyring: aws.KeyringNode,
  plaintext: Uint8Array,
  context: Record<string, string>,
  frameLength: number,
  suiteId = SUITE,
): Promise<Uint8Array<ArrayBuffer>> {
  const { result } = await client.encrypt(keyring, plaintext, {
    suiteId,
    encryptionContext: context,
    frameLength,
    plaintextLength: plaintext.length,
  });
  return new Uint8Array(result);
}

/** The keyring of `coffer export --release-key`. */
export function releasedKeyring(file: { keyNamespace: string; keyName: string; key: string }) {
  return new aws.RawAesKeyringNode({
    keyNamespace: file.keyNamespace,
    keyName: file.keyName,
    // A Buffer of its own: the SDK wants one that nobody else has a view of.
    unencryptedMasterKey: new Uint8Array(Buffer.from(file.key, "base64url")),
    wrappingSuite: aws.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
}

/** Opens and seals everything with one data key, which it writes as encrypted under `count` keys. */
export class FixedKeyring extends aws.KeyringNode {
  readonly #key: Uint8Array;
  readonly #count: number;

  constructor(key: Uint8Array, count = 1) {
    super();
    this.#key = key;
    this.#count = count;
  }

  override async _onEncrypt(material: aws.NodeEncryptionMaterial): Promise<aws.NodeEncryptionMaterial> {
    const { KeyringTraceFlag: Flag } = aws;
    material.setUnencryptedDataKey(this.#key.slice(), {
      keyNamespace: "test",
      keyName: "fixed",
      flags: Flag.WRAPPING_KEY_GENERATED_DATA_KEY,
    });
    for (let i = 0; i < this.#count; i++) {
      const key = { providerId: "test", providerInfo: `fixed ${i}`, encryptedDataKey: new Uint8Array(i + 1) };
      material.addEncryptedDataKey(new aws.EncryptedDataKey(key), Flag.WRAPPING_KEY_ENCRYPTED_DATA_KEY);
    }
    return material;
  }

  override async _onDecrypt(material: aws.NodeDecryptionMaterial): Promise<aws.NodeDecryptionMaterial> {
    const flags = aws.KeyringTraceFlag.WRAPPING_KEY_DECRYPTED_DATA_KEY;
    return material.setUnencryptedDataKey(this.#key.slice(), {
      keyNamespace: "test",
      keyName: "fixed",
      flags,
    });
  }
}

/**
 * Knows account keys, as the HSM does, and so the data key of every EDK that the KMS has made under them. It writes messages
 * under the data key of `edk`, with the provider fields that the microservice writes.
 */
export class AccountKeyring extends aws.KeyringNode {
  readonly #accountKeys: () => Uint8Array[];
  readonly #edk: string;

  constructor(accountKeys: () => Uint8Array[], edk: string) {
    super();
    this.#accountKeys = accountKeys;
    this.#edk = edk;
  }

  override async _onEncrypt(material: aws.NodeEncryptionMaterial): Promise<aws.NodeEncryptionMaterial> {
    const { keyId, keyVersion } = payload(this.#edk);
    const trace = { keyNamespace: "coffer", keyName: keyId, flags: 0 };
    const { KeyringTraceFlag: Flag } = aws;
    return material
      .setUnencryptedDataKey(this.#dataKey(this.#edk), {
        ...trace,
        flags: Flag.WRAPPING_KEY_GENERATED_DATA_KEY,
      })
      .addEncryptedDataKey(
        new aws.EncryptedDataKey({
          providerId: "coffer",
          providerInfo: `${keyId}.${keyVersion}`,
          encryptedDataKey: Buffer.from(this.#edk),
        }),
        Flag.WRAPPING_KEY_ENCRYPTED_DATA_KEY,
      );
  }

  override async _onDecrypt(
    material: aws.NodeDecryptionMaterial,
    encryptedDataKeys: aws.EncryptedDataKey[],
  ): Promise<aws.NodeDecryptionMaterial> {
    const own = encryptedDataKeys.find(({ providerId }) => providerId === "coffer");
    if (!own) return material;
    const key = this.#dataKey(Buffer.from(own.encryptedDataKey).toString());
    const trace = { keyNamespace: "coffer", keyName: own.providerInfo };
    return material.setUnencryptedDataKey(key, {
      ...trace,
      flags: aws.KeyringTraceFlag.WRAPPING_KEY_DECRYPTED_DATA_KEY,
    });
  }

  /** RFC 3394 with the account key that fits: with another the unwrapping fails. */
  #dataKey(edk: string): Uint8Array {
    const wrapped = Buffer.from(payload(edk).wrappedKey, "base64url");
    for (const key of this.#accountKeys()) {
      try {
        const decipher = createDecipheriv("id-aes256-wrap", key, Buffer.alloc(8, 0xa6));
        return new Uint8Array(Buffer.concat([decipher.update(wrapped), decipher.final()]));
      } catch {
        // Another account's.
      }
    }
    throw new Error("no account key opens this EDK");
  }
}

function payload(edk: string): { keyId: string; keyVersion: number; wrappedKey: string } {
  return JSON.parse(Buffer.from(edk.split(".")[1] ?? "", "base64url").toString());
}
