import { utf8 } from "../bytes.ts";
import { ML_KEM_768 } from "../hybrid.ts";
import type { CryptographicParameters } from "../kmip/index.ts";
import { CEK_LABEL, DATA_LABEL } from "../oaep-labels.ts";

/** How a key of the hierarchy stands under its parent: AES Key Wrap (RFC 3394). */
export const UNDER_PARENT = { blockCipherMode: "NISTKeyWrap" } as const satisfies CryptographicParameters;

/**
 * How a tenant's own data key stands under its master key: AES Key Wrap with Padding (RFC 5649). Its initial value is another
 * than that of AES Key Wrap, so that an account key, which stands under the same key, never opens as a data key.
 */
export const DATA_UNDER_MASTER = {
  blockCipherMode: "AESKeyWrapPadding",
} as const satisfies CryptographicParameters;

/** How the private half of a pair stands under an AES parent, as PKCS#8: it is no multiple of 8 bytes long. */
export const PRIVATE_UNDER_PARENT = { blockCipherMode: "GCM" } as const satisfies CryptographicParameters;

/** How a key is released to a recipient, and how it stands under an asymmetric parent: RSA-OAEP, SHA-256 and MGF1 with SHA-256. */
export const TO_RECIPIENT = {
  paddingMethod: "OAEP",
  hashingAlgorithm: "SHA_256",
  maskGenerator: "MGF1",
  maskGeneratorHashingAlgorithm: "SHA_256",
} as const satisfies CryptographicParameters;

/**
 * How a data key is released to a hybrid recipient (`protocol/hybrid.ts`), whose ML-KEM key the request names: an extension. What
 * comes back has the share, the ciphertext and the nested layers in one byte string.
 */
export const TO_HYBRID_RECIPIENT = {
  cryptographicAlgorithm: ML_KEM_768,
  blockCipherMode: "GCM",
  hashingAlgorithm: "SHA_256",
} as const satisfies CryptographicParameters;

/** How a tenant's own data key stands under a master key that is a pair. */
export const DATA_UNDER_PAIR = {
  ...TO_RECIPIENT,
  pSource: /* @__PURE__ */ utf8(DATA_LABEL),
} as const satisfies CryptographicParameters;

/** How the content-encryption key of an account's pair stands under a master key that is a pair. */
export const CEK_UNDER_PAIR = {
  ...TO_RECIPIENT,
  pSource: /* @__PURE__ */ utf8(CEK_LABEL),
} as const satisfies CryptographicParameters;
