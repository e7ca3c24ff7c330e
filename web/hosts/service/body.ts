import { join } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { checked, type Shape } from "#protocol/shape.ts";

/** A JSON body of that shape and of at most `limit` bytes, whatever Content-Length says. Errors: `unsupported-media-type`, `too-large`, `bad-request`. */
export async function readJson<T>(request: Request, shape: Shape<T>, limit: number): Promise<T> {
  requireType(request, "application/json");
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    length += read.value.length;
    // What is left is the host's to turn away: to cancel would take the connection with it, and the answer.
    if (length > limit) throw new CofferError("too-large");
    chunks.push(read.value);
  }
  return asked(() =>
    checked(
      shape,
      parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(join(chunks))),
    ),
  );
}

export function requireType(request: Request, type: string): void {
  if (mediaTypeOf(request.headers.get("content-type")) !== type)
    throw new CofferError("unsupported-media-type");
}

/** What a request says, or `bad-request`: the caller learns no more. */
export function asked<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new CofferError("bad-request", { cause });
  }
}
