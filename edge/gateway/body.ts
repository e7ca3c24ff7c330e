import { join } from "#protocol/bytes.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { Refused } from "./problem.ts";

/** Largest JSON or form body, bytes. Nothing legitimate here comes near. */
const SMALL_BODY = 64 * 1024;

/** Reads a whole body of at most `limit` bytes, whatever Content-Length claims. Throws `Refused` `too-large`. */
export async function readBody(
  request: Request,
  limit: number = SMALL_BODY,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!(Number(request.headers.get("content-length") ?? 0) <= limit)) throw new Refused("too-large");
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > limit) throw new Refused("too-large");
    chunks.push(chunk);
  }
  return join(chunks);
}

/** A JSON body. Its shape is for `serve` to check. Throws `Refused` `unsupported-media-type`, `bad-request`, `too-large`. */
export async function readJson(request: Request, limit?: number): Promise<unknown> {
  requireType(request, "application/json");
  const body = await readBody(request, limit);
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new Refused("bad-request");
  }
}

/** A form body. A parameter that comes twice is refused (RFC 6749 §3.2). */
export async function readForm(request: Request): Promise<Map<string, string>> {
  requireType(request, "application/x-www-form-urlencoded");
  const text = new TextDecoder().decode(await readBody(request));
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw new Refused("bad-request");
    form.set(name, value);
  }
  return form;
}

/** Throws `Refused` `unsupported-media-type` unless the body is of this media type. */
export function requireType(request: Request, type: string): void {
  if (mediaTypeOf(request.headers.get("content-type")) !== type) throw new Refused("unsupported-media-type");
}
