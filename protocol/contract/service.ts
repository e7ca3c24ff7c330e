/**
 * The service contract (M16): what a microservice answers over REST, and the centralized CaaS at an address of its own, so that
 * an app moves from one to the other by changing a URL. A caller shows a certificate (mutual TLS) where the host has it, a
 * token at the CaaS. A key is loaded into a microservice; at the CaaS it works in the HSM, and what has an instance or a document in it is
 * `not-offered` there (`AT_CAAS`).
 */

import { enrol } from "../enrolment.ts";
import { MAX_JWS_LENGTH } from "../keys/length.ts";
import { entrusted, entrusting, handedInJson } from "../keys/loading/index.ts";
import { MAX_DATA, OPERATIONS } from "../operations/index.ts";
import { instance } from "../port/instance.ts";
import {
  anything,
  boolean,
  compactJws,
  list,
  nullable,
  object,
  open,
  type Shape,
  text,
  whole,
} from "../shape.ts";
import type { ProblemCode } from "./problems.ts";

/** Of a body in JSON: a message of the longest data in base64url, and an EDK beside it. */
const MAX_BODY = Math.ceil((MAX_DATA * 4) / 3) + (128 << 10);
/** A document in one stream, bytes. */
const MAX_STREAM = 2 ** 40;

/** Where an app that moves to the CaaS finds on its own origin what a microservice answers. */
export const CAAS_PATH = "/caas";

const OF_KEYS = ["forbidden", "key-missing", "key-refused", "key-unusable", "not-enrolled"] as const;
/** Bytes of a body that names or holds as many keys as there may be. */
const MAX_LOADS = 1 << 20;
/** Keys of one load. */
const MAX_LOADED = 1000;
const version = { keyId: text(0, 128), keyVersion: whole(1, 2 ** 31) };

function operation<O extends keyof typeof OPERATIONS>(name: O, problems: readonly ProblemCode[]) {
  return {
    method: "POST",
    path: `/operations/${name}`,
    request: { json: OPERATIONS[name].params as (typeof OPERATIONS)[O]["params"], limit: MAX_BODY },
    answer: { status: 200, json: OPERATIONS[name].result as (typeof OPERATIONS)[O]["result"] },
    problems,
  } as const;
}

/** In a query: a context as the base64url of its JSON, and an EDK. */
const context = text(2, 4096, /^[\w-]+$/);
const key = compactJws(MAX_JWS_LENGTH);
const octets = { octets: true, limit: MAX_STREAM, streamed: true } as const;

/** A route of the service contract. */
export type ServiceRoute = {
  readonly method: "GET" | "POST";
  readonly path: `/${string}`;
  readonly query?: Readonly<Record<string, Shape<string>>>;
  readonly request?: { readonly json: Shape<unknown>; readonly limit: number } | typeof octets;
  readonly answer:
    | { readonly status: 200 | 201; readonly json: Shape<unknown> }
    | { readonly status: 200; readonly octets: true; readonly ranges: false };
  /** What may be wrong, apart from what may be with every request. */
  readonly problems: readonly ProblemCode[];
};

/** Operations: the same wherever they are answered. */
export const operations = {
  encrypt: operation("encrypt", [...OF_KEYS, "context-mismatch"]),
  decrypt: operation("decrypt", [...OF_KEYS, "decrypt-failed"]),
  mac: operation("mac", OF_KEYS),
  macVerify: operation("macVerify", OF_KEYS),
  sign: operation("sign", OF_KEYS),
  verify: operation("verify", OF_KEYS),
  publicKey: operation("publicKey", OF_KEYS),
  hash: operation("hash", []),
  random: operation("random", []),
} as const satisfies Record<string, ServiceRoute>;

/** What a microservice answers beside them: which instance it is, and how it gets certificates and keys. */
export const lifeCycle = {
  /** This contract, as OpenAPI 3.1. */
  openApi: { method: "GET", path: "/openapi.json", answer: { status: 200, json: anything }, problems: [] },
  describe: {
    method: "GET",
    path: "/instance",
    answer: {
      status: 200,
      json: open(
        { measurement: text(0, 128), instance: nullable(instance) },
        /** Of the CaaS, which has no instance: its keys work in the HSM, and none is loaded. */
        { centralized: boolean },
      ),
    },
    problems: ["foreign-custodian", "no-session"],
  },
  enrol: {
    method: "POST",
    path: "/enrolments",
    request: { json: enrol, limit: 64 << 10 },
    answer: { status: 201, json: instance },
    problems: ["invalid-grant", "no-session", "enrolment-refused"],
  },
  load: {
    method: "POST",
    path: "/keys",
    request: { json: handedInJson, limit: MAX_LOADS },
    answer: {
      status: 201,
      json: object(version, { others: list(object(version), 1, MAX_LOADED) }),
    },
    problems: [
      "invalid-grant",
      "key-refused",
      "key-unusable",
      "not-enrolled",
      "not-recipient",
      "seed-refused",
    ],
  },
  /** Loaded keys, encrypted under the instance's local master key: it keeps none of them, and each later request brings its own (M10). */
  entrust: {
    method: "POST",
    path: "/entrusted-keys",
    request: { json: entrusting, limit: MAX_LOADS },
    answer: { status: 201, json: entrusted },
    problems: OF_KEYS,
  },
  lock: {
    method: "POST",
    path: "/locks",
    request: { json: object({}), limit: 1024 },
    answer: { status: 201, json: object({}) },
    problems: [],
  },
  /** Documents of any length, as streams. Plaintext comes frame by frame: only an answer that ends well was complete. */
  seal: {
    method: "POST",
    path: "/streams/seal",
    query: { key, context },
    request: octets,
    answer: { status: 200, octets: true, ranges: false },
    problems: [...OF_KEYS, "context-mismatch"],
  },
  open: {
    method: "POST",
    path: "/streams/open",
    query: { context },
    request: octets,
    answer: { status: 200, octets: true, ranges: false },
    problems: [...OF_KEYS, "decrypt-failed"],
  },
} as const satisfies Record<string, ServiceRoute>;

export const service = { ...operations, ...lifeCycle };

/** Which of them the CaaS answers beside the operations; the others are `not-offered` (docs/decisions/0097). */
export const AT_CAAS = {
  ...{ openApi: true, describe: true, lock: true },
  ...{ enrol: false, load: false, entrust: false, seal: false, open: false },
} as const satisfies Record<keyof typeof lifeCycle, boolean>;
export type ServiceOperation = keyof typeof service;

/** All that may be wrong at a route of it. */
export function problemsOfService({ method, request, query, problems }: ServiceRoute): ProblemCode[] {
  const found = new Set<ProblemCode>(problems);
  for (const code of [
    "foreign-custodian",
    "forbidden",
    "too-many-requests",
    "no-microservice",
    "no-session",
  ] as const)
    found.add(code);
  for (const code of ["busy", "internal"] as const) found.add(code);
  if (method !== "GET" || request || query) found.add("bad-request");
  if (request) found.add("too-large").add("unsupported-media-type");
  return [...found].sort();
}
