/** Management of an account's data keys, which the custodian keeps as EDKs (M17): what the KMS knows of each, and its state. */

import { KEY_OPERATIONS } from "../policy/index.ts";
import {
  boolean,
  list,
  literal,
  nullable,
  type Of,
  object,
  open,
  seconds,
  set,
  text,
  whole,
} from "../shape.ts";
import { identifier, keyTags, keyVersion } from "./names.ts";
import type { AnswerOf, BodyOf, QueryOf, Route } from "./route.ts";

/** Of one page. */
const MAX_PAGE = 100;

const account = text(1, 64);
const state = literal("enabled", "disabled");

const description = open(
  {
    ...{
      key: keyVersion,
      account,
      owner: text(1, 256),
      purpose: text(1, 64),
      created: seconds,
      state,
      tags: keyTags,
    },
    operations: set(literal(...KEY_OPERATIONS), 0, KEY_OPERATIONS.length),
    /** How often it was released to an instance. Operations with it are not told to anybody. */
    releases: whole(0),
  },
  /** `ends`: when it is deleted; it is released to nobody until then. */
  { expires: seconds, lastReleased: seconds, ends: seconds },
);

/** By identifier; those after `after`. Tags and states that are named have to fit. */
export const listKeys = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/keys",
  authentication: "token",
  parameters: { account },
  query: {
    required: {},
    optional: {
      ...{ after: keyVersion, purpose: text(1, 64), state },
      limit: text(1, 3, /^([1-9]\d?|100)$/),
      tag: text(1, 64),
    },
  },
  answer: { status: 200, json: open({ keys: list(description, 0, MAX_PAGE), more: boolean }) },
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

/** What is named changes. `ends`: seconds since 1970, at least a day ahead; null calls it off as long as it has not come. */
export const changeKey = {
  site: "app",
  method: "PUT",
  path: "/kms/accounts/{account}/keys/{key}",
  authentication: "token",
  parameters: { account, key: keyVersion },
  request: { json: object({}, { state, tags: keyTags, ends: nullable(seconds) }) },
  answer: { status: 200, json: description },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
export type KeyChange = BodyOf<typeof changeKey>;

/** A key of the tenant itself that the caller has ordered, in this app: when it is deleted, as above. */
export const endOwnKey = {
  site: "app",
  method: "PUT",
  path: "/kms/own-keys/{key}",
  authentication: "token",
  parameters: { key: keyVersion },
  request: { json: object({ ends: nullable(seconds) }) },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
