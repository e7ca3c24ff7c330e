import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Sealing {
  iv?: Uint8Array | undefined;
  additionalData?: Uint8Array | undefined;
  random: (length: number) => Bytes;
}

interface Opening {
  iv?: Uint8Array | undefined;
  additionalData?: Uint8Array | undefined;
  tag?: Uint8Array | undefined;
}

/** Modes of AES (NIST SP 800-38A, 38D): length of the IV in bytes, and whether the message is padded to blocks. */
const MODES: Readonly<Record<string, { iv: number; blocks: boolean }>> = {
  CBC: { iv: 16, blocks: true },
  ECB: { iv: 0, blocks: true },
  CTR: { iv: 16, blocks: false },
  CFB: { iv: 16, blocks: false },
  OFB: { iv: 16, blocks: false },
  GCM: { iv: 12, blocks: false },
};

export function encryptAes(
  key: Uint8Array,
  parameters: CryptographicParameters,
  data: Uint8Array,
  sealing: Sealing,
) {
  const { mode, name, rule, tagLength } = modeOf(key, parameters);
  if (
    mode === "GCM" &&
    parameters.ivLength !== undefined &&
    sealing.iv &&
    sealing.iv.length !== parameters.ivLength
  )
    throw new KmipError("InvalidField", "The IV has another length than its parameter says");
  const made = sealing.iv === undefined && rule.iv > 0;
  const iv = sealing.iv ?? sealing.random(mode === "GCM" ? (parameters.ivLength ?? rule.iv) : rule.iv);
  return guarded(() => {
    const options = mode === "GCM" ? { authTagLength: tagLength } : undefined;
    const cipher = createCipheriv(name, key, rule.iv === 0 ? null : iv, options as object) as CipherGCM;
    if (rule.blocks) cipher.setAutoPadding(pads(parameters));
    if (mode === "GCM" && sealing.additionalData) cipher.setAAD(sealing.additionalData);
    const ciphertext: Bytes = new Uint8Array(Buffer.concat([cipher.update(data), cipher.final()]));
    return {
      ciphertext,
      ...(made ? { iv: new Uint8Array(iv) } : {}),
      ...(mode === "GCM" ? { tag: new Uint8Array(cipher.getAuthTag()) } : {}),
    };
  });
}

export function decryptAes(
  key: Uint8Array,
  parameters: CryptographicParameters,
  data: Uint8Array,
  { iv, additionalData, tag }: Opening,
): Bytes {
  const { mode, name, rule, tagLength } = modeOf(key, parameters);
  if (rule.iv > 0 && !iv) throw new KmipError("InvalidMessage", "The IV is missing");
  if (mode === "GCM" && tag?.length !== tagLength)
    throw new KmipError("InvalidField", "The tag has another length");
  return guarded(() => {
    const options = mode === "GCM" ? { authTagLength: tagLength } : undefined;
    const decipher = createDecipheriv(
      name,
      key,
      rule.iv === 0 ? null : iv!,
      options as object,
    ) as DecipherGCM;
    if (rule.blocks) decipher.setAutoPadding(pads(parameters));
    if (mode === "GCM") {
      if (additionalData) decipher.setAAD(additionalData);
      decipher.setAuthTag(tag!);
    }
    return new Uint8Array(Buffer.concat([decipher.update(data), decipher.final()]));
  });
}

function modeOf(key: Uint8Array, { blockCipherMode = "CBC", tagLength = 16 }: CryptographicParameters) {
  const mode = String(blockCipherMode);
  const rule = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
  if (!rule || ![16, 24, 32].includes(key.length))
    throw new KmipError("UnsupportedCryptographicParameters", "Not a supported cipher");
  if (tagLength < 12 || tagLength > 16) throw new KmipError("GeneralFailure", "Tags have 12 to 16 bytes");
  return { mode, rule, tagLength, name: `aes-${key.length * 8}-${mode.toLowerCase()}` };
}

function pads({ paddingMethod }: CryptographicParameters): boolean {
  if (paddingMethod === undefined || paddingMethod === "None") return false;
  if (paddingMethod === "PKCS5") return true;
  throw new KmipError("UnsupportedCryptographicParameters", "Not a supported padding");
}

/** One error for whatever is wrong with a ciphertext. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof KmipError) throw error;
    throw new KmipError("CryptographicFailure", "The data cannot be processed");
  }
}
