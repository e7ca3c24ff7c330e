import { getCookie, setCookie } from "hono/cookie";
import type { GatewayContext } from "./context.ts";

/**
 * The vault's session cookie: host-only, HttpOnly, SameSite=Strict, `__Host-` and Secure. Browsers take it over plain
 * HTTP on *.localhost too, which they hold to be trustworthy.
 */
const NAME = "__Host-coffer";

export function sessionCookie(c: GatewayContext): string | null {
  const value = getCookie(c, NAME);
  return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : null;
}

export function setSessionCookie(c: GatewayContext, value: string, maxAge: number): void {
  setCookie(c, NAME, value, { path: "/", httpOnly: true, secure: true, sameSite: "Strict", maxAge });
}

export function clearSessionCookie(c: GatewayContext): void {
  setSessionCookie(c, "", 0);
}
