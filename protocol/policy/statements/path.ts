/** Paths of requests and names of resources: segments between slashes, compared one by one. */
import type { Answer } from "../index.ts";
import { all } from "./answer.ts";
import { type Pattern, pattern } from "./pattern.ts";

const MAX_SEGMENTS = 32;
const MAX_PATH_LENGTH = 4096;
const REST = "**";

/**
 * A pattern for each segment, which no wildcard leaves; `**` at the end is what stands before it and all below. What has
 * not one spelling (dot segments, empty ones, encoded slashes and the like) is not known to match or not. Throws
 * `TypeError`.
 */
export function pathPattern(text: string): Pattern {
  if (!isPlain(text.replaceAll("\\*", "*"))) throw new TypeError("a path that has other spellings");
  const segments = text.split("/");
  const open = segments.at(-1) === REST;
  if (open) segments.pop();
  const patterns = segments.map((segment) => (segment === "" ? isEmpty : pattern(segment)));
  const answer = (given: readonly string[]): Answer => {
    const fits = open ? given.length >= patterns.length : given.length === patterns.length;
    return fits && all(patterns.map((one, at) => one(given[at] ?? "")));
  };
  return (value) => {
    if (!isPlain(value)) return undefined;
    const given = value.split("/");
    const found = answer(given);
    if (found !== false) return found;
    // With a slash at the end or without: many servers take both for one.
    const other = given.at(-1) === "" ? given.slice(0, -1) : [...given, ""];
    return answer(other) === false ? false : undefined;
  };
}

function isEmpty(segment: string): boolean {
  return segment === "";
}

/**
 * Whether a path has one spelling: characters of RFC 3986 §3.3 without `;` (parameters, which servers cut off), bytes
 * encoded only where they have to be, no dot segments, and an empty segment at its ends alone.
 */
function isPlain(path: string): boolean {
  if (path === "" || path.length > MAX_PATH_LENGTH) return false;
  if (!/^(?:[\w.~!$&'()*+,=:@/-]|%[0-9A-F]{2})*$/.test(path)) return false;
  const encoded = path.match(/%../g) ?? [];
  if (
    encoded.some((one) =>
      /[\w.~/\\%?#;-]|\p{Cc}/u.test(String.fromCharCode(Number.parseInt(one.slice(1), 16))),
    )
  )
    return false;
  const segments = path.split("/");
  if (segments.length > MAX_SEGMENTS) return false;
  const inner = segments.slice(1, -1);
  return !inner.includes("") && !segments.some((segment) => segment === "." || segment === "..");
}
