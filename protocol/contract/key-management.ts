/** Management of an account's data keys, which the custodian keeps as EDKs (M17): what the KMS knows of each, and its state. */

import { boolean, open, text } from "../shape.ts";
import { description, descriptions, keyChange, pageOfKeys } from "./managed-key.ts";
import { keyVersion } from "./names.ts";
import type { AnswerOf, BodyOf, QueryOf, Route } from "./route.ts";

const account = text(1, 64);

/** By identifier. */
export const listKeys = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/keys",
  authentication: "token",
  parameters: { account },
  query: pageOfKeys,
  answer: { status: 200, json: open({ keys: descriptions, more: boolean }) },
  problems: ["forbidden"],
} as const satisfies Route;
export type ListKeysQuery = QueryOf<typeof listKeys>;
export type ListedKeys = AnswerOf<typeof listKeys>;

export const describeKey = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/keys/{key}",
  authentication: "token",
  parameters: { account, key: keyVersion },
  answer: { status: 200, json: description },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
export type DescribedKey = AnswerOf<typeof describeKey>;

export const changeKey = {
  site: "app",
  method: "PUT",
  path: "/kms/accounts/{account}/keys/{key}",
  authentication: "token",
  parameters: { account, key: keyVersion },
  request: { json: keyChange },
  answer: { status: 200, json: description },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
export type KeyChange = BodyOf<typeof changeKey>;
