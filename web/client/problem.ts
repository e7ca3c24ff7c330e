/** Refused responses as errors: problem documents (RFC 9457) and OAuth errors (RFC 6749 §5.2). */

import { CofferError, type ErrorCode, errorCode } from "#protocol/error.ts";
import { fits } from "#protocol/shape.ts";
import { bodyOf, mediaType, parse } from "./answer.ts";
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
/** Bytes of a body that may be a problem document. */
const LIMIT = 16_384;
const TYPES = ["application/problem+json", "application/json"];

/**
 * The error that a refused response stands for. Nothing of the body is shown; `code` chooses the message. A proof that was
 * refused when this clock (`now`, milliseconds) is far from the server's is `clock-wrong`.
 */
export async function errorFrom(response: Response, now: number = Date.now()): Promise<CofferError> {
  const status = response.status;
  const body = await membersOf(response);
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

/** A body that is not JSON, or speaks of another status, is not the edge's: somebody on the way has answered. */
async function membersOf(response: Response): Promise<Record<string, unknown>> {
  if (!TYPES.includes(mediaType(response))) {
    await response.body?.cancel();
    return {};
  }
  try {
    const value = Object(parse(await bodyOf(response, LIMIT))) as Record<string, unknown>;
    return value.status === undefined || value.status === response.status ? value : {};
  } catch {
    return {};
  }
}
