/** Base64url without padding (RFC 4648 §5), strict: no white space, no padding, no other alphabet, canonical. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

/** Encodes bytes of any length. `encodeBase64url(new Uint8Array([255]))` is `"_w"`. */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  for (let i = 0; i < bytes.length; i++) {
    held = (held << 8) | (bytes[i] ?? 0);
    text += ALPHABET.charAt((held >> (2 * (i % 3) + 2)) & 63);
    // Each third byte completes two characters.
    if (i % 3 === 2) text += ALPHABET.charAt(held & 63);
  }
  const over = bytes.length % 3;
  if (over) text += ALPHABET.charAt((held << (6 - 2 * over)) & 63);
  return text;
}

/** Whether characters of the alphabet are what bytes encode to: whole ones, and no bit set after the last. */
export function isCanonical(text: string): boolean {
  const over = text.length % 4;
  const last = VALUES[text.charCodeAt(text.length - 1)] ?? 0;
  return over !== 1 && (last & (over && 63 >> (2 * over - 2))) === 0;
}

/** Decodes; throws `TypeError` for anything that `encodeBase64url` would not have written. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  if (!isCanonical(text)) throw new TypeError("not base64url");
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? -1;
    if (value < 0) throw new TypeError("not base64url");
    held = (held << 6) | value;
    // Of each four characters the first completes no byte.
    if (i % 4) bytes[at++] = held >> (6 - 2 * (i % 4));
  }
  return bytes;
}
