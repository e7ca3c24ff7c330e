/** Which key a document is under, as its EDK says. Read for people: what is unwrapped is decided by the microservice, which verifies it. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { fits, type Of, object, open, text, whole } from "#protocol/shape.ts";

const version = whole(1);
/** `accountKeyVersion`: of the account key that it was wrapped under then. */
export const documentKey = object({ id: text(1, 128), version, accountKeyVersion: version });
export type DocumentKey = Of<typeof documentKey>;

const meant = open({ purpose: text(1, 64) });
const named = open({ keyId: text(1, 128), keyVersion: version, accountKey: open({ version }) });

/** Of a compact JWS; undefined for one that is not of an account, or is none. */
export function documentKeyOf(edk: string): DocumentKey | undefined {
  const payload = saidBy(edk);
  if (!fits(named, payload)) return undefined;
  return { id: payload.keyId, version: payload.keyVersion, accountKeyVersion: payload.accountKey.version };
}

/** What the key of an EDK is for; undefined where it does not say. */
export function purposeOf(edk: string): string | undefined {
  const payload = saidBy(edk);
  return fits(meant, payload) ? payload.purpose : undefined;
}

/** What the payload of a compact JWS says; undefined for what is none. */
export function saidBy(edk: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(decodeBase64url(edk.split(".")[1] ?? "")));
  } catch {
    return undefined;
  }
}
