import { KmipError } from "#protocol/kmip/index.ts";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A share: its number (the x of the polynomial, from 1) and its bytes. */
export interface Share {
  identifier: number;
  bytes: Uint8Array;
}

/** Lets others have their turn, between two shares. */
export type Pause = () => Promise<void> | undefined;

/** Splits a secret so that all parts together give it again: random bytes, and what is left. */
export function splitXor(secret: Uint8Array, parts: number, random: (length: number) => Bytes): Bytes[] {
  const shares = Array.from({ length: parts - 1 }, () => random(secret.length));
  return [...shares, xorAll([secret, ...shares])];
}

export function joinXor(shares: readonly Share[]): Bytes {
  return xorAll(shares.map(({ bytes }) => bytes));
}

/** Shamir's sharing over GF(2^8) (KMIP 2.1 §11.54 Split Key Method): a polynomial of degree `threshold - 1` for each byte. */
export async function splitPolynomial(
  secret: Uint8Array,
  parts: number,
  threshold: number,
  random: (length: number) => Bytes,
  pause: Pause,
): Promise<Bytes[]> {
  const coefficients = Array.from({ length: threshold - 1 }, () => random(secret.length));
  coefficients.reverse();
  const shares: Bytes[] = [];
  for (let x = 1; x <= parts; x++) {
    await pause();
    let y: Uint8Array = new Uint8Array(secret.length);
    for (const coefficient of coefficients) y = xor(y, coefficient).map((byte) => multiply(byte, x));
    shares.push(new Uint8Array(xor(y, secret)));
  }
  return shares;
}

/** Lagrange's interpolation at 0. */
export async function joinPolynomial(shares: readonly Share[], pause: Pause): Promise<Bytes> {
  const terms: Uint8Array[] = [];
  for (const { identifier, bytes } of shares) {
    await pause();
    let weight = 1;
    for (const other of shares)
      if (other.identifier !== identifier)
        weight = multiply(weight, multiply(other.identifier, inverse(other.identifier ^ identifier)));
    terms.push(bytes.map((byte) => multiply(byte, weight)));
  }
  return xorAll(terms);
}

/** In GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1, as the test cases have it. Shift and add: no table that a cache could tell of. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bit = 0; bit < 8; bit++) {
    product ^= shifted & -((b >> bit) & 1);
    shifted = ((shifted << 1) ^ (0x11d & -(shifted >> 7))) & 0xff;
  }
  return product;
}

/** a^254 */
function inverse(a: number): number {
  let power = a;
  let result = 1;
  for (let bit = 1; bit < 8; bit++) {
    power = multiply(power, power);
    result = multiply(result, power);
  }
  return result;
}

function xorAll(all: readonly Uint8Array[]): Bytes {
  const [first, ...others] = all;
  if (!first || others.some(({ length }) => length !== first.length))
    throw new KmipError("CryptographicFailure", "Parts of unequal length");
  return new Uint8Array(others.reduce((sum, other) => xor(sum, other), first));
}
