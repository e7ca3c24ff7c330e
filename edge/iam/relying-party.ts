import { seconds } from "#protocol/clock.ts";
import { CALLBACK } from "../oidc.ts";
import type { Tenant, TenantsConfiguration } from "../tenants.ts";
import { Providers, RelyingParty, type SignInSecrets, signInSecrets } from "./oidc/index.ts";

/** This isolate's. */
const providers = new Providers((...asked) => fetch(...asked));
const kept = new Map<string, SignInSecrets>();

/** The tenant's vault as a client of the tenant's provider; null where none is configured. `ask` is for the tenant's secret, once. */
export async function relyingParty(
  env: TenantsConfiguration,
  { name, vault, oidc: settings, admins }: Tenant,
  ask: () => Promise<Uint8Array<ArrayBuffer>>,
): Promise<RelyingParty | null> {
  if (settings === null) return null;
  const secrets = kept.get(name) ?? (await signInSecrets(await ask(), name));
  kept.set(name, secrets);
  const { clientSecret } = settings;
  const secret: unknown = clientSecret === null ? null : Reflect.get(env, clientSecret);
  return new RelyingParty({
    settings,
    strict: env.COFFER_ENVIRONMENT !== "development",
    clientSecret: typeof secret === "string" && secret !== "" ? secret : null,
    adminEmails: admins.flatMap((admin) => ("email" in admin ? [admin.email] : [])),
    redirectUri: vault + CALLBACK,
    providers,
    secrets,
    now: seconds(Date.now()),
  });
}
