/** Encrypted keys that the KMS has in memory (W8). */

import { list, literal, type Of, open, text, whole } from "../shape.ts";
import { identifier } from "./names.ts";
import type { Route } from "./route.ts";

/** `key`: of a data key its id and version, of the master key its id. `left`: milliseconds until it goes, where nothing ends it before. */
const keptKey = open({ what: literal("master key", "data key"), key: text(1, 256), left: whole(0) });
export type KeptKey = Of<typeof keptKey>;

/** Encrypted copies that the KMS has in memory now (W8), of an account's data keys and, with `instance`, of the master key for that one. */
export const readKeptKeys = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/kept-keys",
  authentication: "token",
  parameters: { account: text(1, 64) },
  query: { required: {}, optional: { instance: identifier } },
  answer: { status: 200, json: open({ keys: list(keptKey, 0, 512) }) },
  problems: ["forbidden", "not-recipient"],
} as const satisfies Route;
