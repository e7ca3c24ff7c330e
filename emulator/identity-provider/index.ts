/**
 * The identity provider of a developer's machine: OpenID Connect Core 1.0 (authorization code, PKCE) with a page that asks for
 * a name and nothing else. Tests bend what it answers. It vouches for nobody.
 * May import: protocol/*.ts, emulator/pages, node:.
 * May be imported by: cli, test, bench (and never by edge, which speaks HTTP to it).
 *
 * @example
 * const client = { id: "coffer", redirectUris: ["http://localhost:8788/sign-in/callback"], afterLogout: [] };
 * const provider = await startIdentityProvider({ port: 0, clients: [client] });
 */
export type { Answer } from "../pages/index.ts";
export type { Bend, Claims, JoseHeader } from "./bend.ts";
export type { Client } from "./client.ts";
export type { Algorithm, Rotation } from "./keys.ts";
export { type IdentityProvider, startIdentityProvider } from "./provider.ts";
