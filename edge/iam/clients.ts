import { type App, configuredApps } from "../apps.ts";

/** An app that may ask for tokens (RFC 6749 §2), a custodian's half of its name. Public clients: PKCE and DPoP bind them. */
export type Client = App & { redirectUris: string[] };

/** What of Env names the clients and the issuer. */
export type IamConfiguration = Pick<
  Env,
  "COFFER_APP_ORIGINS" | "COFFER_VAULT_ORIGIN" | "COFFER_TENANT" | "COFFER_ENVIRONMENT" | "COFFER_DEV_SIGN_IN"
> & { COFFER_SIGN_INS_PER_USER?: string; COFFER_SIGN_INS_PER_MINUTE?: string };

/** One client for each app, since an app on another origin is another custodian (M13). */
export function registeredClients(configuration: Pick<IamConfiguration, "COFFER_APP_ORIGINS">): Client[] {
  return configuredApps(configuration).map((app) => ({ ...app, redirectUris: [`${app.origin}/`] }));
}

/** By its id, or by its origin, which an app knows of itself: the configuration sees to it that both name one. */
export function findClient(configuration: IamConfiguration, name: unknown): Client | undefined {
  return registeredClients(configuration).find(({ id, origin }) => id === name || origin === name);
}
