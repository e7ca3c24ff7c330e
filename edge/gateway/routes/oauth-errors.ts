import type { ProblemCode } from "#protocol/contract/index.ts";
import { Refused } from "../problem.ts";

/** OAuth's names of what may go wrong at a token endpoint (RFC 6749 §5.2, RFC 9449 §5). */
export const OAUTH: Partial<Record<ProblemCode, string>> = {
  "bad-request": "invalid_request",
  "invalid-client": "invalid_client",
  "invalid-grant": "invalid_grant",
  "invalid-proof": "invalid_dpop_proof",
  forbidden: "unauthorized_client",
};

export function oauth(code: ProblemCode): Refused {
  const error = OAUTH[code];
  return new Refused(code, error === undefined ? {} : { error });
}
