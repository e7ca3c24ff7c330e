/** Accounts of the user who is signed in, their keys, and how both end (W10, W11). Times are seconds since 1970. */

import { boolean, line, list, type Of, object, open, seconds, whole } from "../shape.ts";
import { ACCOUNT_STATES_PAGE, identifier, keyName, uuid } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** A person reads it; it is not secret to the servers. Characters. */
const name = line(128);
const version = whole(1, 1_000_000_000);
const parameters = { account: identifier };

/** After so many days, 30 unless it is said; or at once, which cannot be cancelled. */
const deletion = object({}, { days: whole(7, 30), immediately: boolean });
export type DeletionRequest = Of<typeof deletion>;
const scheduled = open({ ends: seconds });

/** Another account. `nonce` is random: the same request again is answered as the first time. */
export const createAccount = {
  site: "app",
  method: "POST",
  path: "/accounts",
  authentication: "token",
  request: { json: object({ name, nonce: uuid }) },
  answer: { status: 201, json: open({ id: identifier, name }) },
  problems: ["forbidden", "quota-exceeded"],
} as const satisfies Route;
export type NewAccountRequest = BodyOf<typeof createAccount>;

/** `ends`: when it will be deleted, if that is scheduled. */
const accountState = open({ id: identifier, name, created: seconds }, { ends: seconds });
export const readAccount = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}",
  authentication: "token",
  parameters,
  answer: { status: 200, json: accountState },
  problems: ["forbidden"],
} as const satisfies Route;

/** The same of all the caller's accounts, by pages in the order of their ids: `next` is what the one after this is asked for `after`. */
export const listAccountStates = {
  site: "app",
  method: "GET",
  path: "/account-states",
  authentication: "token",
  query: { required: {}, optional: { after: identifier } },
  answer: {
    status: 200,
    json: open({ accounts: list(accountState, 0, ACCOUNT_STATES_PAGE) }, { next: identifier }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

/**
 * The account will be deleted: its keys, and with them all of its documents. Until then nothing of it is opened or sealed, and it can be
 * cancelled. Asked for again, the answer is the first one's.
 */
export const scheduleAccountDeletion = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/deletion",
  authentication: "token",
  parameters,
  request: { json: deletion },
  answer: { status: 200, json: scheduled },
  problems: ["forbidden"],
} as const satisfies Route;

export const cancelAccountDeletion = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/deletion",
  authentication: "token",
  parameters,
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;

/** The account gets another key; the ones before it stay for what they wrap. */
export const renewAccountKey = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/key",
  authentication: "token",
  parameters,
  answer: { status: 201, json: open({ id: identifier, version }) },
  problems: ["forbidden", "strict-tenant", "hsm-refused"],
} as const satisfies Route;

const dataKeyVersion = open(
  { keyId: identifier, keyVersion: version, accountKey: open({ id: identifier, version }), created: seconds },
  { ends: seconds },
);
export type DataKeyVersion = Of<typeof dataKeyVersion>;

/**
 * Versions of the app's data key in the account, the newest first: levels `account` and `master`. At level `data` each document has a key
 * of its own, and there are none.
 */
export const listKeyVersions = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/data-keys",
  authentication: "token",
  parameters,
  answer: { status: 200, json: open({ versions: list(dataKeyVersion, 0, 100) }) },
  problems: ["forbidden"],
} as const satisfies Route;

/** The next version, made by the HSM; those before it go on to open what they sealed. `conflict` at level `data`. */
export const addKeyVersion = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/data-keys",
  authentication: "token",
  parameters,
  answer: { status: 201, json: open({ keyId: identifier, keyVersion: version }) },
  problems: ["forbidden", "conflict", "strict-tenant", "hsm-refused"],
} as const satisfies Route;

const ofVersion = { ...parameters, key: keyName };

/**
 * What was sealed under this version will stay closed. `conflict` for the current one, which is replaced first; at once `key-in-use` for a
 * minute after that, with `Retry-After`, for somebody may seal under it still.
 */
export const scheduleKeyDeletion = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/data-keys/{key}/deletion",
  authentication: "token",
  parameters: ofVersion,
  request: { json: deletion },
  answer: { status: 200, json: scheduled },
  problems: ["forbidden", "not-found", "conflict", "key-in-use", "hsm-refused"],
} as const satisfies Route;

export const cancelKeyDeletion = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/data-keys/{key}/deletion",
  authentication: "token",
  parameters: ofVersion,
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
