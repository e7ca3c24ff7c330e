import { session, signOut } from "#protocol/contract/index.ts";
import type { Origins } from "../tenants.ts";

/** A content security policy as directives; each kind of document has its own, and everything else gets `NOTHING`. */
type Policy = Record<string, string>;

const NOTHING: Policy = {
  "default-src": "'none'",
  // The icon: a browser asks for it whatever document it shows, and complains where it may not.
  "img-src": "'self'",
  "frame-ancestors": "'none'",
  "base-uri": "'none'",
  "form-action": "'none'",
};

/** Where the page has PDFs drawn. */
export const PDF_FRAME = "/pdf.html";

/** The page at `app`: own scripts only, no string becomes code, a frame from the vault and one for PDFs, and one request to the vault (sign-out). */
export function appPolicy({ vault }: Origins, app: string): string {
  return serialize({
    ...NOTHING,
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "connect-src": `'self' ${vault}${signOut.path}`,
    "frame-src": `${vault} ${app}${PDF_FRAME}`,
    "require-trusted-types-for": "'script'",
    // The app may register its Service Worker by this policy, which knows one address (web/browser).
    "trusted-types": "service-worker",
  });
}

/**
 * The frame for PDFs: an opaque origin, in whatever it is shown; no network; one worker, which it makes itself. Which script and style these
 * are, the document's own policy says by their hashes, and a document has to satisfy both.
 */
export function pdfPolicy(app: string): string {
  return serialize({
    ...NOTHING,
    sandbox: "allow-scripts",
    "script-src": "'unsafe-inline'",
    "style-src": "'unsafe-inline'",
    "img-src": "'none'",
    "worker-src": "blob:",
    "frame-ancestors": app,
  });
}

/** The vault's document: framed by the apps only; its Worker runs from a Blob of bytes that the loader has checked. */
export function vaultPolicy({ apps }: Origins): string {
  return serialize({
    ...NOTHING,
    "script-src": "'self'",
    "worker-src": "blob:",
    "connect-src": "'self'",
    "frame-ancestors": apps.join(" "),
    "require-trusted-types-for": "'script'",
    "trusted-types": "vault-loader",
  });
}

/** The pages that ask before a code is issued, never in a frame. Chromium holds the redirect after a form to `form-action` too, hence the apps. */
export function signInPolicy({ vault, apps }: Origins): string {
  return serialize({ ...asking(vault), "form-action": ["'self'", ...apps].join(" ") });
}

/** The vault's account page, never in a frame. Signing out may lead to the provider. */
export function accountPolicy({ vault }: Origins, provider: string | null): string {
  return serialize({ ...asking(vault), "form-action": provider === null ? "'self'" : `'self' ${provider}` });
}

/** The page of the contract: a style that `hash` pins (SHA-256, base64), and nothing else. */
export function contractPolicy(hash: string): string {
  return serialize({ ...NOTHING, "style-src": `'sha256-${hash}'` });
}

/** The one script of these pages holds their buttons back and ends keys of this browser (web/hosts/pages). */
function asking(vault: string): Policy {
  return {
    ...NOTHING,
    "script-src": `${vault}/page.js`,
    "connect-src": `${vault}${session.path}`,
    "style-src": "'self'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
  };
}

/** The app's Service Worker: it asks its own origin alone, for the page's files. */
export const serviceWorkerPolicy = serialize({ ...NOTHING, "connect-src": "'self'" });

/**
 * No script of page or vault runs that its document does not pin by its hash (W3C Subresource Integrity, "Integrity-Policy"). It
 * does not cover the Worker, whose bytes the vault's loader hashes itself.
 */
export const integrityPolicy = "blocked-destinations=(script)";

/** What is no document. */
export const nothingPolicy = serialize(NOTHING);

function serialize(policy: Policy): string {
  return Object.entries(policy)
    .map(([directive, value]) => `${directive} ${value}`)
    .join("; ");
}

/** Headers of every response. `no-referrer` would make the Origin of the sign-in form `null`, hence `same-origin`. */
export const commonHeaders: Record<string, string> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // App and vault are one site in development: this asks for agent clusters of their own.
  "origin-agent-cluster": "?1",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), display-capture=()",
  "x-frame-options": "DENY",
};

/** What a document is served with beside the headers of every response. */
export function documentHeaders(policy: string): Record<string, string> {
  return { "content-security-policy": policy, "integrity-policy": integrityPolicy };
}

/** What the app's Service Worker serves a document of the page with where there is no network: what the edge does. */
export function pageHeaders(policy: string): Record<string, string> {
  // `frame-ancestors` of the policy says who may frame it.
  const { "x-frame-options": _, ...common } = commonHeaders;
  return { ...common, ...documentHeaders(policy) };
}

/** Over TLS only. */
export const transportSecurity = "max-age=63072000; includeSubDomains";
