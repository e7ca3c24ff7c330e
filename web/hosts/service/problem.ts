import { type ProblemCode, problemDocument, problems } from "#protocol/contract/index.ts";
import type { ErrorCode } from "#protocol/error.ts";

/** A refusal by its code alone (RFC 9457); what is no problem of the contract's is `internal`. */
export function refusal(code: ErrorCode): Response {
  const known: ProblemCode = Object.hasOwn(problems, code) ? (code as ProblemCode) : "internal";
  return new Response(JSON.stringify(problemDocument(known)), {
    status: problems[known].status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}
