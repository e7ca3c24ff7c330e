/** Signatures of a TPM's attestation keys: RSASSA, RSAPSS and ECDSA, with SHA-256 or SHA-384. */
import { encodeHex } from "../bytes.ts";
import { BIT_STRING, DerReader, INTEGER, SEQUENCE } from "../pki/der.ts";
import { DIGEST_LENGTH, type TpmSignature } from "./tpm-structures.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** How a key is told apart, imported and used. */
type Verifier = {
  key: { name: string; namedCurve?: string; hash?: string };
  uses: (string | { name: string; hash?: string; saltLength?: number })[];
  signature: Bytes;
};

/** SubjectPublicKeyInfo up to an uncompressed point's coordinates (RFC 5480 §2), in hexadecimal, and the bytes of one coordinate. */
const CURVES = [
  { namedCurve: "P-256", prefix: "3059301306072a8648ce3d020106082a8648ce3d03010703420004", bytes: 32 },
  { namedCurve: "P-384", prefix: "3076301006072a8648ce3d020106052b8104002203620004", bytes: 48 },
];
/** AlgorithmIdentifier rsaEncryption (RFC 3279 §2.3.1), in hexadecimal. */
const RSA_ENCRYPTION = "300d06092a864886f70d0101010500";
const RSA_BITS = [2048, 4096] as const;

/** Which of `keys` (SubjectPublicKeyInfo, DER) signed the message; one that is of no kind known here did not. */
export async function signerOf(
  keys: readonly Uint8Array[],
  signature: TpmSignature,
  message: Uint8Array,
): Promise<Uint8Array | undefined> {
  for (const spki of keys) {
    const verifier = verifierFor(spki, signature);
    if (verifier && (await isSignedBy(spki, verifier, message))) return spki;
  }
  return undefined;
}

/** What an engine does not take for a key, at import or at first use, has signed nothing, and stands in no other's way. */
async function isSignedBy(spki: Uint8Array, verifier: Verifier, message: Uint8Array): Promise<boolean> {
  const { subtle } = crypto;
  try {
    const key = await subtle.importKey("spki", spki.slice(), verifier.key, true, ["verify"]);
    for (const use of verifier.uses)
      if (await subtle.verify(use, key, verifier.signature, message.slice())) return true;
    return false;
  } catch {
    return false;
  }
}

function verifierFor(spki: Uint8Array, signature: TpmSignature): Verifier | undefined {
  const { hash } = signature;
  if (signature.scheme === "ECDSA") {
    const curve = CURVES.find(({ prefix }) => encodeHex(spki).startsWith(prefix));
    if (!curve) return undefined;
    const { namedCurve, bytes } = curve;
    const [r, s] = [padded(signature.r, bytes), padded(signature.s, bytes)];
    if (!r || !s) return undefined;
    const joined = new Uint8Array([...r, ...s]);
    return { key: { name: "ECDSA", namedCurve }, uses: [{ name: "ECDSA", hash }], signature: joined };
  }
  const bits = modulusBits(spki);
  if (bits === undefined || bits < RSA_BITS[0] || bits > RSA_BITS[1]) return undefined;
  const value = signature.value.slice();
  if (value.length !== Math.ceil(bits / 8)) return undefined;
  if (signature.scheme === "RSASSA") {
    const name = "RSASSA-PKCS1-v1_5";
    return { key: { name, hash }, uses: [{ name }], signature: value };
  }
  const name = "RSA-PSS";
  // As long as the hash, or as long as fits: TPMs do either (Part 1, Annex B.7).
  const longest = Math.ceil((bits - 1) / 8) - DIGEST_LENGTH[hash] - 2;
  const uses = [DIGEST_LENGTH[hash], longest].map((saltLength) => ({ name, saltLength }));
  return { key: { name, hash }, uses, signature: value };
}

/** A big-endian number in exactly `length` bytes; undefined where it does not fit. */
function padded(number: Uint8Array, length: number): Bytes | undefined {
  if (number.length === 0 || number.length > length) return undefined;
  const bytes = new Uint8Array(length);
  bytes.set(number, length - number.length);
  return bytes;
}

/** Bits of the modulus of an RSA key; undefined where it is none. */
function modulusBits(spki: Uint8Array): number | undefined {
  try {
    const outer = new DerReader(spki);
    const info = outer.enter(SEQUENCE);
    outer.end();
    if (encodeHex(info.read(SEQUENCE).bytes) !== RSA_ENCRYPTION) return undefined;
    const bits = info.read(BIT_STRING).contents;
    info.end();
    const [first = 0, ...rest] = new DerReader(bits.subarray(1)).enter(SEQUENCE).read(INTEGER).contents;
    // A zero before a first bit that is set is the sign's (X.690 §8.3).
    const magnitude = first === 0 ? rest : [first, ...rest];
    return 8 * magnitude.length - Math.clz32(magnitude[0] ?? 0) + 24;
  } catch {
    return undefined;
  }
}
