/** What decides under policies of any form, as rules: the same code at the edge and in the microservice. */

/** Whether something holds; undefined where the request does not tell, or tells both. */
export type Answer = boolean | undefined;

/** One thing that a rule asks about a request. `name` is for the operator. */
export type Ask<R> = {
  readonly name: string;
  readonly answer: (request: R) => Answer;
  /** Seconds since 1970 at which the answer to the same request becomes another. */
  readonly changes?: readonly number[];
};

/** Of what it asks, all has to hold for an allow; for a deny, nothing may be known not to hold. */
export type Rule<R> = { readonly effect: "allow" | "deny"; readonly asks: readonly Ask<R>[] };

/** `reason` is for the audit log, not for the one who asked. */
export type Decision = { allowed: true } | { allowed: false; reason: string };

/** Deny wins; every policy has to allow; without a policy the answer is no. */
export function decide<R>(policies: readonly (readonly Rule<R>[])[], request: R): Decision {
  if (policies.length === 0) return no("no policy");
  for (const rules of policies) {
    const denies = rules.find((rule) => rule.effect === "deny" && applies(rule, request));
    if (denies) return no(`denied by ${denies.asks.map(({ name }) => name)}`);
  }
  for (const rules of policies) {
    const allows = rules.filter(({ effect }) => effect === "allow");
    const missing = allows.map(({ asks }) => asks.find(({ answer }) => !answer(request))?.name);
    if (!missing.includes(undefined)) return no(`not allowed by ${missing}`);
  }
  return { allowed: true };
}

export function applies<R>({ effect, asks }: Rule<R>, request: R): boolean {
  return asks.every(({ answer }) => answer(request) ?? effect === "deny");
}

function no(reason: string): Decision {
  return { allowed: false, reason };
}
