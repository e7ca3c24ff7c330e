/** Bodies of requests as the contract's routes take them: read within their bounds, whatever is said of their length. */

import { join } from "../bytes.ts";
import { parseJson } from "../json.ts";
import { mediaTypeOf } from "../media-type.ts";

/** Largest JSON or form body, bytes, of a route that says no other. Nothing legitimate there comes near. */
export const SMALL_BODY = 64 * 1024;

/** Makes the error to throw for a body that is refused. */
export type Refuse = (code: "bad-request" | "too-large" | "unsupported-media-type") => Error;

/** Reads a whole body of at most `limit` bytes, whatever Content-Length claims. Refuses with `too-large`. */
export async function readBody(
  request: Request,
  refuse: Refuse,
  limit: number = SMALL_BODY,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!(Number(request.headers.get("content-length") ?? 0) <= limit)) throw refuse("too-large");
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > limit) throw refuse("too-large");
    chunks.push(chunk);
  }
  return join(chunks);
}

/** A JSON body; its shape is for the caller to check. Refuses with `unsupported-media-type`, `bad-request`, `too-large`. */
export async function readJson(request: Request, refuse: Refuse, limit?: number): Promise<unknown> {
  requireType(request, "application/json", refuse);
  const body = await readBody(request, refuse, limit);
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw refuse("bad-request");
  }
}

/** A form body. A parameter that comes twice is refused (RFC 6749 §3.2). */
export async function readForm(request: Request, refuse: Refuse): Promise<Map<string, string>> {
  requireType(request, "application/x-www-form-urlencoded", refuse);
  const text = new TextDecoder().decode(await readBody(request, refuse));
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw refuse("bad-request");
    form.set(name, value);
  }
  return form;
}

/** Refuses with `unsupported-media-type` unless the body is of this media type. */
export function requireType(request: Request, type: string, refuse: Refuse): void {
  if (mediaTypeOf(request.headers.get("content-type")) !== type) throw refuse("unsupported-media-type");
}
