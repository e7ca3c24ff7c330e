/** Private keys that lie in the files of a browser's profile, as a thief of the files would look for them. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The modulus (hexadecimal, of 3,072 bits) of each RSA private key in the profile's IndexedDB. */
export async function rsaPrivateKeysIn(profile: string): Promise<Set<string>> {
  const names = await readdir(join(profile, "Default/IndexedDB"), { recursive: true });
  const found = new Set<string>();
  for (const name of names.filter((one) => /\.(log|ldb)$/.test(one))) {
    const bytes = await readFile(join(profile, "Default/IndexedDB", name));
    const text = (name.endsWith(".log") ? recordsOf(bytes) : bytes).toString("hex");
    // RSAPrivateKey (RFC 8017 §A.1.2): modulus of 385 bytes, exponent 65537, then the private exponent.
    for (const [, modulus = ""] of text.matchAll(/0282018100([0-9a-f]{768})0203010001028201/g))
      found.add(modulus);
  }
  return found;
}

/** The contents of a LevelDB log: blocks of 32 KiB, in them pieces with checksum, length and kind before each. */
function recordsOf(log: Buffer): Buffer {
  const [BLOCK, HEADER] = [32_768, 7];
  const pieces: Buffer[] = [];
  for (let at = 0; at + HEADER <= log.length; ) {
    const left = BLOCK - (at % BLOCK);
    const length = left < HEADER ? 0 : log.readUInt16LE(at + 4);
    if (left < HEADER || (length === 0 && log[at + 6] === 0)) at += left;
    else {
      pieces.push(log.subarray(at + HEADER, at + HEADER + length));
      at += HEADER + length;
    }
  }
  return Buffer.concat(pieces);
}
