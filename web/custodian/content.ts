/** A document's ciphertext from the datastore: by ranges, one read ahead, so that memory stays small on both sides. */

import { CofferError } from "./error.ts";
import type { RestClient } from "./rest.ts";

/** Bytes of one range. Measured: whole GETs are slower and cost the edge more memory. */
export const RANGE = 4 << 20;

interface Range {
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of the whole content. */
  total: number;
}

/** The content of a document: its first bytes, to read the header from, and all of it as a stream. */
export interface Content {
  head: Uint8Array<ArrayBuffer>;
  total: number;
  /** The whole content, the head included. To be taken once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Fetches the first range. Errors: `not-found`, `offline`, `unexpected-response`. */
export async function fetchContent(
  rest: Pick<RestClient, "send">,
  id: string,
  signal?: AbortSignal,
  range: number = RANGE,
): Promise<Content> {
  const first = await fetchRange(rest, id, 0, range, signal);
  return {
    head: first.bytes,
    total: first.total,
    stream() {
      let at = 0;
      let next: Promise<Range> | undefined = Promise.resolve(first);
      return new ReadableStream(
        {
          async pull(controller) {
            const { bytes, total } = await next!;
            // Ranges of different contents would fail to decrypt; this tells a truncated object from a tampered one.
            if (total !== first.total) throw new CofferError("unexpected-response");
            at += bytes.length;
            const done = at >= total;
            next = done ? undefined : fetchRange(rest, id, at, range, signal);
            // Whoever reads `next` gets its failure; until then it must not count as unhandled.
            next?.catch(() => {});
            controller.enqueue(bytes);
            if (done) controller.close();
          },
        },
        { highWaterMark: 0 },
      );
    },
  };
}

async function fetchRange(
  rest: Pick<RestClient, "send">,
  id: string,
  start: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Range> {
  const headers = { range: `bytes=${start}-${start + length - 1}` };
  const path = `/documents/${encodeURIComponent(id)}/content`;
  return rest.send("GET", path, { headers, signal }, async (response) => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status === 200 && start === 0) return { bytes, total: bytes.length };
    const [, from, to, total] =
      /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
    const covered = Number(to) - Number(from) + 1;
    if (response.status !== 206 || Number(from) !== start || covered !== bytes.length || covered < 1) {
      throw new CofferError("unexpected-response");
    }
    return { bytes, total: Number(total) };
  });
}
