import { createECDH, type KeyObject, randomBytes } from "node:crypto";
import { KmipError } from "#protocol/kmip/index.ts";
import { sequence, unsigned } from "./der.ts";

/**
 * ECDSA (FIPS 186-4 §6.4) over a digest that the client made, which node:crypto does not offer. Points of secret
 * multiples are OpenSSL's; numbers that depend on the private key are blinded, for BigInt takes no constant time.
 */

interface Curve {
  openssl: string;
  p: bigint;
  a: bigint;
  /** Order of the generator. */
  n: bigint;
}

const curve = (openssl: string, p: bigint, a: bigint, order: string): Curve => ({
  openssl,
  p,
  a,
  n: BigInt(`0x${order}`),
});

/** By their name in JWK (RFC 7518 §6.2.1.1, RFC 8812 §3.1); numbers of SEC 2 §2.4. */
const CURVES: Readonly<Record<string, Curve>> = {
  "P-256": curve(
    "prime256v1",
    (1n << 256n) - (1n << 224n) + (1n << 192n) + (1n << 96n) - 1n,
    -3n,
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
  ),
  "P-384": curve(
    "secp384r1",
    (1n << 384n) - (1n << 128n) - (1n << 96n) + (1n << 32n) - 1n,
    -3n,
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
  ),
  "P-521": curve(
    "secp521r1",
    (1n << 521n) - 1n,
    -3n,
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  ),
  secp256k1: curve(
    "secp256k1",
    (1n << 256n) - (1n << 32n) - 977n,
    0n,
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
  ),
};

type Affine = readonly [x: bigint, y: bigint];
type Point = Affine | undefined;

/** The signature as DER. */
export function signEcdsaDigest(key: KeyObject, digest: Uint8Array): Uint8Array<ArrayBuffer> {
  const { curve, jwk } = parametersOf(key);
  const { n } = curve;
  const d = numberOf(jwk.d);
  const z = truncated(digest, n);
  for (;;) {
    const k = randomBelow(n);
    const [x] = multipleOfGenerator(curve, k);
    const r = x % n;
    const blind = randomBelow(n);
    const masked = (blind * z + ((blind * d) % n) * r) % n;
    const s = (inverse((k * blind) % n, n) * masked) % n;
    if (r !== 0n && s !== 0n) return sequence(unsigned(r), unsigned(s));
  }
}

export function verifyEcdsaDigest(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const { curve, jwk } = parametersOf(key);
  const { n } = curve;
  const numbers = parsed(signature);
  if (!numbers) return false;
  const [r, s] = numbers;
  if (r <= 0n || r >= n || s <= 0n || s >= n) return false;
  const w = inverse(s, n);
  const u = (truncated(digest, n) * w) % n;
  const generated = u === 0n ? undefined : multipleOfGenerator(curve, u);
  const sum = added(curve, generated, multiple(curve, (r * w) % n, [numberOf(jwk.x), numberOf(jwk.y)]));
  return sum !== undefined && sum[0] % n === r;
}

function parametersOf(key: KeyObject) {
  const jwk = jwkOf(key);
  const curve = CURVES[jwk.crv ?? ""];
  if (!curve) throw new KmipError("UnsupportedCryptographicParameters", "The key does not sign digests");
  return { curve, jwk };
}

/** Of a curve that JWK does not know there is none. */
function jwkOf(key: KeyObject) {
  try {
    return key.export({ format: "jwk" });
  } catch {
    return {};
  }
}

/** The leftmost bits of the digest, as many as the order has. */
function truncated(digest: Uint8Array, n: bigint): bigint {
  const excess = digest.length * 8 - n.toString(2).length;
  const number = BigInt(`0x0${Buffer.from(digest).toString("hex")}`);
  return (excess > 0 ? number >> BigInt(excess) : number) % n;
}

/** Two positive numbers in DER, written as `sequence` would write them and no other way. */
function parsed(signature: Uint8Array): [r: bigint, s: bigint] | undefined {
  const at = signature[1] === 0x81 ? 3 : 2;
  const length = signature[at + 1] ?? 0;
  const number = (start: number, size: number) =>
    BigInt(`0x0${Buffer.from(signature.subarray(start, start + size)).toString("hex")}`);
  const next = at + 2 + length;
  const [r, s] = [number(at + 2, length), number(next + 2, signature[next + 1] ?? 0)];
  const same = Buffer.compare(sequence(unsigned(r), unsigned(s)), signature) === 0;
  return same ? [r, s] : undefined;
}

function numberOf(base64: string | undefined): bigint {
  return BigInt(`0x0${Buffer.from(base64 ?? "", "base64url").toString("hex")}`);
}

function randomBelow(n: bigint): bigint {
  const bits = n.toString(2).length;
  for (;;) {
    const bytes = randomBytes(Math.ceil(bits / 8));
    const number = BigInt(`0x${bytes.toString("hex")}`) >> BigInt(bytes.length * 8 - bits);
    if (number > 0n && number < n) return number;
  }
}

function multipleOfGenerator({ openssl, n }: Curve, scalar: bigint): Affine {
  const ecdh = createECDH(openssl);
  const length = Math.ceil(n.toString(2).length / 8);
  ecdh.setPrivateKey(Buffer.from(scalar.toString(16).padStart(length * 2, "0"), "hex"));
  const point = ecdh.getPublicKey();
  const half = (point.length - 1) / 2;
  const coordinate = (start: number) => BigInt(`0x${point.subarray(start, start + half).toString("hex")}`);
  return [coordinate(1), coordinate(1 + half)];
}

/** Public numbers only: by doubling and adding. */
function multiple(curve: Curve, scalar: bigint, point: Point): Point {
  let sum: Point;
  let power = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = added(curve, sum, power);
    power = added(curve, power, power);
  }
  return sum;
}

/** The sum of two points; undefined is the point at infinity. */
function added({ p, a }: Curve, one: Point, other: Point): Point {
  if (!one || !other) return one ?? other;
  const [x1, y1] = one;
  const [x2, y2] = other;
  if (x1 === x2 && (y1 + y2) % p === 0n) return undefined;
  const slope = x1 === x2 ? (3n * x1 * x1 + a) * inverse(2n * y1, p) : (y2 - y1) * inverse(x2 - x1, p);
  const x = modulo(slope * slope - x1 - x2, p);
  return [x, modulo(slope * (x1 - x) - y1, p)];
}

const modulo = (value: bigint, n: bigint) => ((value % n) + n) % n;

/** By Euclid's algorithm. */
function inverse(value: bigint, n: bigint): bigint {
  let [r0, r1] = [n, modulo(value, n)];
  let [t0, t1] = [0n, 1n];
  while (r1 > 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return modulo(t0, n);
}
