/** What is derived from a data key: the message key, which no one can export, and the public commitment value. */
import { equalConstantTime } from "../bytes.ts";
import { CofferError } from "../error.ts";
import type { Header } from "./header.ts";
import { COMMIT_INFO, decryptFailed, IV_LENGTH, TAG_LENGTH } from "./suite.ts";

/** The SubtleCrypto methods that the envelope uses; pass references taken before any foreign code ran. */
export type EnvelopeCrypto = Pick<
  SubtleCrypto,
  "deriveKey" | "encrypt" | "decrypt" | "exportKey" | "importKey" | "verify"
>;

/** Whether `key` is as one must be that others are derived from: HKDF, not extractable, the single usage deriveKey. */
export function isHkdfKey(key: CryptoKey): boolean {
  return (
    key.algorithm.name === "HKDF" &&
    key.extractable === false &&
    key.usages.length === 1 &&
    key.usages[0] === "deriveKey"
  );
}

/** Derives the AES-256-GCM message key for one direction. Throws `key-unusable`. */
export async function deriveMessageKey(
  subtle: EnvelopeCrypto,
  dataKey: CryptoKey,
  { suite, messageId }: Pick<Header, "suite" | "messageId">,
  usage: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  if (!isHkdfKey(dataKey)) throw new CofferError("key-unusable");
  const key = await subtle.deriveKey(
    { name: "HKDF", hash: "SHA-512", salt: messageId, info: suite.deriveInfo },
    dataKey,
    { name: "AES-GCM", length: 256 },
    false,
    // The header tag of an encrypting writer is a GCM encryption as well, so one usage is enough in each direction.
    [usage],
  );
  if (key.extractable !== false) throw new CofferError("key-unusable");
  return key;
}

/**
 * The 32-byte commitment. It is public (it stands in the header), so it may be exported; deriving it as an HMAC key
 * spares the data key the usage deriveBits, which would let the message key be read out.
 */
export async function deriveCommitment(
  subtle: EnvelopeCrypto,
  dataKey: CryptoKey,
  messageId: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!isHkdfKey(dataKey)) throw new CofferError("key-unusable");
  const key = await subtle.deriveKey(
    { name: "HKDF", hash: "SHA-512", salt: messageId, info: COMMIT_INFO },
    dataKey,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    true,
    ["sign"],
  );
  return new Uint8Array((await subtle.exportKey("raw", key)) as ArrayBuffer);
}

/** The header's tag: AES-GCM of nothing, IV zero, the header as additional data (ESDK encrypt, "header authentication"). */
export async function tagHeader(
  subtle: EnvelopeCrypto,
  key: CryptoKey,
  body: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const iv = new Uint8Array(IV_LENGTH);
  return new Uint8Array(
    await subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: body, tagLength: 8 * TAG_LENGTH },
      key,
      new Uint8Array(),
    ),
  );
}

/** Checks commitment, then tag. Returns the message key to decrypt with; throws `decrypt-failed`. */
export async function verifyHeader(
  subtle: EnvelopeCrypto,
  dataKey: CryptoKey,
  header: Header,
): Promise<CryptoKey> {
  const [commitment, key] = await Promise.all([
    deriveCommitment(subtle, dataKey, header.messageId),
    deriveMessageKey(subtle, dataKey, header, "decrypt"),
  ]);
  if (!equalConstantTime(commitment, header.commitment)) throw decryptFailed();
  const iv = new Uint8Array(IV_LENGTH);
  const algorithm = { name: "AES-GCM", iv, additionalData: header.body, tagLength: 8 * TAG_LENGTH };
  const nothing = await subtle.decrypt(algorithm, key, header.tag);
  if (nothing.byteLength !== 0) throw decryptFailed();
  return key;
}
