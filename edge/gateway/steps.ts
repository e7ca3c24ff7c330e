/** What an answer tells of the steps that were taken for it, in the header that browsers know for that (`Server-Timing`). */

import { Steps, serverTiming } from "../steps.ts";
import type { GatewayContext } from "./context.ts";

/** Bindings by which the gateway reaches the domains, and their names in what is told. */
const DOMAINS = {
  IAM: "iam",
  RA: "ra",
  KMS: "kms",
  CAAS: "caas",
  DATASTORE: "datastore",
} as const satisfies Partial<Record<keyof Env, string>>;

/** Has each call of a domain be a step of this request. */
export function watchDomains(c: GatewayContext): void {
  const steps = new Steps("gateway");
  const env = { ...c.env };
  for (const [name, domain] of Object.entries(DOMAINS)) {
    const binding = env[name as keyof typeof DOMAINS];
    if (binding) Object.assign(env, { [name]: steps.watched<object>(domain, binding) });
  }
  c.set("steps", steps);
  c.env = env;
}

/**
 * The header's value: of what was answered by the contract to somebody who may have it. A refusal, a page and a file tell nothing, nor does
 * what no domain was asked for.
 */
export function stepsOf(c: GatewayContext, began: number): string | undefined {
  const { answered, steps } = c.var;
  if (!answered || !c.res.ok || steps.done.length === 0) return undefined;
  return serverTiming(Date.now() - began, steps.done);
}
