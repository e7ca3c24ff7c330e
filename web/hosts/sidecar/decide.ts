/** What the sidecar decides by: whose request it is, what of, and what the policy says of its path and headers. */

import { type ServiceRoute, service } from "#protocol/contract/index.ts";
import { type Action, type Decision, decide, KEY_OPERATIONS } from "#protocol/policy/index.ts";
import { factsOf, type Parsed } from "#protocol/policy/statements/index.ts";

export type Asked = {
  peer: string;
  method: string;
  path: string;
  headers: readonly (readonly [name: string, value: string])[];
  /** Seconds since 1970. */
  now: number;
};

const ROUTES = new Map<string, string>(
  Object.entries<ServiceRoute>(service).map(([id, { method, path }]) => [`${method} ${path}`, id] as const),
);

/**
 * Default deny. A policy's `resources` are the contract's paths without the first slash; its `actions` the operations with keys, and
 * `release` for the rest: describing, enrolling, loading, hashing.
 */
export function decideRequest(
  { custodians, policy }: { custodians: ReadonlySet<string>; policy: Parsed },
  { peer, method, path, headers, now }: Asked,
): Decision {
  if (!custodians.has(peer)) return { allowed: false, reason: "another custodian" };
  const id = ROUTES.get(`${method} ${path}`);
  if (id === undefined) return { allowed: false, reason: "no route" };
  return decide(
    [policy.rules],
    factsOf({
      action: actionOf(id),
      principal: peer,
      tier: undefined,
      now,
      resource: path.slice(1),
      http: { path, headers },
    }),
  );
}

function actionOf(id: string): Action {
  const [operation] = KEY_OPERATIONS.filter((one) => one === id);
  if (operation) return operation;
  return id === "seal" ? "encrypt" : id === "open" ? "decrypt" : "release";
}
