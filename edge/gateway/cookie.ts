import { setCookie } from "hono/cookie";
import { isLocalhost } from "../apps.ts";
import { principalOf } from "../secret.ts";
import type { GatewayContext } from "./context.ts";

/**
 * The vault's cookies: host-only, HttpOnly, over HTTPS `__Host-` and Secure. Safari takes no Secure cookie over plain HTTP, so in
 * development on localhost they have neither. Cookies know no ports: the names then have the vault's, so that they are no
 * other server's on this machine (docs/decisions/0012).
 */
function cookieForm({ env, var: { origins } }: GatewayContext): { name: string; secure: boolean } {
  const vault = new URL(origins.vault);
  const plain =
    env.COFFER_ENVIRONMENT === "development" && vault.protocol === "http:" && isLocalhost(origins.vault);
  return plain ? { name: `coffer-${vault.port}`, secure: false } : { name: "__Host-coffer", secure: true };
}

/** Read on the vault's site only. Two of the name count as none: without `__Host-`, another server may have set one of them. */
function readCookie(c: GatewayContext, name: string): string | null {
  const pairs = (c.req.header("cookie") ?? "").split(";").map((pair) => pair.trim());
  const [value, ...more] = pairs.filter((pair) => pair.startsWith(`${name}=`));
  return value === undefined || more.length > 0 ? null : value.slice(name.length + 1);
}

/** The session's: SameSite=Strict. */
export function sessionCookie(c: GatewayContext): string | null {
  const bearer = readCookie(c, cookieForm(c).name);
  return bearer === null || principalOf(bearer) === null ? null : bearer;
}

export function setSessionCookie(c: GatewayContext, value: string, maxAge: number): void {
  const { name, secure } = cookieForm(c);
  setCookie(c, name, value, { path: "/", httpOnly: true, secure, sameSite: "Strict", maxAge });
}

export function clearSessionCookie(c: GatewayContext): void {
  setSessionCookie(c, "", 0);
}

/** That of a sign-in under way: SameSite=Lax, for a Strict one does not come back with the browser from another site. */
export function transactionCookie(c: GatewayContext): string | null {
  return readCookie(c, transactionName(c));
}

export function setTransactionCookie(c: GatewayContext, value: string, maxAge: number): void {
  const { secure } = cookieForm(c);
  setCookie(c, transactionName(c), value, { path: "/", httpOnly: true, secure, sameSite: "Lax", maxAge });
}

export function clearTransactionCookie(c: GatewayContext): void {
  setTransactionCookie(c, "", 0);
}

function transactionName(c: GatewayContext): string {
  return `${cookieForm(c).name}-sign-in`;
}
