/** How the people of a tenant sign in: the table `oidc` of its entry in COFFER_TENANTS. */

import { groupName } from "#protocol/roles.ts";
import { list, type Of, object, text } from "#protocol/shape.ts";

/** The tenant's OpenID Connect provider, and what it knows the vault by. */
export type OidcSettings = {
  /** Issuer identifier, as the provider writes it. */
  issuer: string;
  clientId: string;
  /** The name of the worker's secret with the client's secret; null for a public client. */
  clientSecret: string | null;
  scope: string;
  /** The claim with a person's name; null for the usual ones. */
  nameClaim: string | null;
  /** The claim with a person's groups at the provider, and what those are here: pairs of its name and ours. None of others. */
  groups: { claim: string; named: [theirs: string, ours: string][] } | null;
  /** In development: whose principals the provider's people are, and the claim that is their subject there. */
  development: { issuer: string; subject: string } | null;
};

/** Where a provider sends browsers back to, at the vault. The operator registers it there. */
export const CALLBACK = "/sign-in/callback";

/** As many as the bits of a number that JSON and shifts hold. */
const MAX_GROUPS = 30;

const claim = text(1, 64, /^[A-Za-z0-9_:./-]+$/);

/** The table as it is written. */
export const oidcTable = object(
  { issuer: text(1, 300), clientId: text(1, 200, /^[\x21-\x7e]+$/) },
  {
    clientSecret: text(1, 64, /^COFFER_OIDC_SECRET[A-Z0-9_]*$/),
    scopes: list(text(1, 64, /^[\x21\x23-\x5b\x5d-\x7e]+$/), 0, 16),
    claims: object({}, { name: claim, groups: claim }),
    groups: list(object({ theirs: text(1, 200), ours: groupName }), 1, MAX_GROUPS),
    development: object({ issuer: text(1, 200), subject: claim }),
  },
);

/** Throws, with a sentence, for what must not be deployed. In production (`strict`) nothing is asked in the clear. */
export function readOidc(table: Of<typeof oidcTable>, strict: boolean): OidcSettings {
  const {
    issuer,
    clientId,
    clientSecret = null,
    scopes = ["profile"],
    claims = {},
    groups = [],
    development = null,
  } = table;
  if (!isEndpoint(issuer, strict) || /[?#]/.test(issuer))
    throw new Error(
      `its OpenID Connect issuer ${issuer} is no ${strict ? "HTTPS " : ""}address of a provider`,
    );
  if (strict && development !== null) throw new Error("oidc.development is for development alone");
  const scope = ["openid", ...scopes.filter((name) => name !== "openid")].join(" ");
  return {
    ...{ issuer, clientId, clientSecret, scope, nameClaim: claims.name ?? null, development },
    groups: readGroups(claims.groups, groups),
  };
}

function readGroups(
  claim: string | undefined,
  groups: { theirs: string; ours: string }[],
): OidcSettings["groups"] {
  if (claim === undefined && groups.length === 0) return null;
  if (claim === undefined || groups.length === 0)
    throw new Error("oidc.claims.groups and oidc.groups are given together");
  return { claim, named: groups.map(({ theirs, ours }) => [theirs, ours]) };
}

/** An address that a provider is asked at: HTTPS, in development also HTTP on this machine. */
export function isEndpoint(text: unknown, strict: boolean): text is string {
  const url = typeof text === "string" && text.length <= 2048 ? URL.parse(text) : null;
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  if (url.protocol === "https:") return true;
  return !strict && url.protocol === "http:" && isLoopback(url.hostname);
}

function isLoopback(hostname: string): boolean {
  return hostname === "127.0.0.1" || hostname === "[::1]" || /(^|\.)localhost$/.test(hostname);
}
