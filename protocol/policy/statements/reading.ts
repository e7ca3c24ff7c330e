/** What the readers of a policy share: where a fault is, and patterns by list. */
import type { Answer } from "../index.ts";
import { any } from "./answer.ts";
import type { Facts } from "./facts.ts";
import { type Pattern, pattern } from "./pattern.ts";

/** What `read` makes; a fault of it says where it is. */
export function within<T>(at: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`${at}: ${error.message}`, { cause: error });
  }
}

/** Whether one of the patterns matches. */
export function anyPattern(texts: readonly string[], read: (text: string) => Pattern = pattern): Pattern {
  const patterns = texts.map((text) => within(`"${text}"`, () => read(text)));
  return (value) => any(patterns.map((matches) => matches(value)));
}

/** Whether the one value matches, where there is one. */
export function oneOf(
  matches: Pattern,
  read: (facts: Facts) => string | null | undefined,
): (facts: Facts) => Answer {
  return (facts) => {
    const value = read(facts);
    if (value === undefined) return undefined;
    return value === null ? false : matches(value);
  };
}

/** The members of a record, of which there is one. Throws `TypeError`. */
export function entries(record: Readonly<Record<string, string>>): [string, string][] {
  const found = Object.entries(record);
  if (found.length === 0) throw new TypeError("empty");
  return found;
}
