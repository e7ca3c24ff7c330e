/** Answers of the service contract before they count: of the status, media type, size and shape that are due, or `unexpected-response`. */

import { join } from "#protocol/bytes.ts";
import { CofferError, errorCode } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { checked, fits, open, type Shape, whole } from "#protocol/shape.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A message of the longest data in base64url. */
const JSON_LIMIT = 4 << 20;
const PROBLEM_LIMIT = 16 << 10;
const problem = open({ code: errorCode, status: whole(400, 599) });

export async function jsonOf<T>(response: Response, status: number, shape: Shape<T>): Promise<T> {
  if (response.status !== status || typeOf(response) !== "application/json") throw unexpected(response);
  const value = await readValue(response, JSON_LIMIT);
  try {
    return checked(shape, value);
  } catch (cause) {
    throw new CofferError("unexpected-response", { cause });
  }
}

export function streamOf(response: Response): ReadableStream<Bytes> {
  if (response.status !== 200 || typeOf(response) !== "application/octet-stream" || !response.body)
    throw unexpected(response);
  return response.body as ReadableStream<Bytes>;
}

/** The error that a refusal stands for (RFC 9457). What is no problem document somebody on the way has answered. */
export async function refusedBy(response: Response): Promise<CofferError> {
  const { status } = response;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isSafeInteger(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  const said =
    typeOf(response) === "application/problem+json"
      ? await readValue(response, PROBLEM_LIMIT).catch(() => undefined)
      : undefined;
  const code = fits(problem, said) && said.status === status ? said.code : (`http-${status}` as const);
  if (said === undefined) response.body?.cancel().catch(() => {});
  return new CofferError(code, { status, retryAfter });
}

function typeOf({ headers }: Response): string {
  return mediaTypeOf(headers.get("content-type"));
}

function unexpected({ body, status }: Response): CofferError {
  body?.cancel().catch(() => {});
  return new CofferError("unexpected-response", { status });
}

async function readValue({ body }: Response, limit: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  try {
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      length += read.value.length;
      if (length > limit) throw new CofferError("too-large");
      chunks.push(read.value);
    }
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(join(chunks)));
  } catch (cause) {
    reader?.cancel().catch(() => {});
    throw new CofferError("unexpected-response", { cause });
  }
}
