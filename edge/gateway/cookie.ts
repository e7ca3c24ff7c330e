import { setCookie } from "hono/cookie";
import { isLocalhost } from "../apps.ts";
import { principalOf } from "../secret.ts";
import type { GatewayContext } from "./context.ts";

/**
 * The vault's session cookie: host-only, HttpOnly, SameSite=Strict, over HTTPS `__Host-` and Secure. Safari takes no
 * Secure cookie over plain HTTP, so in development on localhost it has neither. Cookies know no ports: its name then has
 * the vault's, so that it is no other server's on this machine (docs/decisions/0012).
 */
function cookieForm({ env, var: { origins } }: GatewayContext): { name: string; secure: boolean } {
  const vault = new URL(origins.vault);
  const plain =
    env.COFFER_ENVIRONMENT === "development" && vault.protocol === "http:" && isLocalhost(origins.vault);
  return plain ? { name: `coffer-${vault.port}`, secure: false } : { name: "__Host-coffer", secure: true };
}

/** Read on the vault's site only. Two of the name count as none: without `__Host-`, another server may have set one of them. */
export function sessionCookie(c: GatewayContext): string | null {
  const { name } = cookieForm(c);
  const pairs = (c.req.header("cookie") ?? "").split(";").map((pair) => pair.trim());
  const [value, ...more] = pairs.filter((pair) => pair.startsWith(`${name}=`));
  if (value === undefined || more.length > 0) return null;
  const bearer = value.slice(name.length + 1);
  return principalOf(bearer) === null ? null : bearer;
}

export function setSessionCookie(c: GatewayContext, value: string, maxAge: number): void {
  const { name, secure } = cookieForm(c);
  setCookie(c, name, value, { path: "/", httpOnly: true, secure, sameSite: "Strict", maxAge });
}

export function clearSessionCookie(c: GatewayContext): void {
  setSessionCookie(c, "", 0);
}
