/** A document's ciphertext from the datastore: by ranges, a few read ahead, so that memory stays small on both sides. */

import { octetsOf } from "#protocol/answer.ts";
import { readContent } from "#protocol/contract/index.ts";
import type { ByteRange } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import { callOctets } from "./call.ts";
import type { RestClient } from "./rest.ts";

/** Bytes of one range. Measured: whole GETs are slower and cost the edge more memory. */
export const RANGE = 4 << 20;
/** Ranges under way or waiting to be taken; memory here and at the edge grows with it (three of them: workerd at 305 MiB). */
const AHEAD = 2;
/** Bytes of an answer that is whole although a range was asked for: it is in memory as it is. */
const WHOLE = 64 << 20;

interface Range {
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of the whole content. */
  total: number;
  /** Names this version of the content (RFC 9110 §8.8.3), where the server says it. */
  etag: string | null;
}

/** The content of a document: its first bytes, to read the header from, and all of it as a stream. */
export interface Content {
  head: Uint8Array<ArrayBuffer>;
  total: number;
  /** The whole content, the head included. To be taken once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The first bytes of the head, and after them a part, fetched when it is read. */
  excerpt(first: number, part: ByteRange, signal?: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A document of an account. */
export interface Place {
  account: string;
  id: string;
}

/** Asks for octets, by whichever route. */
type Ask = <T>(
  read: (response: Response) => Promise<T>,
  options: { headers: Record<string, string>; signal: AbortSignal | undefined },
) => Promise<T>;

/** The content of a document of the user's own accounts. */
export function contentOf(rest: Pick<RestClient, "send">, place: Place): Ask {
  return (read, options) => callOctets(rest, readContent, { ...place }, read, options);
}

/** Fetches the first range. Errors: `not-found`, `offline`, `unexpected-response`. */
export async function fetchContent(ask: Ask, signal?: AbortSignal, range: number = RANGE): Promise<Content> {
  const first = await fetchRange(ask, 0, range, signal);
  const { bytes: head, total } = first;
  /** What lies from `from` up to `until`, of which `ahead` is under way. */
  function ranges(
    ahead: Promise<Range>[],
    from: number,
    until: number,
    size: number,
    signal: AbortSignal | undefined,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const ended = new AbortController();
    const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
    let asked = from;
    return new ReadableStream(
      {
        async pull(controller) {
          for (; ahead.length < AHEAD && asked < until; asked += size) {
            const next = fetchRange(ask, asked, Math.min(size, until - asked), either);
            // The one who takes it from the queue gets its failure; until then it must not count as unhandled.
            next.catch(() => {});
            ahead.push(next);
          }
          const next = ahead.shift();
          if (!next) return controller.close();
          try {
            const { bytes, total: now, etag } = await next;
            // Ranges of different contents would fail to decrypt; this says sooner what is wrong.
            if (now !== total || etag !== first.etag) throw new CofferError("unexpected-response");
            controller.enqueue(bytes);
            if (ahead.length === 0 && asked >= until) controller.close();
          } catch (error) {
            ended.abort(error);
            throw error;
          }
        },
        cancel: (reason) => ended.abort(reason),
      },
      { highWaterMark: 0 },
    );
  }
  return {
    head,
    total,
    stream: () => ranges([Promise.resolve(first)], head.length, total, range, signal),
    excerpt: (length, part, signal) => {
      const start = Promise.resolve({ ...first, bytes: head.slice(0, length) });
      return ranges([start], part.offset, part.offset + part.length, RANGE, signal);
    },
  };
}

async function fetchRange(
  ask: Ask,
  start: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Range> {
  const headers = { range: `bytes=${start}-${start + length - 1}` };
  const read = async (response: Response) => {
    const whole = response.status === 200 && start === 0;
    const bytes = await octetsOf(response, whole ? WHOLE : length);
    const etag = response.headers.get("etag");
    if (whole) return { bytes, total: bytes.length, etag };
    const [, from, to, total] =
      /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
    const covered = Number(to) - Number(from) + 1;
    const expected = Math.min(length, Number(total) - start);
    if (
      response.status !== 206 ||
      Number(from) !== start ||
      covered !== expected ||
      bytes.length !== expected
    ) {
      throw new CofferError("unexpected-response");
    }
    return { bytes, total: Number(total), etag };
  };
  return ask(read, { headers, signal });
}
