/**
 * The encrypted data key of AWS's Raw AES keyring (aws-encryption-sdk-specification, framework/raw-aes-keyring.md), by which
 * AWS's own clients open a message with nothing but an AES-256 key. For documents that leave Coffer.
 */
import { concat, utf8 } from "../bytes.ts";
import { type EncryptionContext, serialiseContext } from "./context.ts";
import type { EncryptedDataKey } from "./header.ts";

const IV_BYTES = 12;
const TAG_BITS = 128;

export type RawAesKeyring = {
  /** Key namespace: the provider id in the header. */
  namespace: string;
  /** Key name: the beginning of the provider information. */
  name: string;
  /** AES-256-GCM, usage `encrypt`. */
  key: CryptoKey;
};

/**
 * Encrypts a data key of 32 bytes. Provider information: name, tag length in bits and IV length in bytes (4 bytes each, big
 * endian), IV. The additional data is the context without its length.
 */
export async function wrapRawAes(
  subtle: Pick<SubtleCrypto, "encrypt">,
  { namespace, name, key }: RawAesKeyring,
  dataKey: Uint8Array<ArrayBuffer>,
  context: EncryptionContext,
  iv: Uint8Array<ArrayBuffer>,
): Promise<EncryptedDataKey> {
  if (iv.length !== IV_BYTES) throw new TypeError("the IV has 12 bytes");
  const lengths = new DataView(new ArrayBuffer(8));
  lengths.setUint32(0, TAG_BITS);
  lengths.setUint32(4, IV_BYTES);
  const additionalData = serialiseContext(context).subarray(2);
  const encrypted = await subtle.encrypt(
    { name: "AES-GCM", iv, additionalData, tagLength: TAG_BITS },
    key,
    dataKey,
  );
  return {
    providerId: namespace,
    providerInfo: concat(utf8(name), new Uint8Array(lengths.buffer), iv),
    encryptedDataKey: new Uint8Array(encrypted),
  };
}
