import { attributeType } from "../../pki/distinguished-name.ts";
import type { Answer } from "../index.ts";
import { all, any, same } from "./answer.ts";
import type { Facts } from "./facts.ts";
import type { Principal } from "./language.ts";
import { type Pattern, pattern } from "./pattern.ts";
import { anyPattern, entries, oneOf, within } from "./reading.ts";

type Test = (facts: Facts) => Answer;

/** Whether the one who asks is this one: all that is said of it holds. Throws `TypeError`. */
export function principalTest(principal: Principal): Test {
  const { name, roles, groups, persons, tiers, methods, registers } = principal;
  const tests: Test[] = [];
  if (name) tests.push(within("name", () => nameTest(name)));
  if (roles) tests.push(within("roles", () => memberTest(roles, (facts) => facts.roles)));
  if (groups) tests.push(within("groups", () => memberTest(groups, (facts) => facts.groups)));
  if (persons) tests.push(within("persons", () => oneOf(anyPattern(persons), ({ person }) => person)));
  if (tiers) tests.push(({ tier }) => (tier === undefined ? undefined : tiers.includes(tier)));
  if (methods)
    tests.push(({ method }) => (method === undefined ? undefined : methods.some((one) => one === method)));
  if (registers) tests.push(within("registers", () => registersTest(registers)));
  if (tests.length === 0) throw new TypeError("names nobody");
  return (facts) => all(tests.map((test) => test(facts)));
}

/** Every attribute of a type that is named has to match, wherever in the name it stands. */
function nameTest(name: Readonly<Record<string, string>>): Test {
  const wanted = new Map<string, Pattern>();
  for (const [type, text] of entries(name)) {
    const dotted = attributeType(type);
    if (wanted.has(dotted)) throw new TypeError(`${type} is named twice`);
    wanted.set(
      dotted,
      within(type, () => pattern(text)),
    );
  }
  return (facts) => {
    const attributes = facts.attributes();
    return (
      attributes &&
      all(
        [...wanted].map(([type, matches]) =>
          same(
            attributes
              .filter((one) => one.type === type)
              .map(({ text }) => (text === undefined ? undefined : matches(text))),
          ),
        ),
      )
    );
  };
}

/** Whether one of several roles or groups is meant. */
function memberTest(wanted: readonly string[], read: (facts: Facts) => readonly string[] | undefined): Test {
  const matches = anyPattern(wanted);
  return (facts) => {
    const given = read(facts);
    return given && any(given.map(matches));
  };
}

function registersTest(registers: Readonly<Record<string, string>>): Test {
  const wanted = entries(registers);
  for (const [number, value] of wanted) {
    if (!/^(?:[0-9]|[1-3][0-9])$/.test(number)) throw new TypeError(`${number} is no number of a register`);
    if (!/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/.test(value))
      throw new TypeError("a register is a digest in lower-case hexadecimal");
  }
  // What was not shown, or as a digest by another hash, is not known.
  const shown = (given: Readonly<Record<string, string>>, number: string, value: string) => {
    const register = Object.hasOwn(given, number) ? given[number] : undefined;
    return register?.length === value.length ? register === value : undefined;
  };
  return ({ registers: given }) => given && all(wanted.map(([number, value]) => shown(given, number, value)));
}
