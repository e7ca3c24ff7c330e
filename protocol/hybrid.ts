/**
 * Hybrid wrapping: a data key on its way to an instance, protected by X25519 (RFC 7748) and by ML-KEM-768 (FIPS 203), so that either
 * alone keeps it. WebCrypto mixes no two secrets whose bytes nobody may see, so the layers nest: AES-KW (RFC 3394) under a key from
 * the agreement, and around that AES-256-GCM under a key from the encapsulation, each by HKDF-SHA-256 (RFC 5869) over the whole
 * transcript. Laid out as `share (32) || ciphertext (1,088) || AES-GCM of AES-KW of the key (56)`: 1,176 bytes.
 *
 * What has been agreed and encapsulated serves one key, so the nonce is zero. Imported by protocol/hierarchy,
 * protocol/keys, edge/, emulator/hsm and web/microservice.
 */
import { beginsWith, concat, decodeHex, utf8 } from "./bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** ML-KEM-768 among KMIP's cryptographic algorithms: 2.1 has none such, so it is an extension (8XXXXXXX). */
export const ML_KEM_768 = 0x80000768;
/** Of its public key (FIPS 203 §8). */
export const KEM_BITS = 1184 * 8;

const SHARE = 32;
const CIPHERTEXT = 1088;
/** 32 bytes under AES-KW have 40, under AES-GCM 16 more. */
const SEALED = 56;
export const HYBRID_LENGTH = SHARE + CIPHERTEXT + SEALED;

/** The two public keys of a recipient, SubjectPublicKeyInfo in DER: X25519 (44 bytes, RFC 8410) and ML-KEM-768 (1,206 bytes). */
export type HybridRecipient = { agreement: Uint8Array; kem: Uint8Array };

/** DER of both before the key's own bytes, and the length of those. */
const SPKI = {
  agreement: { prefix: "302a300506032b656e032100", length: 32 },
  kem: { prefix: "308204b2300b0609608648016503040402038204a100", length: KEM_BITS / 8 },
} as const;

/** Whether it is a key of that kind in the one form that it has. */
export function isHybridSpki(kind: keyof HybridRecipient, spki: Uint8Array): boolean {
  const prefix = decodeHex(SPKI[kind].prefix);
  return spki.length === prefix.length + SPKI[kind].length && beginsWith(spki, prefix);
}

type HybridParts = { share: Bytes; ciphertext: Bytes; sealed: Bytes };

/** Of `HYBRID_LENGTH` bytes. */
export function hybridParts(wrapped: Bytes): HybridParts {
  return {
    share: wrapped.slice(0, SHARE),
    ciphertext: wrapped.slice(SHARE, -SEALED),
    sealed: wrapped.slice(-SEALED),
  };
}

/** What both layers are bound to: what was sent, and to whom. Each part has one length. */
export function hybridTranscript(
  { share, ciphertext }: { share: Uint8Array; ciphertext: Uint8Array },
  { agreement, kem }: HybridRecipient,
): Bytes {
  return concat(share, ciphertext, agreement, kem);
}

/** HKDF's info for a layer. `digest`: SHA-256 of the transcript. */
export function hybridInfo(layer: keyof HybridRecipient, digest: Uint8Array): Bytes {
  return concat(utf8(`coffer-hybrid-v1 ${layer}\0`), digest);
}

/** What the identity key signs for both keys: `"coffer-hybrid-keys-v1" 00 || nonce || SPKI of X25519 || SPKI of ML-KEM-768`. */
export function hybridProofInput(nonce: Uint8Array, { agreement, kem }: HybridRecipient): Bytes {
  return concat(utf8("coffer-hybrid-keys-v1\0"), nonce, agreement, kem);
}
