import { errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { personName } from "#protocol/person-name.ts";
import { plain } from "../../admins.ts";
import type { OidcSettings } from "../../oidc.ts";
import { ProviderError } from "./failure.ts";
import type { Metadata } from "./metadata.ts";

/** Who somebody is, as a provider says it. The subject is the issuer's own and never given to another; the name is for people. */
export type Person = {
  issuer: string;
  subject: string;
  name: string;
  /** Which of the tenant's groups the provider says they are in: bits of the place in `OidcSettings.groups`. */
  groups: number;
  /** In lower case, and only if the provider has verified it. */
  email: string | null;
};

/** How far the provider's clock may be off, and how old an ID token may be that it has just given. Seconds. */
const CLOCK_SECONDS = 60;
const MAX_AGE_SECONDS = 10 * 60;
const MAX_TOKEN = 16 * 1024;
/** Claims with a name (OpenID Connect Core 1.0 §5.1), the best first. */
const NAMES = ["name", "preferred_username", "nickname", "email"];

/** Verified claims. */
type Payload = Record<string, unknown>;

/** The provider that was asked, with what it publishes. `now` in seconds. */
type Provider = { settings: OidcSettings; metadata: Metadata; keys: JWTVerifyGetKey; now: number };

/**
 * Verifies an ID token (OpenID Connect Core 1.0 §3.1.3.7). `keys` are those of the provider that was asked, and only what it
 * says of itself counts. Throws `ProviderError` `invalid`.
 */
export async function verifyIdToken(token: unknown, provider: Provider, nonce: string): Promise<Person> {
  const payload = await verifyToken(token, provider);
  if (payload.nonce !== nonce) throw new ProviderError("invalid", "ID token: another nonce");
  return personOf(payload, provider.settings);
}

/** What holds for each JWT of a provider: signature by one of its keys, issuer, audience, times. */
export async function verifyToken(token: unknown, provider: Provider): Promise<Payload> {
  const { settings, metadata, keys, now } = provider;
  if (typeof token !== "string" || token.length > MAX_TOKEN) throw new ProviderError("invalid", "no token");
  const { payload } = await jwtVerify(token, keys, {
    issuer: settings.issuer,
    audience: settings.clientId,
    algorithms: metadata.algorithms,
    requiredClaims: ["exp", "iat"],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_SECONDS,
    currentDate: new Date(now * 1000),
  }).catch((error: unknown) => {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new ProviderError("invalid", `token: ${error.code}${claimOf(error)}`);
  });
  // Several audiences: it is for the one that it was issued to.
  if ((Array.isArray(payload.aud) && payload.aud.length > 1) || payload.azp !== undefined)
    if (payload.azp !== settings.clientId)
      throw new ProviderError("invalid", "token: issued to another client");
  return payload;
}

/** When verified claims, which have both times, would not be taken any more. Seconds since 1970. */
export function takenUntil({ exp, iat }: Payload): number {
  return Math.min(Number(exp), Number(iat) + MAX_AGE_SECONDS) + CLOCK_SECONDS + 1;
}

/** Whom verified claims speak of. */
export function personOf(payload: Payload, settings: OidcSettings): Person {
  const { issuer, development } = settings;
  const { sub } = payload;
  if (typeof sub !== "string" || !/^[\x20-\x7e]{1,255}$/.test(sub))
    throw new ProviderError("invalid", "token: no subject");
  const name = nameOf(payload, settings);
  const of = { groups: groupsOf(payload, settings), email: emailOf(payload) };
  if (development === null) return { issuer, subject: sub, name: name ?? "Somebody without a name", ...of };
  const subject = personName(payload[development.subject]);
  if (subject === null) throw new ProviderError("invalid", "token: no subject of development");
  return { issuer: development.issuer, subject, name: name ?? subject, ...of };
}

function nameOf(payload: Payload, { nameClaim }: OidcSettings): string | null {
  for (const claim of nameClaim === null ? NAMES : [nameClaim]) {
    const value = payload[claim];
    const name = personName(typeof value === "string" ? value.slice(0, 64) : value);
    if (name !== null) return name;
  }
  return null;
}

/** What is in no list of ours is nothing here. */
function groupsOf(payload: Payload, { groups }: OidcSettings): number {
  if (groups === null) return 0;
  const told = payload[groups.claim];
  const theirs = Array.isArray(told) ? told : [told];
  return groups.named.reduce(
    (bits, [name], place) => (theirs.includes(name) ? bits | (1 << place) : bits),
    0,
  );
}

/** The groups that the bits of `Person.groups` stand for. */
export function groupsOfBits(bits: number, { groups }: OidcSettings): string[] {
  const named = groups?.named.filter((_, place) => (bits & (1 << place)) !== 0) ?? [];
  return [...new Set(named.map(([, ours]) => ours))];
}

/** OpenID Connect Core 1.0 §5.1: an address that anyone could have typed names nobody. */
function emailOf({ email, email_verified }: Payload): string | null {
  return typeof email === "string" && email.length <= 254 && email_verified === true ? plain(email) : null;
}

/** Which claim did not hold. */
function claimOf(error: unknown): string {
  const failed = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
  return failed ? ` ${error.claim}` : "";
}
