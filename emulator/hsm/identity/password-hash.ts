import { randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from "node:crypto";

/** Passwords as they are kept: `scrypt$N$r$p$salt$hash` (RFC 7914), salt and hash in base64url. */

const COST = { N: 16_384, r: 8, p: 1 };
const LENGTH = 32;
const FORM = /^scrypt\$16384\$8\$1\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/** Longest password in UTF-16 units. */
export const MAX_PASSWORD = 1024;

export function hashPassword(password: string, salt: Uint8Array = randomBytes(16)): string {
  if (password.length > MAX_PASSWORD || salt.length !== 16) throw new TypeError("not a password");
  const hash = scryptSync(password.normalize("NFC"), salt, LENGTH, COST);
  return ["scrypt", COST.N, COST.r, COST.p, text(salt), text(hash)].join("$");
}

/** Whether `kept` is something that `hashPassword` writes. */
export function isPasswordHash(kept: string): boolean {
  return FORM.test(kept);
}

/** Takes as long for a wrong password as for the right one. */
export async function isPassword(kept: string, password: string): Promise<boolean> {
  const [, salt, hash] = FORM.exec(kept) ?? [];
  if (!salt || !hash || password.length > MAX_PASSWORD) return false;
  const given = await derive(password.normalize("NFC"), Buffer.from(salt, "base64url"), COST);
  return timingSafeEqual(given, Buffer.from(hash, "base64url"));
}

function derive(password: string, salt: Uint8Array, cost: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(password, salt, LENGTH, cost, (error, key) => (error ? reject(error) : resolve(key))),
  );
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
