import crypto, {
  createCipheriv,
  createHash,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { concat } from "#protocol/bytes.ts";
import { type HybridRecipient, hybridInfo, hybridTranscript } from "#protocol/hybrid.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { wrapAes } from "./aes-key-wrap.ts";
import { agreedSecret } from "./derivation.ts";

/** Keys to a hybrid recipient (`protocol/hybrid.ts`): X25519 (RFC 7748) inside, ML-KEM-768 (FIPS 203) around it. */

type Bytes = Uint8Array<ArrayBuffer>;

/** What both ends have in common before there is a key. */
export interface Agreed {
  /** Of the agreement, and of the encapsulation. */
  secrets: Record<keyof HybridRecipient, Uint8Array>;
  share: Uint8Array;
  ciphertext: Uint8Array;
  recipient: HybridRecipient;
}

/**
 * Wraps 32 bytes for the holder of both keys. Throws `FeatureNotSupported` where Node has no ML-KEM (before 24.7),
 * `CryptographicFailure` for a public key with which all secrets are zero.
 */
export function wrapHybrid(agreement: KeyObject, kem: KeyObject, plain: Uint8Array): Bytes {
  // Named of the module, which an older Node has without it.
  if (typeof crypto.encapsulate !== "function")
    throw new KmipError("FeatureNotSupported", "This Node has no ML-KEM: it needs 24.7 or later");
  const ephemeral = generateKeyPairSync("x25519");
  const { sharedKey, ciphertext } = crypto.encapsulate(kem);
  return sealHybrid(
    {
      secrets: { agreement: agreedSecret(ephemeral.privateKey, agreement), kem: sharedKey },
      share: spkiOf(ephemeral.publicKey).subarray(-32),
      ciphertext,
      recipient: { agreement: spkiOf(agreement), kem: spkiOf(kem) },
    },
    plain,
  );
}

/** Both layers, and what their secrets came by in front of them. */
export function sealHybrid({ secrets, recipient, ...sent }: Agreed, plain: Uint8Array): Bytes {
  const digest = createHash("sha256").update(hybridTranscript(sent, recipient)).digest();
  const keyOf = (layer: keyof HybridRecipient) =>
    new Uint8Array(hkdfSync("sha256", secrets[layer], new Uint8Array(), hybridInfo(layer, digest), 32));
  if (plain.length !== 32) throw new KmipError("CryptographicFailure", "Keys of 32 bytes alone");
  const cipher = createCipheriv("aes-256-gcm", keyOf("kem"), new Uint8Array(12));
  const inner = wrapAes("NISTKeyWrap", keyOf("agreement"), plain);
  const sealed = [cipher.update(inner), cipher.final(), cipher.getAuthTag()];
  return concat(sent.share, sent.ciphertext, ...sealed);
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: "der", type: "spki" });
}
