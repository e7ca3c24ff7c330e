/** What a policy of statements looks like: closed and bounded. What the patterns in it mean is in rules.ts. */

import { METHOD_NAMES } from "../../enrolment.ts";
import { list, literal, type Of, object, record, type Shape, seconds, set, text } from "../../shape.ts";
import { KEY_OPERATIONS, TIERS, WRAPPINGS } from "../index.ts";

export const ACTIONS = ["create", "release", "share", ...KEY_OPERATIONS] as const;

const MAX_PATTERN_LENGTH = 256;
const patterns = set(text(1, MAX_PATTERN_LENGTH), 1, 16);
const byName = record(8, MAX_PATTERN_LENGTH);

/** Everything has a word of its own, so that a list which has become empty does not mean it. */
const EVERYTHING = "*";

function orEverything<T>(inner: Shape<T>): Shape<T | typeof EVERYTHING> {
  const everything = literal(EVERYTHING);
  return {
    schema: { anyOf: [everything.schema, inner.schema] },
    check: (value) => (everything.check(value) ? inner.check(value) : null),
  };
}

const principal = object(
  {},
  {
    /** Patterns for attributes of the Distinguished Name, by type (`CN`, `O`, a dotted OID). */
    name: byName,
    roles: patterns,
    groups: patterns,
    persons: patterns,
    tiers: set(literal(...TIERS), 1, TIERS.length),
    methods: set(literal(...METHOD_NAMES), 1, METHOD_NAMES.length),
    /** Registers of the measurement (PCRs) by number, in hexadecimal. */
    registers: byName,
  },
);
export type Principal = Of<typeof principal>;

const conditions = object(
  {},
  {
    /** From the first second on, until the other one, which is not in it any more. */
    time: object({}, { from: seconds, until: seconds }),
    origins: patterns,
    accounts: patterns,
    purposes: patterns,
    headers: byName,
    paths: patterns,
    /** How a key is encrypted on its way to an instance. */
    wrappings: set(literal(...WRAPPINGS), 1, WRAPPINGS.length),
  },
);
export type Conditions = Of<typeof conditions>;

const statement = object(
  {
    effect: literal("allow", "deny"),
    principals: orEverything(list(principal, 1, 16)),
    actions: orEverything(set(literal(...ACTIONS), 1, ACTIONS.length)),
    resources: orEverything(patterns),
  },
  { conditions },
);
export type Statement = Of<typeof statement>;

export const policy = object({ statements: list(statement, 1, 32) });
export type Policy = Of<typeof policy>;
