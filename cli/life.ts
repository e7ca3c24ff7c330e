/** What `coffer account`, `key`, `re-encrypt` and `instance` have in common: whose account, when something ends, and how it is told. */

import { parseArgs } from "node:util";
import { seconds } from "#protocol/clock.ts";
import type { DeletionRequest } from "#web/client/accounts.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { numberIn } from "./number-in.ts";
import { sessionOptions } from "./session-options.ts";

export const LIFE_OPTIONS = {
  ...sessionOptions,
  account: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const text = { type: "string" } as const;
/** What `coffer key` takes beside. */
export const KEY_OPTIONS = {
  ...{ algorithm: text, purpose: text, count: text, state: text, tag: text, limit: text, after: text },
} as const;

export const END_OPTIONS = {
  days: { type: "string" },
  immediately: { type: "boolean", default: false },
} as const;

export const ACCOUNT_HELP_LINE = "  --account ID  whose; the user's first where it is not said";
export const JSON_HELP_LINE = "  --json        one JSON value on standard output";
export const END_HELP = `  --days N      when: in 7 to 30 days                       (30)
  --immediately at once instead, which cannot be cancelled`;

/** The account that is meant. Errors: `CommandError` for one that the user has not. */
export function accountOf({ identity, account }: Client, wanted: string | undefined): string {
  if (wanted === undefined) return account();
  if (identity.accounts.some(({ id }) => id === wanted)) return wanted;
  throw new CommandError(`${wanted} is no account of ${identity.user.name}.`);
}

export function deletionOf(values: {
  days?: string | undefined;
  immediately?: boolean | undefined;
}): DeletionRequest {
  const { days, immediately } = values;
  if (immediately && days !== undefined) throw new CommandError("Say --days or --immediately, not both.", 2);
  if (immediately) return { immediately: true };
  if (days === undefined) return {};
  return { days: numberIn("--days", days, 7, 30) };
}

/** When something is deleted that is not deleted at once: seconds since 1970. */
export function endIn(days = 30): number {
  return seconds(Date.now()) + days * 86_400;
}

export type LifeValues = {
  account?: string;
  json: boolean;
  days?: string;
  immediately: boolean;
  by?: string;
  own?: boolean;
} & Partial<Record<keyof typeof KEY_OPTIONS, string>>;

/** What a verb does with what stands behind it. */
export type Verbs = Readonly<
  Record<string, (client: Client, values: LifeValues, rest: string[]) => Promise<void>>
>;

/** A command line of `coffer COMMAND VERB …`, with the options of accounts and keys. Errors: `CommandError` for a verb that there is not. */
export function verbOf(command: string, args: string[], verbs: Verbs) {
  const options = {
    ...{ ...LIFE_OPTIONS, ...END_OPTIONS, ...KEY_OPTIONS, by: text },
    own: { type: "boolean", default: false },
  } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const [verb = "", ...rest] = positionals;
  const work = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const names = Object.keys(verbs);
  if (work === undefined)
    throw new CommandError(
      `coffer ${command}: say ${names.slice(0, -1).join(", ")} or ${names.at(-1)}. Try --help.`,
      2,
    );
  if (values.by !== undefined && !(command === "key" && verb === "rotate"))
    throw new CommandError("--by goes with `coffer key rotate`.", 2);
  if (values.own && !(command === "key" && verb !== "rotate"))
    throw new CommandError("--own goes with `coffer key`, and not with rotate: the EDK says whose it is.", 2);
  const stray = command === "key" ? undefined : Object.keys(KEY_OPTIONS).find((name) => name in values);
  if (stray !== undefined) throw new CommandError(`--${stray} goes with \`coffer key\`.`, 2);
  return { values, verb, rest, work };
}

/** Seconds since 1970, to the minute. */
export function dateOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** The rest of a command line: exactly these. */
export function exactly(command: string, rest: string[], ...names: string[]): string[] {
  if (rest.length !== names.length)
    throw new CommandError(
      `coffer ${command} takes ${names.length === 0 ? "nothing more" : names.join(" and ")}. Try --help.`,
      2,
    );
  return rest;
}
