/** Answers of the service contract: what counts as a stream, and the error that a refusal stands for. */

import { mediaType, problemMembers } from "#protocol/answer.ts";
import { CofferError, errorCode } from "#protocol/error.ts";
import { fits } from "#protocol/shape.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export function streamOf(response: Response): ReadableStream<Bytes> {
  const { status, body } = response;
  if (status === 200 && mediaType(response) === "application/octet-stream" && body)
    return body as ReadableStream<Bytes>;
  body?.cancel().catch(() => {});
  throw new CofferError("unexpected-response", { status });
}

/** The error that a refusal stands for (RFC 9457). What is no problem document somebody on the way has answered. */
export async function refusedBy(response: Response): Promise<CofferError> {
  const { status } = response;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isSafeInteger(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  const { code } = await problemMembers(response);
  return new CofferError(fits(errorCode, code) ? code : `http-${status}`, { status, retryAfter });
}
