import type { App } from "../apps.ts";
import type { Tenant } from "../tenants.ts";

/** An app that may ask for tokens (RFC 6749 §2), a custodian's half of its name. Public clients: PKCE and DPoP bind them. */
export type Client = App & { redirectUris: string[] };

/** By its id, or by its origin, which an app knows of itself: the table of tenants sees to it that both name one. */
export function findClient({ apps }: Tenant, name: unknown): Client | undefined {
  const app = apps.find(({ id, origin }) => id === name || origin === name);
  return app && { ...app, redirectUris: [`${app.origin}/`] };
}
