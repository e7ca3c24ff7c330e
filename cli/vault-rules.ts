/** What a vault's document is served with, for who checks it from outside and for WEBCAT's manifest. */

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

/** Other headers of the document; what must not be there would have a browser load or start more. */
export const VAULT_HEADERS: Readonly<Record<string, string>> = {
  "integrity-policy": "blocked-destinations=(script)",
  "x-content-type-options": "nosniff",
};
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
