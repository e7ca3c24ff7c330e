/** What stands on a command line about data keys of level `data`, and how such a key is told. */

import {
  type DescribedKey,
  type DescribedUserKey,
  keyTags,
  keyVersion,
  type ListKeysQuery,
  listKeys,
} from "#protocol/contract/index.ts";
import { KEY_ALGORITHM_NAMES } from "#protocol/keys/algorithm.ts";
import { MAX_JWS_LENGTH } from "#protocol/keys/length.ts";
import { compactJws, fits } from "#protocol/shape.ts";
import { CommandError } from "./command-error.ts";
import { readNamed } from "./input.ts";
import { dateOf, type LifeValues } from "./life.ts";
import type { KeyOrder, Purpose } from "./managed-keys.ts";
import { numberIn } from "./number-in.ts";
import { shown } from "./shown.ts";

const PURPOSES: readonly Purpose[] = ["document", "data", "signature"];
const STATES = ["enabled", "disabled", "ending"] as const;

/** What `create` orders. Errors: `CommandError`, as of everything here. */
export function orderOf({ algorithm, count, purpose }: LifeValues): KeyOrder {
  return {
    algorithm: oneOf("--algorithm", KEY_ALGORITHM_NAMES, algorithm),
    purpose: purposeOf(purpose),
    count: numberOf("--count", count, 16) ?? 1,
  };
}

type Filtering = { [Name in "purpose" | "state" | "tag" | "after"]?: string | undefined };

/** What `list` asks for. */
export function filterOf({ purpose, state, tag, after }: Filtering): Omit<ListKeysQuery, "limit"> {
  const wanted = { purpose: purposeOf(purpose), state: oneOf("--state", STATES, state) };
  if (tag !== undefined && !fits(listKeys.query.optional.tag, tag))
    throw new CommandError("--tag takes a name of 1 to 64 characters.", 2);
  if (after !== undefined && !isVersion(after)) throw new CommandError("--after takes a version.", 2);
  return {
    ...(wanted.purpose !== undefined && { purpose: wanted.purpose }),
    ...(wanted.state !== undefined && { state: wanted.state }),
    ...(tag !== undefined && { tag }),
    ...(after !== undefined && { after }),
  };
}

export function limitOf(limit: string | undefined): number | undefined {
  return numberOf("--limit", limit, 100);
}

/** `ID.NUMBER` */
export function isVersion(key: string): boolean {
  return fits(keyVersion, key);
}

/** Tags from `NAME=VALUE`. */
export function tagsOf(words: readonly string[]): Record<string, string> {
  const tags = words.map((word): [string, string] => {
    const [, name = "", value = ""] = /^([^=]+)=(.+)$/s.exec(word) ?? [];
    if (name === "" || !fits(keyTags, { [name]: value }))
      throw new CommandError("A tag is NAME=VALUE, each of 1 to 64 characters.", 2);
    return [name, value];
  });
  const named = Object.fromEntries(tags);
  if (!fits(keyTags, named) || Object.keys(named).length < tags.length)
    throw new CommandError("A version bears up to 16 tags, each name once.", 2);
  return named;
}

/** An EDK from a file, or from standard input. */
export async function readEdk(file: string): Promise<string> {
  const edk = (await readNamed(file)).trim();
  if (!fits(compactJws(MAX_JWS_LENGTH), edk)) throw new CommandError(`${shown(file)} holds no EDK.`);
  return edk;
}

/** A line of a list. */
export function lineOf(known: DescribedKey | DescribedUserKey): string {
  const { key, created, purpose, state, releases, ends, tags } = known;
  const words = Object.entries(tags).map(([name, value]) => `${shown(name)}=${shown(value)}`);
  const said = ends === undefined ? state : `will be deleted ${dateOf(ends)}`;
  const released = `released ${releases} ${releases === 1 ? "time" : "times"}`;
  return [key, dateOf(created), shown(purpose), said, released, ...words].join("  ");
}

function purposeOf(purpose: string | undefined): Purpose | undefined {
  return oneOf("--purpose", PURPOSES, purpose);
}

function oneOf<T extends string>(
  option: string,
  names: readonly T[],
  given: string | undefined,
): T | undefined {
  const found = names.find((name) => name === given);
  if (given !== undefined && found === undefined)
    throw new CommandError(`${option} is one of ${names.join(", ")}.`, 2);
  return found;
}

function numberOf(option: string, given: string | undefined, most: number): number | undefined {
  return given === undefined ? undefined : numberIn(option, given, 1, most);
}
