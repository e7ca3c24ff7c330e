import type { Answer, Ask } from "../index.ts";
import { all, same } from "./answer.ts";
import type { Facts } from "./facts.ts";
import type { Conditions } from "./language.ts";
import { pathPattern } from "./path.ts";
import { pattern } from "./pattern.ts";
import { anyPattern, entries, oneOf, within } from "./reading.ts";

type Test = (facts: Facts) => Answer;

/** What the conditions of a statement ask, each by itself. Throws `TypeError`. */
export function conditionAsks(conditions: Conditions): Ask<Facts>[] {
  const { time, origins, accounts, purposes, headers, paths, wrappings } = conditions;
  const asks: Ask<Facts>[] = [];
  const ask = (name: string, read: () => Test) => asks.push({ name, answer: within(name, read) });
  if (time) asks.push(within("time", () => timeAsk(time)));
  if (origins) ask("origins", () => originTest(origins));
  if (accounts) ask("accounts", () => oneOf(anyPattern(accounts), ({ account }) => account));
  if (purposes) ask("purposes", () => oneOf(anyPattern(purposes), ({ purpose }) => purpose));
  if (headers) ask("headers", () => headersTest(headers));
  if (paths) ask("paths", () => pathTest(paths));
  if (wrappings)
    ask("wrappings", () =>
      oneOf(
        (value) => wrappings.some((one) => one === value),
        ({ wrapping }) => wrapping,
      ),
    );
  if (asks.length === 0) throw new TypeError("empty");
  return asks;
}

function timeAsk({
  from = 0,
  until = Number.POSITIVE_INFINITY,
}: NonNullable<Conditions["time"]>): Ask<Facts> {
  if (from === 0 && until === Number.POSITIVE_INFINITY) throw new TypeError("neither from nor until");
  if (!(from < until)) throw new TypeError("ends before it begins");
  return {
    name: "time",
    answer: ({ now }) => (Number.isFinite(now) ? from <= now && now < until : undefined),
    changes: [from, until],
  };
}

/** As RFC 6454 §6.2 writes them, each by itself: a wildcard in a host would take in what others can register. */
function originTest(origins: readonly string[]): Test {
  for (const origin of origins)
    within(`"${origin}"`, () => {
      if (origin.includes("*") || new URL(origin).origin !== origin) throw new TypeError("not an origin");
    });
  return oneOf(
    (value) => origins.includes(value),
    ({ origin }) => origin,
  );
}

/** The patterns for header fields by their names in lower case (RFC 9113 §8.2.1). */
function headersTest(headers: Readonly<Record<string, string>>): Test {
  const wanted = entries(headers).map(([name, text]) => {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      throw new TypeError(`"${name}" is no header's name in lower case`);
    if (text.includes(",")) throw new TypeError("a comma, which parts the values of a header");
    return { name, matches: within(name, () => pattern(text)) };
  });
  return ({ http }) => {
    if (!http) return http === null ? false : undefined;
    const { headers: given } = http;
    return all(
      wanted.map(({ name, matches }) => {
        const fields = given.filter(([field]) => field.toLowerCase() === name);
        return same(fields.flatMap(([, value]) => items(value)).map(matches));
      }),
    );
  };
}

/** A field's value is a list (RFC 9110 §5.6.1): several fields of a name are one, joined by commas. */
function items(value: string): string[] {
  return value.split(",").map((item) => item.trim());
}

function pathTest(paths: readonly string[]): Test {
  const matches = anyPattern(paths, (path) => {
    if (!path.startsWith("/")) throw new TypeError("a path begins with a slash");
    return pathPattern(path);
  });
  return oneOf(matches, ({ http }) => (http ? http.path : http));
}
