import { applies, type Decision, decide, type Rule } from "../index.ts";
import type { Facts } from "./facts.ts";

/** Why a request is decided as it is, for the operator: never for the one who asks. */
export type Explanation = {
  decision: Decision;
  /** Of each policy, each statement in its order: what it asks, and whether that holds. */
  policies: {
    effect: Rule<Facts>["effect"];
    applies: boolean;
    asks: { name: string; answer: "yes" | "no" | "unknown" }[];
  }[][];
};

export function explain(policies: readonly (readonly Rule<Facts>[])[], facts: Facts): Explanation {
  return {
    decision: decide(policies, facts),
    policies: policies.map((rules) =>
      rules.map((rule) => ({
        effect: rule.effect,
        applies: applies(rule, facts),
        asks: rule.asks.map(({ name, answer }) => ({ name, answer: wordOf(answer(facts)) })),
      })),
    ),
  };
}

function wordOf(answer: boolean | undefined): "yes" | "no" | "unknown" {
  if (answer === undefined) return "unknown";
  return answer ? "yes" : "no";
}
