/** Two byte strings of one length, bit by bit. Throws `RangeError` where their lengths differ. */
export function xor(a: Uint8Array, b: Uint8Array): Buffer<ArrayBuffer> {
  if (a.length !== b.length) throw new RangeError("not of one length");
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)));
}
