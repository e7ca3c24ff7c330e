import { KmipError } from "#protocol/kmip/index.ts";

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
    shares.push(
      new Uint8Array(
        secret.map((constant, at) => {
          let y = 0;
          for (const coefficient of coefficients) y = multiply(y ^ coefficient[at]!, x);
          return y ^ constant;
        }),
      ),
    );
  }
  return shares;
}

/** Lagrange's interpolation at 0. */
export async function joinPolynomial(shares: readonly Share[], pause: Pause): Promise<Bytes> {
  const secret = new Uint8Array(shares[0]!.bytes.length);
  for (const { identifier, bytes } of shares) {
    await pause();
    let weight = 1;
    for (const other of shares)
      if (other.identifier !== identifier)
        weight = multiply(weight, multiply(other.identifier, inverse(other.identifier ^ identifier)));
    for (const [at, byte] of bytes.entries()) secret[at]! ^= multiply(byte, weight);
  }
  return secret;
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
  const result = new Uint8Array(first!);
  for (const other of others) {
    if (other.length !== result.length)
      throw new KmipError("CryptographicFailure", "Parts of unequal length");
    for (const [at, byte] of other.entries()) result[at]! ^= byte;
  }
  return result;
}
