/** Distinguished Names in a key's own policy (RFC 4514): whole ones, and those with any common name. */

import type { KeyPolicy } from "./policy.ts";

/**
 * Whether a name is one of these, as it is or with `*` in the place of its common name: `CN=*,OU=https://app.example,O=acme` is every custodian of that
 * app. A value ends where its escapes say, so that none reaches into the next attribute (RFC 4514 §2.4). No list names everybody.
 */
export function isNamed(names: readonly string[] | undefined, name: string): boolean {
  return !names || names.includes(name) || names.includes(name.replace(/^CN=(\\.|[^,+\\])*/s, "CN=*"));
}

/**
 * Whether it has a `*` that stands for nothing: a name is open as `CN=*,OU=…,O=…` alone, the form that custodians' names have, to the character. Any other
 * would name nobody, and so deny nobody.
 */
export function hasStrayWildcard({ principals = [], denied = [] }: KeyPolicy): boolean {
  const open = /^CN=\*,OU=(\\.|[^,+\\*])+,O=(\\.|[^,+\\*])+$/s;
  return [...principals, ...denied].some((name) => name.includes("*") && !open.test(name));
}
