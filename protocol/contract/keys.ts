/** Data keys as a custodian asks for them: made (M6), loaded into an instance (M8), granted to it (M7), taken out. */

import { SECRET_ALGORITHM_NAMES, SIGNATURE_ALGORITHM_NAMES } from "../keys/algorithm.ts";
import { edks, grant } from "../keys/loading/grant.ts";
import { loadAnswer, loadRequest } from "../keys/loading/index.ts";
import { keyPolicy } from "../policy/index.ts";
import { label, MAX_LABELS, namedSeed } from "../seed.ts";
import { list, literal, object, open, seconds, set, text, union, whole } from "../shape.ts";
import { identifier, jws, MAX_LOADS, uuid } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** Maximum of data keys that one request may ask for. */
const MAX_KEYS = 16;
/** Maximum of key pairs: an RSA pair takes the HSM a second. */
const MAX_PAIRS = 4;
/** Maximum of documents that one order names. */
const MAX_DOCUMENTS = 1000;

const count = whole(1, MAX_KEYS);
/** Keys that the HSM derives from a seed (M9), which the custodian keeps: one for each label, as many as `count` says. */
const seed = object({ ...namedSeed, labels: set(label, 1, MAX_LABELS) });
/** Without an account: a key of the tenant itself, for the custodians that the policy names; for the one who asks where it names none. `custody`: the
 * KMS retains the keys (M11), and what it answers is a reference to each; of an account alone. */
const maybe = { account: text(1, 64), policy: keyPolicy, custody: literal("kms"), seed };

export const makeDataKeys = {
  site: "app",
  method: "POST",
  path: "/kms/data-keys",
  authentication: "token",
  request: {
    json: union("purpose", {
      document: object({ count, purpose: literal("document") }, maybe),
      /** For operations in one piece. */
      data: object({ count, purpose: literal("data"), algorithm: literal(...SECRET_ALGORITHM_NAMES) }, maybe),
      /** Key pairs that sign, for an account. */
      signature: object(
        {
          ...{ count: whole(1, MAX_PAIRS), purpose: literal("signature") },
          algorithm: literal(...SIGNATURE_ALGORITHM_NAMES),
        },
        maybe,
      ),
    }),
  },
  answer: { status: 201, json: open({ edks: list(jws, 1, MAX_KEYS) }) },
  problems: ["forbidden", "hsm-refused", "quota-exceeded"],
} as const satisfies Route;

export type DataKeysRequest = BodyOf<typeof makeDataKeys>;

/**
 * The EDK of the key under which the names of an account's documents are copied for its list: the current one, made where there is none.
 * The KMS retains it; a new one takes its place when the account's key is another.
 */
export const metadataKey = {
  site: "app",
  method: "POST",
  path: "/kms/accounts/{account}/metadata-key",
  authentication: "token",
  parameters: { account: identifier },
  answer: { status: 200, json: open({ edk: jws }) },
  problems: ["forbidden", "hsm-refused", "quota-exceeded"],
} as const satisfies Route;

/** The next version of a key, by the EDK of its newest one, which opens and verifies from then on, and does nothing else.
 * `certificate`: of the wrapping key of the caller's instance, DER, base64url, which a policy may ask for. Without one no instance stands
 * behind the request, and what asks for a tier is refused.
 */
export const rotateKey = {
  site: "app",
  method: "POST",
  path: "/kms/key-versions",
  authentication: "token",
  request: { json: object({ edk: jws }, { certificate: text(1, 8192, /^[\w-]+$/) }) },
  answer: { status: 201, json: open({ edk: jws }) },
  problems: [
    ...["invalid-edk", "invalid-certificate", "forbidden", "foreign-custodian", "not-recipient"],
    ...["conflict", "strict-tenant", "hsm-refused", "quota-exceeded"],
  ] as const,
} as const satisfies Route;

export type RotateKeyRequest = BodyOf<typeof rotateKey>;

/** A data key for an instance, by one of the ways of `Load`. */
export const loadKey = {
  site: "app",
  method: "POST",
  path: "/kms/loads",
  authentication: "token",
  request: { json: loadRequest, limit: MAX_LOADS },
  answer: { status: 200, json: loadAnswer },
  problems: [
    "invalid-edk",
    "key-unusable",
    "invalid-certificate",
    "forbidden",
    "share-ended",
    "foreign-custodian",
    "not-recipient",
    "conflict",
    "strict-tenant",
    "hsm-refused",
  ],
} as const satisfies Route;

/** Seconds that a grant may live. */
const MAX_GRANT_LIFE = 3600;

/**
 * A grant for these keys, for the holder of this wrapping certificate (DER, base64url), which that instance presents once (M7). `life`:
 * in seconds; default: a minute.
 */
export const grantKeys = {
  site: "app",
  method: "POST",
  path: "/kms/grants",
  authentication: "token",
  request: {
    json: object({ edks, certificate: text(0, 8192) }, { life: whole(1, MAX_GRANT_LIFE) }),
    limit: MAX_LOADS,
  },
  answer: { status: 201, json: open({ grant, expires: seconds }) },
  problems: [
    "invalid-edk",
    "key-unusable",
    "invalid-certificate",
    "forbidden",
    "foreign-custodian",
    "not-recipient",
    "hsm-refused",
  ],
} as const satisfies Route;
export type GrantKeysRequest = BodyOf<typeof grantKeys>;

/** An order to take documents out of Coffer's keeping: for the audit log. */
export const orderExport = {
  site: "app",
  method: "POST",
  path: "/kms/exports",
  authentication: "token",
  request: { json: object({ account: text(1, 64), documents: list(uuid, 1, MAX_DOCUMENTS) }) },
  answer: { status: 201, json: open({ order: identifier }) },
  problems: ["forbidden"],
} as const satisfies Route;
export type ExportRequest = BodyOf<typeof orderExport>;
