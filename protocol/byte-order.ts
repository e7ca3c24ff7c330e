/** The order of byte strings, apart from `bytes.ts`: an app's page needs it after its start alone. */

/** Orders byte by byte, what is the beginning of another first. Not for secrets: it stops at the first difference. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (const [i, byte] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    if (byte !== other) return byte - other;
  }
  return a.length - b.length;
}
