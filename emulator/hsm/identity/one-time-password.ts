import { createHmac } from "node:crypto";
import { equalConstantTime, utf8 } from "#protocol/bytes.ts";

/** TOTP (RFC 6238): HMAC-SHA-1, six digits, 30 s, one step of leeway each way. */

const STEP = 30_000;

/** The password of that moment. `secret` has at least 16 bytes (RFC 4226 §4, R6). */
export function oneTimePassword(secret: Uint8Array, now: Date): string {
  return digits(secret, stepOf(now));
}

/**
 * The step whose password this is, if it is later than `last`, the step that was used before; undefined otherwise. All
 * steps are tried, whichever fits.
 */
export function usedStep(secret: Uint8Array, given: string, now: Date, last: number): number | undefined {
  let found: number | undefined;
  const current = stepOf(now);
  for (const step of [current - 1, current, current + 1])
    if (equalConstantTime(utf8(digits(secret, step)), utf8(given)) && step > last) found = step;
  return found;
}

function stepOf(now: Date): number {
  return Math.floor(now.getTime() / STEP);
}

/** HOTP (RFC 4226 §5.3) */
function digits(secret: Uint8Array, counter: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac("sha1", secret).update(message).digest();
  const offset = mac.readUInt8(mac.length - 1) & 15;
  const value = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(value % 1_000_000).padStart(6, "0");
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Base32 without padding (RFC 4648 §6), as authenticator apps have secrets. */
export function encodeBase32(bytes: Uint8Array): string {
  let [text, held, bits] = ["", 0, 0];
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
}

/** Takes small letters, spaces and padding too, as people type it. Undefined where it is not base32. */
export function decodeBase32(text: string): Uint8Array<ArrayBuffer> | undefined {
  const digits = [...text.toUpperCase().replace(/[ -]|=+$/g, "")].map((digit) => BASE32.indexOf(digit));
  if (digits.includes(-1)) return undefined;
  const bytes: number[] = [];
  let [held, bits] = [0, 0];
  for (const digit of digits) {
    held = (held << 5) | digit;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(held >> bits);
    held &= (1 << bits) - 1;
  }
  return new Uint8Array(bytes);
}
