import { HTTPException } from "hono/http-exception";
import { type ProblemCode, problemDocument, problems } from "#protocol/contract/index.ts";
import type { Problem, Result } from "../result.ts";

/** A refusal on its way out. Thrown in handlers, written by `app.onError`. */
export class Refused extends HTTPException {
  readonly code: ProblemCode;
  readonly extra: { error?: string; headers?: Record<string, string> };
  constructor(code: ProblemCode, extra: { error?: string; headers?: Record<string, string> } = {}) {
    super(problems[code].status);
    this.code = code;
    this.extra = extra;
  }
}

/** A domain's problem on its way out, with an OAuth name for it at the token endpoint. */
export function refused({ code, retryAfter }: Problem, error?: string): Refused {
  const headers = retryAfter === undefined ? {} : { headers: { "retry-after": String(retryAfter) } };
  return new Refused(code, { ...headers, ...(error !== undefined && { error }) });
}

/** The value of a domain's answer, or `Refused` with its code. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw refused(result.problem);
}

/** `application/problem+json` (RFC 9457). `error` is OAuth's own name for it (RFC 6749 §5.2), at the token endpoint. */
export function problemResponse(
  code: ProblemCode,
  requestId: string,
  extra: Refused["extra"] = {},
): Response {
  const { error, headers } = extra;
  const body = { ...problemDocument(code, requestId), ...(error !== undefined && { error }) };
  return new Response(JSON.stringify(body), {
    status: problems[code].status,
    headers: { "content-type": "application/problem+json", ...challenge(code), ...later(code), ...headers },
  });
}

/** When to come again where nobody knows better, seconds (RFC 9110 §10.2.3). */
function later(code: ProblemCode): Record<string, string> {
  if (code !== "too-many-requests" && code !== "hsm-unavailable") return {};
  return { "retry-after": "5" };
}

/** RFC 9449 §7.1: tells a client what to come back with. */
function challenge(code: ProblemCode): Record<string, string> {
  if (code !== "invalid-proof" && code !== "invalid-token") return {};
  const error = code === "invalid-proof" ? "invalid_dpop_proof" : "invalid_token";
  return { "www-authenticate": `DPoP error="${error}", algs="ES256"` };
}
