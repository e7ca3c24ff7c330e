/** A resource over HTTP that is read in ranges (RFC 9110 §14). */
import { CofferError } from "../error.ts";
import type { RangedSource, SourcePart } from "./ranged-source.ts";

export type HttpSourceOptions = {
  /** Sends the requests, as the global `fetch` does: the place for credentials, proofs and repetition. */
  fetch(url: string, init: { headers: Record<string, string>; signal: AbortSignal }): Promise<Response>;
};

/** The resource as its first answer had it. */
type Known = { size: number; etag: string | null };

/**
 * The resource at `url`. Each part is one request with `Range`, and with `If-Range` where the first answer had a strong
 * ETag. Nothing that the server says is taken on trust: an answer is of exactly the part that was asked for.
 *
 * A page of another origin has to be shown the header fields `Content-Range` and `ETag` (`Access-Control-Expose-Headers`).
 *
 * Errors: `not-seekable` where the server ignores ranges, `source-changed` where it has another version by now,
 * `unexpected-response`, `offline` also for an answer that breaks off, and `http-404` and its like.
 */
export function httpSource(url: string, { fetch }: HttpSourceOptions): RangedSource {
  let known: Known | undefined;
  return {
    async read(offset, length, signal) {
      const conditional = known?.etag?.startsWith('"') ? { "if-range": known.etag } : undefined;
      const headers = { range: `bytes=${offset}-${offset + length - 1}`, ...conditional };
      const response = await fetch(url, { headers, signal }).catch((cause: unknown) =>
        brokenOff(cause, signal),
      );
      try {
        const part = partOf(response, offset, length, conditional !== undefined);
        const found = { size: part.size, etag: response.headers.get("etag") };
        known ??= found;
        if (found.size !== known.size || found.etag !== known.etag) throw new CofferError("source-changed");
        return { size: part.size, content: exactly(response.body, part.length, signal) };
      } catch (error) {
        // Nothing more of it is fetched: it may be all of the resource.
        response.body?.cancel().catch(() => {});
        throw error;
      }
    },
  };
}

/** What an answer says that it is, if that is what was asked for. */
function partOf(
  response: Response,
  offset: number,
  length: number,
  conditional: boolean,
): Pick<SourcePart, "size"> & { length: number } {
  const { status } = response;
  // All of it: the condition does not hold (RFC 9110 §13.1.5), or the server knows no ranges.
  if (status === 200) throw new CofferError(conditional ? "source-changed" : "not-seekable");
  if (status === 416 && offset > 0) throw new CofferError("source-changed");
  if (status !== 206)
    throw new CofferError(status >= 400 ? `http-${status}` : "unexpected-response", { status });
  const field = response.headers.get("content-range") ?? "";
  const [, from, to, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(field) ?? [];
  const end = Math.min(offset + length, Number(size));
  if (Number(from) !== offset || Number(to) + 1 !== end) throw new CofferError("unexpected-response");
  return { size: Number(size), length: end - offset };
}

/** The body, if it has `length` bytes; no more of it is read. */
function exactly(
  body: ReadableStream<Uint8Array> | null,
  length: number,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  if (!body) throw new CofferError("unexpected-response");
  const reader = body.getReader();
  let left = length;
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((cause: unknown) => brokenOff(cause, signal));
        if (done) {
          if (left > 0) throw new CofferError("offline");
          return controller.close();
        }
        left -= value.length;
        if (left < 0) {
          reader.cancel().catch(() => {});
          throw new CofferError("unexpected-response");
        }
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function brokenOff(cause: unknown, signal: AbortSignal): never {
  signal.throwIfAborted();
  throw cause instanceof CofferError ? cause : new CofferError("offline", { cause });
}
