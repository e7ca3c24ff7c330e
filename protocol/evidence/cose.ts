/** COSE_Sign1 (RFC 9052 §4.2) with ES384, as AWS Nitro signs. */
import { concat, utf8 } from "../bytes.ts";
import { type CborMap, type CborValue, decodeCbor } from "./cbor.ts";

/** COSE_Sign1, and its parameter `alg` with the value for ES384 (RFC 9053 §2.1). */
const SIGN1_TAG = 18;
const ALG = 1;
const ES384 = -35;
const ES384_SIGNATURE = 96;
const ES384_ALGORITHM = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };

export type Sign1 = {
  /** As they came: what is signed is never encoded again. */
  protectedHeader: Uint8Array;
  payload: Uint8Array;
  signature: Uint8Array;
};

/**
 * Parses a COSE_Sign1, tagged or not, whose protected header says ES384 and nothing else, and whose unprotected header is
 * empty: nobody signed what would be there. Throws an `Error` for anything else.
 */
export function parseSign1(bytes: Uint8Array): Sign1 {
  const parts = decodeCbor(bytes, SIGN1_TAG);
  if (!Array.isArray(parts) || parts.length !== 4) throw new Error("not a COSE_Sign1");
  const [protectedHeader, unprotected, payload, signature] = parts;
  if (!isBytes(protectedHeader) || !isBytes(payload) || !isBytes(signature))
    throw new Error("not a COSE_Sign1");
  const header = decodeCbor(protectedHeader);
  if (!isMap(header) || header.get(ALG) !== ES384) throw new Error("another algorithm than ES384");
  if (header.size !== 1) throw new Error("a protected header that is not known here");
  if (!isMap(unprotected) || unprotected.size > 0) throw new Error("the unprotected header is not empty");
  if (signature.length !== ES384_SIGNATURE) throw new Error("not a signature of ES384");
  return { protectedHeader, payload, signature };
}

/** Throws an `Error` unless `key`, a SubjectPublicKeyInfo (DER) of P-384, made the signature. */
export async function verifySign1(
  { protectedHeader, payload, signature }: Sign1,
  key: Uint8Array<ArrayBuffer>,
): Promise<void> {
  // Sig_structure (RFC 9052 §4.4): context, protected header, no external data, payload.
  const context = concat(new Uint8Array([0x84, 0x6a]), utf8("Signature1"));
  const signed = concat(
    context,
    byteString(protectedHeader),
    byteString(new Uint8Array()),
    byteString(payload),
  );
  const verifier = await crypto.subtle.importKey("spki", key, ES384_ALGORITHM, true, ["verify"]);
  if (!(await crypto.subtle.verify(ES384_ALGORITHM, verifier, signature.slice(), signed)))
    throw new Error("the signature is wrong");
}

/** A byte string of fewer than 65,536 bytes in its shortest form. */
function byteString(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length < 24) return concat(new Uint8Array([0x40 | length]), bytes);
  if (length < 0x100) return concat(new Uint8Array([0x58, length]), bytes);
  return concat(new Uint8Array([0x59, length >> 8, length & 0xff]), bytes);
}

export function isBytes(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array;
}

export function isMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}
