/** Public keys and signatures of P-384 in the forms of the AWS Encryption SDK, made into those that WebCrypto takes. Public values alone. */
import { decodeBase64url } from "../base64url.ts";
import { decodeHex, encodeHex } from "../bytes.ts";
import { decryptFailed } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a coordinate, and of r and s. */
const LENGTH = 48;
const INTEGER = 0x02;
const SEQUENCE = 0x30;

/** The prime and the coefficient b of the curve; a is -3 (SP 800-186 §3.2.1.4 "P-384"). */
const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const B =
  0xb3312fa7_e23ee7e4_988e056b_e3f82d19_181d9c6e_fe814112_0314088f_5013875a_c656398d_8a2ed19d_2a85c8ed_d3ec2aefn;

/**
 * The uncompressed point (97 bytes) of a compressed one in base64, as it stands in the encryption context. WebCrypto need
 * not read compressed points. Throws `decrypt-failed`.
 */
export function uncompressedPoint(text: string): Bytes {
  const compressed = decodeBase64(text);
  const [form] = compressed;
  if (compressed.length !== 1 + LENGTH || (form !== 2 && form !== 3)) throw decryptFailed();
  const x = BigInt(`0x${encodeHex(compressed.subarray(1))}`);
  if (x >= P) throw decryptFailed();
  const square = (x ** 3n - 3n * x + B) % P;
  // p is 3 modulo 4, so that a root is one power (SEC 1 §2.3.4).
  const root = power(square, (P + 1n) / 4n);
  if ((root * root - square) % P !== 0n) throw decryptFailed();
  const y = Number(root & 1n) === form - 2 ? root : P - root;
  return decodeHex(`04${encodeHex(compressed.subarray(1))}${y.toString(16).padStart(2 * LENGTH, "0")}`);
}

/** r || s (96 bytes) of a signature in DER (RFC 3279 §2.2.3). Throws `decrypt-failed` for any other form. */
export function rawSignature(der: Uint8Array): Bytes {
  const raw = new Uint8Array(2 * LENGTH);
  // Two integers of at most 49 bytes: every length is one byte.
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) throw decryptFailed();
  let at = 2;
  for (const end of [LENGTH, 2 * LENGTH]) {
    const length = der[at + 1] ?? 0;
    const integer = der.subarray(at + 2, at + 2 + length);
    const [first, second] = integer;
    if (der[at] !== INTEGER || first === undefined || integer.length !== length) throw decryptFailed();
    const padded = first === 0 && second !== undefined && second >= 0x80;
    if (!padded && (first === 0 || first >= 0x80)) throw decryptFailed();
    const magnitude = padded ? integer.subarray(1) : integer;
    if (magnitude.length > LENGTH) throw decryptFailed();
    raw.set(magnitude, end - magnitude.length);
    at += 2 + length;
  }
  if (at !== der.length) throw decryptFailed();
  return raw;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % P;
    if (bit === "1") result = (result * base) % P;
  }
  return result;
}

/** Base64 of 49 bytes, with its padding (RFC 4648 §4). */
function decodeBase64(text: string): Bytes {
  if (!/^[A-Za-z0-9+/]{66}==$/.test(text)) throw decryptFailed();
  try {
    return decodeBase64url(text.slice(0, 66).replaceAll("+", "-").replaceAll("/", "_"));
  } catch {
    throw decryptFailed();
  }
}
