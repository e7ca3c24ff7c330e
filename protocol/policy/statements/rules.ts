import type { Ask, Rule } from "../index.ts";
import { any } from "./answer.ts";
import { conditionAsks } from "./conditions.ts";
import type { Facts } from "./facts.ts";
import type { Policy, Statement } from "./language.ts";
import { pathPattern } from "./path.ts";
import { principalTest } from "./principal.ts";
import { anyPattern, oneOf, within } from "./reading.ts";

/** The rules that the statements are, in their order. Throws `TypeError` for patterns that are none. */
export function rulesOf({ statements }: Policy): Rule<Facts>[] {
  return statements.map((statement, at) => within(`statements[${at}]`, () => ruleOf(statement)));
}

function ruleOf({ effect, principals, actions, resources, conditions }: Statement): Rule<Facts> {
  return {
    effect,
    asks: [
      within("principals", () => principalsAsk(principals)),
      {
        name: "actions",
        answer: ({ action }) => actions === "*" || actions.some((one) => one === action),
      },
      within("resources", () => resourcesAsk(resources)),
      ...(conditions ? within("conditions", () => conditionAsks(conditions)) : []),
    ],
  };
}

function principalsAsk(principals: Statement["principals"]): Ask<Facts> {
  if (principals === "*") return { name: "principals", answer: () => true };
  const tests = principals.map((principal, at) => within(`[${at}]`, () => principalTest(principal)));
  return { name: "principals", answer: (facts) => any(tests.map((test) => test(facts))) };
}

function resourcesAsk(resources: Statement["resources"]): Ask<Facts> {
  if (resources === "*") return { name: "resources", answer: () => true };
  const matches = anyPattern(resources, (text) => {
    if (text.startsWith("/") || text.endsWith("/"))
      throw new TypeError("a resource has no slash at its ends");
    return pathPattern(text);
  });
  return { name: "resources", answer: oneOf(matches, ({ resource }) => resource) };
}
