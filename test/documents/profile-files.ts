/** Private keys that lie in the files of a browser's profile, as a thief of the files would look for them. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { contentsOfLog } from "../system/profile.ts";

/** The modulus (hexadecimal, of 3,072 bits) of each RSA private key in the profile's IndexedDB. */
export async function rsaPrivateKeysIn(profile: string): Promise<Set<string>> {
  const names = await readdir(join(profile, "Default/IndexedDB"), { recursive: true });
  const found = new Set<string>();
  for (const name of names.filter((one) => /\.(log|ldb)$/.test(one))) {
    const bytes = await readFile(join(profile, "Default/IndexedDB", name));
    const text = (name.endsWith(".log") ? contentsOfLog(bytes) : bytes).toString("hex");
    // RSAPrivateKey (RFC 8017 §A.1.2): modulus of 385 bytes, exponent 65537, then the private exponent.
    for (const [, modulus = ""] of text.matchAll(/0282018100([0-9a-f]{768})0203010001028201/g))
      found.add(modulus);
  }
  return found;
}
