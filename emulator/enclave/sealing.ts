import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { concat, utf8 } from "#protocol/bytes.ts";
import type { Registers } from "./registers.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const DOMAIN = utf8("coffer emulated sealing 1");
const CIPHER = "aes-256-gcm";
/** Bytes of the register numbers as a bit map, of salt, nonce and tag. */
const [SELECTION, SALT, NONCE, TAG] = [4, 16, 12, 16];

/**
 * Encrypts data so that only an enclave on the same platform opens it whose registers of these numbers hold what they hold
 * now: AES-256-GCM under HKDF-SHA-256 of the platform's secret, the numbers and their values.
 */
export function seal(
  secret: Uint8Array,
  registers: Registers,
  numbers: readonly number[],
  data: Uint8Array,
): Bytes {
  const selection = new Uint8Array(SELECTION);
  // A shift counts modulo 32: a number that no register has would stand for another.
  for (const number of numbers) registers.value(number);
  const bits = numbers.reduce((map, number) => map | (1 << number), 0);
  new DataView(selection.buffer).setUint32(0, bits >>> 0);
  const [salt, nonce] = [new Uint8Array(randomBytes(SALT)), new Uint8Array(randomBytes(NONCE))];
  const cipher = createCipheriv(CIPHER, keyFor(secret, registers, selection, salt), nonce);
  cipher.setAAD(selection);
  return concat(selection, salt, nonce, cipher.update(data), cipher.final(), cipher.getAuthTag());
}

/** The data; throws an `Error` for registers that hold something else, another platform, and what was changed. */
export function unseal(secret: Uint8Array, registers: Registers, sealed: Uint8Array): Bytes {
  const start = SELECTION + SALT + NONCE;
  if (sealed.length < start + TAG) throw new Error("not sealed data");
  const selection = sealed.slice(0, SELECTION);
  const salt = sealed.slice(SELECTION, SELECTION + SALT);
  const decipher = createDecipheriv(
    CIPHER,
    keyFor(secret, registers, selection, salt),
    sealed.slice(SELECTION + SALT, start),
  );
  decipher.setAAD(selection);
  decipher.setAuthTag(sealed.slice(-TAG));
  try {
    return concat(decipher.update(sealed.slice(start, -TAG)), decipher.final());
  } catch (cause) {
    throw new Error("sealed to other registers, or on another platform", { cause });
  }
}

function keyFor(
  secret: Uint8Array,
  registers: Registers,
  selection: Uint8Array,
  salt: Uint8Array,
): Uint8Array {
  const bits = new DataView(selection.buffer, selection.byteOffset).getUint32(0);
  const numbers = Array.from({ length: 32 }, (_, number) => number).filter((number) => (bits >>> number) & 1);
  const values = numbers.map((number) => registers.value(number));
  return new Uint8Array(hkdfSync("sha256", secret, salt, concat(DOMAIN, selection, ...values), 32));
}
