/**
 * Who acts in a tenant, and with what account: ids that are derived, so that whoever knows an issuer's subject knows which
 * object to ask, and no directory has to be kept.
 */

import { encodeHex } from "./bytes.ts";
import { sha256 } from "./digest.ts";

/** RFC 4648 §6, lower case. */
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
/** 160 bits: no two subjects meet in one, and nobody finds another subject for one. */
const BYTES = 20;
const PRINCIPAL = /^[a-z2-7]{32}$/;

/** The subject of an issuer in a tenant: a user, or a client that acts for itself. 32 characters. */
export async function principalId(of: { tenant: string; issuer: string; subject: string }): Promise<string> {
  const named = JSON.stringify(["coffer-principal-v1", of.tenant, of.issuer, of.subject]);
  return encodeBase32((await sha256(named)).subarray(0, BYTES));
}

/** The issuer of application servers: no provider has this name, so that no person is one of them. */
export const CLIENT_ISSUER = "urn:coffer:client";

/** An application server that the tenant has registered under a name. `nonce` is of that one alone: who gets the name after it is somebody else. */
export function clientPrincipal(of: { tenant: string; name: string; nonce: string }): Promise<string> {
  return principalId({ tenant: of.tenant, issuer: CLIENT_ISSUER, subject: `${of.name} ${of.nonce}` });
}

export function isPrincipalId(text: string): boolean {
  return PRINCIPAL.test(text);
}

/**
 * An account of a user: the one from the first sign-in on, or with `nonce` (random, the user's own) a further one. A UUID of version 8
 * (RFC 9562 §5.8).
 */
export async function ownAccountId({
  tenant,
  principal,
  nonce,
}: {
  tenant: string;
  principal: string;
  nonce?: string | undefined;
}): Promise<string> {
  const named = ["coffer-account-v1", tenant, principal, ...(nonce === undefined ? [] : [nonce])];
  const bytes = (await sha256(JSON.stringify(named))).subarray(0, 16);
  const hex = encodeHex(
    bytes.map((byte, i) => (i === 6 ? 0x80 | (byte & 0x0f) : i === 8 ? 0x80 | (byte & 0x3f) : byte)),
  );
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** For a multiple of five bytes, which needs no padding. */
function encodeBase32(bytes: Uint8Array): string {
  let bits = 0;
  let held = 0;
  let text = "";
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
  }
  return text;
}
