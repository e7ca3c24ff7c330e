/** An app that may ask for tokens (RFC 6749 §2), a custodian's half of its name. Public clients: PKCE and DPoP bind them. */
export type Client = { id: string; origin: string; redirectUris: string[] };

/** What of Env names the clients and the issuer. */
export type IamConfiguration = Pick<
  Env,
  "COFFER_APP_ORIGINS" | "COFFER_VAULT_ORIGIN" | "COFFER_TENANT" | "COFFER_ENVIRONMENT" | "COFFER_DEV_SIGN_IN"
>;

/**
 * One client for each app origin; its id is the origin, since an app on another origin is another custodian (M13). The
 * first is the shipped page.
 */
export function registeredClients(configuration: Pick<IamConfiguration, "COFFER_APP_ORIGINS">): Client[] {
  return configuration.COFFER_APP_ORIGINS.split(",").map((text) => {
    const { origin } = new URL(text.trim());
    return { id: origin, origin, redirectUris: [`${origin}/`] };
  });
}

export function findClient(configuration: IamConfiguration, id: unknown): Client | undefined {
  return registeredClients(configuration).find((client) => client.id === id);
}
