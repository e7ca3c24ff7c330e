/**
 * Answers before they count. A captive portal answers 200 to everything, a proxy cuts a body off: what is not of the
 * status, the media type, the size and the shape that was asked for is `unexpected-response`, whatever it says.
 */

import { readAll } from "./chunks.ts";
import { CofferError, codeOf } from "./error.ts";
import { parseJson } from "./json.ts";
import { mediaTypeOf } from "./media-type.ts";
import { checked, type Shape } from "./shape.ts";

/** Bytes of a JSON answer. The largest is a page of the list. */
const JSON_LIMIT = 1 << 20;
/** Bytes of a body that may be a problem document. */
const PROBLEM_LIMIT = 16_384;
const PROBLEM_TYPES = ["application/problem+json", "application/json"];

/** A JSON answer of this status (any 2xx if none is given) and shape, of at most `limit` bytes. */
export function jsonAnswer<T>(
  status: number | undefined,
  shape: Shape<T>,
  limit: number = JSON_LIMIT,
): (response: Response) => Promise<T> {
  return async (response) => {
    const due = status === undefined ? response.ok : response.status === status;
    if (!due || mediaType(response) !== "application/json") throw await unread(response);
    const value = parse(await bodyOf(response, limit));
    try {
      return checked(shape, value);
    } catch (cause) {
      throw unexpected(cause);
    }
  };
}

/** An answer that says by its status alone that it is done: 204, without a body. */
export async function emptyAnswer(response: Response): Promise<void> {
  if (response.status !== 204) throw await unread(response);
  if ((await bodyOf(response, 0)).length > 0) throw unexpected();
}

/** The bytes of an answer, 1 to `limit`: nothing that is stored is empty. Without Content-Type they are octets as well (RFC 9110 §8.3). */
export async function octetsOf(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const type = mediaType(response);
  if (type !== "" && type !== "application/octet-stream") throw await unread(response);
  const bytes = await bodyOf(response, limit);
  if (bytes.length === 0) throw unexpected();
  const told = response.headers.get("content-length");
  // For an encoded body, Content-Length is the encoded length.
  if (told !== null && !response.headers.has("content-encoding") && Number(told) !== bytes.length)
    throw unexpected();
  return bytes;
}

/** Media type in lower case, without parameters; empty where there is none. */
export function mediaType(response: Response): string {
  return mediaTypeOf(response.headers.get("content-type"));
}

/** A body of at most `limit` bytes. A break on the way stays the error that it is. */
export async function bodyOf(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return new Uint8Array();
  return readAll(response.body as ReadableStream<Uint8Array<ArrayBuffer>>, limit).catch((cause: unknown) => {
    throw codeOf(cause) === "too-large" ? unexpected(cause) : cause;
  });
}

/** JSON in strict UTF-8. */
export function parse(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw unexpected(cause);
  }
}

/**
 * The members of a problem document (RFC 9457) or an OAuth error (RFC 6749 §5.2). A body that is not JSON, or speaks of another status, has none: somebody on
 * the way has answered.
 */
export async function problemMembers(response: Response): Promise<Record<string, unknown>> {
  if (!PROBLEM_TYPES.includes(mediaType(response))) {
    await response.body?.cancel().catch(() => {});
    return {};
  }
  try {
    const value = Object(parse(await bodyOf(response, PROBLEM_LIMIT))) as Record<string, unknown>;
    return value.status === undefined || value.status === response.status ? value : {};
  } catch {
    return {};
  }
}

/** For an answer that nobody reads: what is not read may hold its connection. */
export async function unread(response: Response): Promise<CofferError> {
  await response.body?.cancel().catch(() => {});
  return new CofferError("unexpected-response", { status: response.status });
}

function unexpected(cause?: unknown): CofferError {
  return new CofferError("unexpected-response", { cause });
}
