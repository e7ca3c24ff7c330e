/** Refused responses as errors: problem documents (RFC 9457) and OAuth errors (RFC 6749 §5.2). */

import { problemMembers } from "#protocol/answer.ts";
import { CofferError, type ErrorCode, errorCode } from "#protocol/error.ts";
import { fits } from "#protocol/shape.ts";
import { worded } from "./error.ts";
import { clockAhead, clockSentence, retryAfter, spoken } from "./waiting.ts";

/** OAuth's own error names, in the kit's codes. */
const OAUTH: Readonly<Record<string, ErrorCode>> = {
  invalid_grant: "signed-out",
  invalid_client: "invalid-client",
  invalid_dpop_proof: "invalid-proof",
  access_denied: "sign-in-refused",
};

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/**
 * The error that a refused response stands for. Nothing of the body is shown; `code` chooses the message. A proof that was
 * refused when this clock (`now`, milliseconds) is far from the server's is `clock-wrong`.
 */
export async function errorFrom(response: Response, now: number = Date.now()): Promise<CofferError> {
  const status = response.status;
  const body = await problemMembers(response);
  const oauth = typeof body.error === "string" ? OAUTH[body.error] : undefined;
  const code = oauth ?? (fits(errorCode, body.code) ? body.code : (`http-${status}` as const));
  const instance = typeof body.instance === "string" ? body.instance.replace(/^urn:uuid:/, "") : "";
  const clock = code === "invalid-proof" ? clockSentence(clockAhead(response, now)) : undefined;
  const wait = retryAfter(response, now);
  const later = status === 429 && wait !== undefined && wait >= 60_000;
  const error = new CofferError(clock === undefined ? code : "clock-wrong", {
    status,
    requestId: REQUEST_ID.test(instance) ? instance : undefined,
    retryAfter: wait,
    message: clock ?? (later ? `Too many requests at once. Wait ${spoken(wait)} and try again.` : undefined),
    cause: body.title ?? body.error_description,
  });
  return worded(error);
}
