import type { Content } from "../datastore/types.ts";

/**
 * The HTTP answer for content: 200, or 206 with Content-Range. `FixedLengthStream` gives it a Content-Length, which a
 * stream that came over RPC has lost, and makes a body that breaks off early an error instead of an end.
 */
export function contentResponse({ body, size, etag, range }: Content): Response {
  const length = range ? range.length : size;
  const headers = new Headers({
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    "content-type": "application/octet-stream",
    etag,
  });
  if (range) headers.set("content-range", `bytes ${range.offset}-${range.offset + length - 1}/${size}`);
  return new Response(body.pipeThrough(new FixedLengthStream(length)), {
    status: range ? 206 : 200,
    headers,
  });
}
