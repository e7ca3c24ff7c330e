import { digest } from "../digest.ts";
import { type EcPublicJwk, thumbprint } from "../jwk.ts";
import { base64url, fits, line, literal, object, type Shape, seconds } from "../shape.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { checkTime } from "./time.ts";

/**
 * What an instance says of a data key that it has made (W10), signed with its identity key. Anyone can wrap a key of his own to
 * the public half of an account key, whoever passes the order on too: the KMS takes what an instance of the account vouches for.
 */
export type MadeKey = {
  version: 1;
  /** Id of the instance. */
  instance: string;
  account: string;
  /** Id of the account key that wraps it. */
  accountKey: string;
  /** SHA-256 of the wrapped key's bytes. */
  wrappedKeyDigest: string;
  /** Seconds since 1970. */
  iat: number;
  exp: number;
};

/** The `typ` (RFC 7515 §4.1.9). */
export const MADE_KEY_TYPE = "coffer-made-key+jwt";
/** How long it is good, seconds: for one request. */
export const MADE_KEY_SECONDS = 120;

const identifier = /* @__PURE__ */ line(128);
const madeKey: Shape<MadeKey> = /* @__PURE__ */ object({
  version: /* @__PURE__ */ literal(1),
  instance: identifier,
  account: identifier,
  accountKey: identifier,
  wrappedKeyDigest: /* @__PURE__ */ base64url(32),
  iat: seconds,
  exp: seconds,
});

/** What must be so: `identityKey` is the thumbprint of the instance's key, as the registration authority has it. */
export type Vouched = {
  key: EcPublicJwk;
  identityKey: string;
  instance: string;
  account: string;
  accountKey: string;
  wrappedKey: Uint8Array<ArrayBuffer>;
  now: number;
};

/** Verifies that this instance has made exactly this key for this account, just now. Throws `JwsError`. */
export async function verifyMadeKey(token: string, vouched: Vouched): Promise<MadeKey> {
  const { key, identityKey, wrappedKey, now } = vouched;
  if ((await thumbprint(key)) !== identityKey) throw new JwsError("jws-key", "not the instance's key");
  const made = await verifyJws(token, MADE_KEY_TYPE, (kid) => (kid === identityKey ? key : null));
  if (!fits(madeKey, made)) throw new JwsError("jws-payload", "says nothing of a key that was made");
  checkTime(made, now);
  if (!(made.exp - made.iat <= MADE_KEY_SECONDS)) throw new JwsError("jws-expired", "good for too long");
  for (const name of ["instance", "account", "accountKey"] as const)
    if (made[name] !== vouched[name]) throw new JwsError("jws-payload", `of another ${name}`);
  if (made.wrappedKeyDigest !== (await digest(wrappedKey)))
    throw new JwsError("jws-payload", "of another wrapped key");
  return made;
}
