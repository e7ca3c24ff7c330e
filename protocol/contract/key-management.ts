/**
 * Management of data keys, of an account or of the tenant itself (M17): what the KMS knows of each, and its state. The custodian keeps them as EDKs.
 */

import { boolean, list, literal, type Of, open, text, whole } from "../shape.ts";
import { description, descriptions, keyChange, pageOfKeys } from "./managed-key.ts";
import { identifier, keyVersion } from "./names.ts";
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

/** `key`: of a data key its id and version, of the master key its id. `left`: milliseconds until it goes, where nothing ends it before. */
const keptKey = open({ what: literal("master key", "data key"), key: text(1, 256), left: whole(0) });
export type KeptKey = Of<typeof keptKey>;

/** Encrypted copies that the KMS has in memory now (W8), of an account's data keys and, with `instance`, of the master key for that one. */
export const readKeptKeys = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/kept-keys",
  authentication: "token",
  parameters: { account },
  query: { required: {}, optional: { instance: identifier } },
  answer: { status: 200, json: open({ keys: list(keptKey, 0, 512) }) },
  problems: ["forbidden", "not-recipient"],
} as const satisfies Route;

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

/** The same of the tenant itself: those that the caller has ordered, in this app. */
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
