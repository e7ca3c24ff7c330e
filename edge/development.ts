import { configuredTenants, type TenantsConfiguration } from "./tenants.ts";

/**
 * Whether anyone may sign in by a name alone, and if not, why. All must hold: asked for, not production, and every
 * origin of every tenant on a name that only this machine can reach (RFC 6761 §6.3).
 */
export function developmentSignIn(configuration: TenantsConfiguration & Pick<Env, "COFFER_DEV_SIGN_IN">): {
  allowed: boolean;
  why: string;
} {
  if (configuration.COFFER_DEV_SIGN_IN !== "true")
    return { allowed: false, why: "COFFER_DEV_SIGN_IN is not true" };
  if (configuration.COFFER_ENVIRONMENT !== "development") {
    return { allowed: false, why: "COFFER_ENVIRONMENT is not development" };
  }
  return configuredTenants(configuration).local
    ? { allowed: true, why: "development on localhost" }
    : { allowed: false, why: "an origin is not on localhost" };
}
