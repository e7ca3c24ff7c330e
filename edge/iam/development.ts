import { isLocalhost } from "../apps.ts";
import { type IamConfiguration, registeredClients } from "./clients.ts";

/**
 * Whether anyone may sign in by a name alone, and if not, why. All must hold: asked for, not production, and every
 * origin on a name that only this machine can reach (RFC 6761 §6.3).
 */
export function developmentSignIn(configuration: IamConfiguration): { allowed: boolean; why: string } {
  if (configuration.COFFER_DEV_SIGN_IN !== "true")
    return { allowed: false, why: "COFFER_DEV_SIGN_IN is not true" };
  if (configuration.COFFER_ENVIRONMENT !== "development") {
    return { allowed: false, why: "COFFER_ENVIRONMENT is not development" };
  }
  const origins = [
    configuration.COFFER_VAULT_ORIGIN,
    ...registeredClients(configuration).map(({ origin }) => origin),
  ];
  const foreign = origins.find((origin) => !isLocalhost(origin));
  return foreign === undefined
    ? { allowed: true, why: "development on localhost" }
    : { allowed: false, why: "an origin is not on localhost" };
}
