/**
 * Problem codes (RFC 9457). A code is stable: callers act on it. The wire never says more than code, title and request
 * id; why exactly something was refused stands in the audit log under that id.
 */
export const problems = {
  "bad-request": { status: 400, title: "The request is malformed" },
  "invalid-client": { status: 400, title: "The client or its redirect URI is not registered" },
  "invalid-grant": { status: 400, title: "The grant is unknown, expired or already used" },
  "invalid-proof": { status: 401, title: "The DPoP proof is missing or not valid" },
  "invalid-token": { status: 401, title: "The access token is missing, expired or not valid" },
  "no-session": { status: 401, title: "Sign in first" },
  "invalid-certificate": { status: 400, title: "The certificate or certificate request is not valid" },
  "attestation-refused": { status: 403, title: "The evidence is not accepted" },
  "invalid-edk": { status: 400, title: "The encrypted data key is not valid" },
  forbidden: { status: 403, title: "Not allowed" },
  "pending-deletion": {
    status: 403,
    title: "This is scheduled for deletion; until then that can be cancelled",
  },
  "foreign-origin": { status: 403, title: "This origin may not do that" },
  "foreign-custodian": { status: 403, title: "This belongs to another custodian" },
  "not-recipient": { status: 403, title: "This certificate is not that of a registered instance" },
  "hybrid-required": { status: 403, title: "The key goes to instances with hybrid keys alone" },
  "key-refused": { status: 403, title: "Receipt, EDK or wrapped key do not hold" },
  "seed-refused": { status: 403, title: "The seed is empty, too long, or not that of the key" },
  "share-ended": { status: 403, title: "The document is not shared any more" },
  "not-found": { status: 404, title: "There is nothing here" },
  "method-not-allowed": { status: 405, title: "This method is not allowed here" },
  conflict: { status: 409, title: "The state has changed" },
  "key-in-use": { status: 409, title: "Something may be sealed under this key still: ask again later" },
  "strict-tenant": {
    status: 409,
    title: "The key store has no master key here: a microservice has to do this",
  },
  "recovery-needed": {
    status: 403,
    title: "This microservice lacks the master key: the ceremony with the recovery key gives it",
  },
  "back-end-refused": {
    status: 409,
    title: "What holds this tenant's keys keeps or offers less than is asked for",
  },
  "not-enrolled": { status: 409, title: "There is no instance, or another one by now" },
  "key-missing": { status: 409, title: "The key is not in the key ring" },
  "range-not-satisfiable": { status: 416, title: "The range is outside the content" },
  "too-large": { status: 413, title: "The request is too large" },
  "unsupported-media-type": { status: 415, title: "This media type is not accepted here" },
  "context-mismatch": { status: 422, title: "The context is not that of the key" },
  "decrypt-failed": { status: 422, title: "It could not be decrypted" },
  "key-unusable": { status: 422, title: "The key is not of the kind that it must be" },
  "wrong-host": { status: 421, title: "This server does not answer for that host" },
  "uri-too-long": { status: 414, title: "The address is too long" },
  "headers-too-large": { status: 431, title: "The headers are too large" },
  "quota-exceeded": { status: 403, title: "The account is full" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Something went wrong" },
  "not-offered": { status: 501, title: "The CaaS does not do this: a microservice does" },
  "enrolment-refused": { status: 502, title: "The certificates that the instance got do not hold" },
  "hsm-refused": { status: 502, title: "The key store refused the request" },
  busy: { status: 503, title: "Too many calls at once" },
  "no-microservice": { status: 503, title: "No page or process that has a microservice" },
  "verifier-unavailable": { status: 503, title: "The verifier cannot be reached" },
  "hsm-unavailable": { status: 503, title: "The key store cannot be reached" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** Base of `type` URIs (RFC 9457 §3.1.1): tag URIs name without promising a page behind them. */
export const PROBLEM_TYPE = "tag:coffer,2026:problem/";

/** What stands in an `application/problem+json` body. `instance` is the request id. */
export type ProblemDocument = {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  instance?: string;
};

/** The body for a code; the request id, if given, becomes `instance` as `urn:uuid:…`. */
export function problemDocument(code: ProblemCode, requestId?: string): ProblemDocument {
  const { status, title } = problems[code];
  const document: ProblemDocument = { type: PROBLEM_TYPE + code, title, status, code };
  if (requestId !== undefined) document.instance = `urn:uuid:${requestId}`;
  return document;
}
