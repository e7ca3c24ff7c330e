/** What a vault's document and pages are served with, for who checks it from outside and for WEBCAT's manifest. */
import { session } from "#protocol/contract/index.ts";

/** Directives of its content security policy but for the apps that may frame it. */
export const VAULT_POLICY: Readonly<Record<string, string>> = {
  "default-src": "'none'",
  "img-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "script-src": "'self'",
  "worker-src": "blob:",
  "connect-src": "'self'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "vault-loader",
};

/** Of everything that is no document: nothing in it loads or runs. */
export const NOTHING_POLICY: Readonly<Record<string, string>> = {
  "default-src": "'none'",
  "img-src": "'self'",
  "frame-ancestors": "'none'",
  "base-uri": "'none'",
  "form-action": "'none'",
};

/** Of the pages on which a vault asks a person: one script, and forms that lead to the vault and, after a sign-in, to `apps`. */
export function pagePolicy(vault: string, apps: readonly string[]): Readonly<Record<string, string>> {
  return {
    ...NOTHING_POLICY,
    "script-src": `${vault}/page.js`,
    "connect-src": `${vault}${session.path}`,
    "style-src": "'self'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
    "form-action": ["'self'", ...apps].join(" "),
  };
}

/** Other headers of the document; what must not be there would have a browser load or start more. */
export const VAULT_HEADERS: Readonly<Record<string, string>> = {
  "integrity-policy": "blocked-destinations=(script)",
  "x-content-type-options": "nosniff",
};
/** For how long a browser may run the document without asking: not at all, but for a day at an address that a page has made for it. */
export const VAULT_CACHING = { plain: "no-cache", made: "private, max-age=86400" } as const;
export const FORBIDDEN_HEADERS = ["link", "refresh", "service-worker-allowed", "speculation-rules"] as const;

/** Directives by name. Null where there are two policies, or a directive twice: browsers and checkers differ about those. */
export function parsePolicy(text: string): Map<string, string> | null {
  const parts = text.split(";").map((part) => part.trim().split(/\s+/));
  const named = parts
    .filter(([name]) => name !== "")
    .map(([name = "", ...value]) => [name, value.join(" ")] as const);
  const policy = new Map(named);
  return text.includes(",") || policy.size !== named.length ? null : policy;
}

/** How a policy differs from the expected one, in words; nothing where it does not. The order of sources says nothing. */
export function policyDifferences(text: string | null, expected: Readonly<Record<string, string>>): string[] {
  const policy = parsePolicy(text ?? "");
  if (policy === null) return ["more than one content security policy"];
  return [...new Set([...Object.keys(expected), ...policy.keys()])]
    .filter((name) => sorted(policy.get(name)) !== sorted(expected[name]))
    .map((name) => `content-security-policy has ${name} ${policy.get(name) ?? "not at all"}`);
}

function sorted(sources: string | undefined): string | undefined {
  return sources?.split(" ").toSorted().join(" ");
}

/**
 * Whether that is one origin, and no scheme, wildcard or keyword that stands for many. `URL` takes `*` in a host's name. By `vault`'s scheme:
 * a page that came over HTTP is by whoever was on the way.
 */
export function isOriginFor(vault: string, text: string): boolean {
  if (text.includes("*") || !URL.canParse(text)) return false;
  const { origin, protocol } = new URL(text);
  return origin === text && protocol === new URL(vault).protocol;
}

/** Who may frame a page, as its policy says. */
export function framersOf(headers: Headers): string[] {
  const value = parsePolicy(headers.get("content-security-policy") ?? "")?.get("frame-ancestors") ?? "";
  return value.split(" ").filter((one) => one !== "");
}
