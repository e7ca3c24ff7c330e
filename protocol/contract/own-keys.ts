/** Management of data keys of the tenant itself (M6, M17), as an account's: of those that the caller has ordered, in this app. */

import { boolean, open } from "../shape.ts";
import { description, descriptions, keyChange, pageOfKeys } from "./managed-key.ts";
import { keyVersion } from "./names.ts";
import type { Route } from "./route.ts";

/** By identifier. */
export const listOwnKeys = {
  site: "app",
  method: "GET",
  path: "/kms/own-keys",
  authentication: "token",
  query: pageOfKeys,
  answer: { status: 200, json: open({ keys: descriptions, more: boolean }) },
  problems: ["forbidden"],
} as const satisfies Route;

export const describeOwnKey = {
  site: "app",
  method: "GET",
  path: "/kms/own-keys/{key}",
  authentication: "token",
  parameters: { key: keyVersion },
  answer: { status: 200, json: description },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;

/** What an admin has decided about it is not changed back. */
export const changeOwnKey = {
  site: "app",
  method: "PUT",
  path: "/kms/own-keys/{key}",
  authentication: "token",
  parameters: { key: keyVersion },
  request: { json: keyChange },
  answer: { status: 200, json: description },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
