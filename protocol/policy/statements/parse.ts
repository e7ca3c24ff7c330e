import { parseJson } from "../../json.ts";
import { MAX_POLICY_LENGTH } from "../../policy-length.ts";
import { checked } from "../../shape.ts";
import { hasStrayWildcard, type KeyPolicy, keyPolicy, type Rule, rulesOfKeyPolicy } from "../index.ts";
import type { Facts } from "./facts.ts";
import { policy } from "./language.ts";
import { refuseRepeated } from "./members.ts";
import { within } from "./reading.ts";
import { rulesOf } from "./rules.ts";

/** The same of a table of them. */
export const MAX_TABLE_LENGTH = 4_194_304;

export type Parsed = { form: "key" | "statements"; rules: readonly Rule<Facts>[] };

/**
 * Reads a policy of either form: of statements, or a key's own, which has `operations`. Everything in it is understood, or
 * none of it is taken. Throws `TypeError` that says where, and `SyntaxError` for what is no JSON.
 */
export function parsePolicy(text: string): Parsed {
  if (text.length > MAX_POLICY_LENGTH) throw new TypeError("a policy is too long");
  const value = parseJson(text);
  refuseRepeated(text);
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "operations"))
    return { form: "key", rules: rulesOfKeyPolicy(ownPolicy(value)) };
  return { form: "statements", rules: rulesOf(checked(policy, value)) };
}

function ownPolicy(value: unknown): KeyPolicy {
  const own = checked(keyPolicy, value);
  if (hasStrayWildcard(own)) throw new TypeError("a wildcard in a name that is no common name");
  return own;
}

/** Reads a JSON object of policies of statements, each by whom it is for. Throws as `parsePolicy` does. */
export function parsePolicies(text: string): Map<string, readonly Rule<Facts>[]> {
  if (text.length > MAX_TABLE_LENGTH) throw new TypeError("a table of policies is too long");
  const value = parseJson(text);
  refuseRepeated(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError("no object of policies");
  return new Map(
    Object.entries(value).map(([name, one]) => [name, within(name, () => rulesOf(checked(policy, one)))]),
  );
}
