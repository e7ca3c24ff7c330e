/** Policies of statements that stand on a tenant or on all of them: COFFER_POLICIES, and what admins have put (docs/policies.md). */

import { seconds } from "#protocol/clock.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { decide, type Rule } from "#protocol/policy/index.ts";
import {
  type Asked,
  type Facts,
  factsOf,
  parsePolicies,
  parsePolicy,
} from "#protocol/policy/statements/index.ts";
import type { Caller } from "../caller.ts";
import type { InstanceFacts } from "../enrolled.ts";
import { KeptByTenant } from "../kept.ts";
import type { Person } from "../person.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { StoredPolicy } from "./stored-policy.ts";

/** Every one of them has to allow. */
export type Policies = readonly (readonly Rule<Facts>[])[];

/** In the table: the policy of all tenants. */
const CENTRAL = "*";

let kept: { text: string; policies: ReadonlyMap<string, readonly Rule<Facts>[]> } | undefined;

/** Reads the table once an isolate. Throws for one that is not as it should be: then nothing is decided, and the log says why. */
export function configuredPolicies(text: string | undefined, tenant: string): Policies {
  if (!text) return [];
  if (kept?.text !== text) kept = { text, policies: readOrTell(text) };
  const { policies } = kept;
  return [policies.get(CENTRAL), policies.get(tenant)].filter((one) => one !== undefined);
}

/** This isolate's. */
const stored = new KeptByTenant<StoredPolicy>("policy");
const parsed = new Map<string, { version: number; rules: readonly Rule<Facts>[] | null }>();

/** All that stand on the tenant: by configuration, and as its admins have put it, which `read` tells. Throws where they are not known. */
export async function standingPolicies(
  text: string | undefined,
  tenant: string,
  read: () => Promise<StoredPolicy>,
): Promise<Policies> {
  const { version, policy } = await stored.of(tenant, read);
  let kept = parsed.get(tenant);
  if (kept?.version !== version) {
    kept = { version, rules: policy === null ? null : parsePolicy(policy).rules };
    parsed.set(tenant, kept);
  }
  return [...configuredPolicies(text, tenant), ...(kept.rules === null ? [] : [kept.rules])];
}

function readOrTell(text: string): ReadonlyMap<string, readonly Rule<Facts>[]> {
  try {
    const policies = parsePolicies(text);
    for (const name of policies.keys())
      if (name !== CENTRAL && !isTenantName(name)) throw new TypeError(`${name} is no tenant's name`);
    return policies;
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 512) : "unknown";
    console.error(JSON.stringify({ event: "configuration", variable: "COFFER_POLICIES", reason }));
    throw error;
  }
}

type By = Pick<Caller, "custodian" | "user" | "origin" | "http">;
type Of = Pick<Asked, "action" | "resource" | "account"> &
  Partial<Pick<Asked, "purpose" | "wrapping">> & {
    person?: Person | undefined;
    /** As the registration authority has it; none where nobody names one. */
    instance?: InstanceFacts | undefined;
  };

/**
 * What the KMS knows of a request: of an instance, where one is named, its tier and method, and the registers that it has shown evidence of;
 * and how it gets the key, where that goes to one.
 */
export function factsOfCaller({ custodian, user, origin, http }: By, { person, instance, ...of }: Of): Facts {
  const now = seconds(Date.now());
  const { tier, method, registers } = instance ?? {};
  const known = { ...of, roles: person?.roles, groups: person?.groups, http };
  return factsOf({
    ...{ tier, method, registers: registers ?? undefined, wrapping: null },
    ...known,
    principal: custodian,
    person: user,
    origin,
    now,
  });
}

/** Whether they allow it, where there are any. */
export function checkPolicies(policies: Policies, facts: Facts): Decision<null> {
  if (policies.length === 0) return ok(null);
  const decision = decide(policies, facts);
  return decision.allowed ? ok(null) : refuse("forbidden", `policy: ${decision.reason}`);
}
