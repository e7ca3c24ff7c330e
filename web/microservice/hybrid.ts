/**
 * The two keys of an instance that is a hybrid recipient (`protocol/hybrid.ts`), where the engine has ML-KEM: Node 24.7, Chromium. Both
 * are made here, neither can be exported, and no code sees a secret that comes of them.
 */

import { CofferError } from "#protocol/error.ts";
import { type HybridRecipient, hybridInfo, hybridParts, hybridTranscript } from "#protocol/hybrid.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { agreedKey, layerKey, unexportable } from "./channel.ts";
import type { Subtle } from "./crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type HybridKeys = {
  /** X25519, usage deriveKey. */
  agreementKey: CryptoKey;
  /** ML-KEM-768, usage decapsulateKey. */
  kemKey: CryptoKey;
};
/** With their SubjectPublicKeyInfo, DER. */
export type HybridPair = HybridKeys & HybridRecipient;
/** With their certificates, DER: X25519, ML-KEM-768. */
export type CertifiedHybrid = HybridKeys & { certificates: [Bytes, Bytes] };

/** Undefined where the engine lacks one of the algorithms. */
export async function generateHybrid(subtle: Subtle, extractable = false): Promise<HybridPair | undefined> {
  const make = async (name: string, usage: string) => {
    const pair = await subtle.generateKey(name, extractable, [usage as KeyUsage]);
    const { privateKey, publicKey } = pair as CryptoKeyPair;
    return { privateKey, spki: new Uint8Array((await subtle.exportKey("spki", publicKey)) as ArrayBuffer) };
  };
  if (!subtle.decapsulateKey) return undefined;
  const made = Promise.all([make("X25519", "deriveKey"), make("ML-KEM-768", "decapsulateKey")]);
  const pairs = await made.catch(() => undefined);
  if (!pairs) return undefined;
  const [x25519, kem] = pairs;
  const keys = { agreementKey: x25519.privateKey, kemKey: kem.privateKey };
  return { ...keys, agreement: x25519.spki, kem: kem.spki };
}

/** Throws `key-unusable` unless the keys are exactly what they must be. */
export function checkHybrid({ agreementKey, kemKey }: HybridKeys): void {
  for (const [key, usage] of [
    [agreementKey, "deriveKey"],
    [kemKey, "decapsulateKey"],
  ] as const)
    if (key.extractable !== false || key.type !== "private" || key.usages.join() !== usage)
      throw new CofferError("key-unusable");
}

/** The public keys that the certificates are for. */
export function hybridRecipient({ certificates: [agreement, kem] }: CertifiedHybrid): HybridRecipient {
  return { agreement: parseCertificate(agreement).spki, kem: parseCertificate(kem).spki };
}

/**
 * The data key, as an HKDF key unless it is for something else. The outer layer gives a key that is wrapped still; a ciphertext of ML-KEM that was altered decapsulates to
 * another secret, under which AES-GCM does not open. Throws what WebCrypto throws.
 */
export async function unwrapHybrid(
  subtle: Subtle,
  own: CertifiedHybrid,
  wrapped: Bytes,
  as: { name: string; length?: number } = { name: "HKDF" },
  usage: KeyUsage = "deriveKey",
): Promise<CryptoKey> {
  const { share, ciphertext, sealed } = hybridParts(wrapped);
  const transcript = hybridTranscript({ share, ciphertext }, hybridRecipient(own));
  const digest = new Uint8Array(await subtle.digest("SHA-256", transcript));
  const of = ["HKDF", false, ["deriveKey"]] as const;
  const shared = await subtle.decapsulateKey?.("ML-KEM-768", own.kemKey, ciphertext, ...of);
  if (!shared) throw new CofferError("key-unusable");
  const outer = await layerKey(subtle, unexportable(shared), hybridInfo("kem", digest), "AES-GCM", "decrypt");
  const agreed = await agreedKey(subtle, own.agreementKey, share);
  const inner = await layerKey(subtle, agreed, hybridInfo("agreement", digest), "AES-KW", "unwrapKey");
  const once = await subtle.decrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, outer, sealed);
  return subtle.unwrapKey("raw", once, inner, "AES-KW", as, false, [usage]);
}
