import { isNamed } from "./names.ts";
import { type KeyPolicy, rank } from "./policy.ts";

/**
 * The policy that allows what both allow and nothing else. The policy inside an EDK can thereby only narrow the
 * current one of the KMS, never widen it; the result goes into the load receipt.
 */
export function narrow(a: KeyPolicy, b: KeyPolicy): KeyPolicy {
  const narrowed: KeyPolicy = {
    operations: a.operations.filter((operation) => b.operations.includes(operation)),
  };
  if (a.principals ?? b.principals)
    // What both name: of an open name and one that it stands for the latter.
    narrowed.principals = union(a.principals, b.principals).filter(
      (name) => isNamed(a.principals, name) && isNamed(b.principals, name),
    );
  const denied = union(a.denied, b.denied);
  if (denied.length > 0) narrowed.denied = denied;
  const tier = [a.tier, b.tier].filter((one) => one !== undefined).sort((x, y) => rank(y) - rank(x))[0];
  if (tier !== undefined) narrowed.tier = tier;
  if (a.wrapping ?? b.wrapping) narrowed.wrapping = "hybrid";
  const expires = [a.expires, b.expires].filter((one) => one !== undefined);
  if (expires.length > 0) narrowed.expires = Math.min(...expires);
  return narrowed;
}

function union(a: readonly string[] = [], b: readonly string[] = []): string[] {
  return [...new Set([...a, ...b])];
}
