/** Documents that pages have media elements play: each at an address of its own, answered in parts (RFC 9110 §14). */

import { parseRange } from "#protocol/byte-range.ts";
import { CofferError } from "#protocol/error.ts";
import { MAX_PIECE, MEDIA_PATH, MEDIA_WANTED, type Media } from "#protocol/media.ts";
import type { Pages } from "./lenders.ts";
import { pieces } from "./pieces.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Playing = {
  media: Media;
  page: string;
  read(start: number, end: number): Promise<Bytes>;
  close(): void;
};

/** How long a page has to say again what it plays, in milliseconds. */
const PATIENCE = 3_000;
/** Documents that one page plays at a time; the oldest goes. */
const MOST = 16;
/** Bytes of the first piece where all that follows is asked for: a player that looks at the beginning alone often asks so. */
const FIRST_PIECE = 256 << 10;

/** What every answer says: nothing is kept, and nothing in it ever runs. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; sandbox",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

export class PlayingMedia {
  readonly #pages: Pages;
  readonly #patience: number;
  readonly #playing = new Map<string, Playing>();
  readonly #waiting = new Set<() => void>();

  constructor(pages: Pages, patience = PATIENCE) {
    this.#pages = pages;
    this.#patience = patience;
  }

  /** A page has a document played. A document that another page has under the same id stays that page's. */
  take(media: Media, page: string, port: MessagePort): void {
    const known = this.#playing.get(media.id);
    if (known && known.page !== page) {
      port.close();
      return;
    }
    known?.close();
    this.#playing.delete(media.id);
    const of = [...this.#playing.values()].filter((one) => one.page === page);
    for (const { media } of of.slice(0, Math.max(0, of.length - MOST + 1))) this.#drop(media.id);
    const { read, close } = pieces(port, () => this.#drop(media.id));
    this.#playing.set(media.id, { media, page, read, close });
    for (const go of this.#waiting) go();
  }

  /** Answers a media element of `page`; anything else, of anybody else, is `forbidden`. Throws `not-found` for what is not played. */
  async serve(request: Request, page: string): Promise<Response> {
    if (request.method !== "GET" || !/^(audio|video)$/.test(request.destination))
      throw new CofferError("forbidden");
    const id = new URL(request.url).pathname.slice(MEDIA_PATH.length);
    const playing = this.#playing.get(id) ?? (await this.#asked(id, page));
    if (!playing || playing.page !== page) throw new CofferError("not-found");
    return answer(playing, request.headers.get("range"));
  }

  /** A Service Worker that was stopped has forgotten what is played; the page that asks is asked. */
  async #asked(id: string, page: string): Promise<Playing | undefined> {
    const client = await this.#pages.get(page);
    if (!client) return undefined;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const look = () => void (this.#playing.has(id) && done());
      const timer = setTimeout(done, this.#patience);
      this.#waiting.add(look);
      client.postMessage({ type: MEDIA_WANTED, id });
    });
    return this.#playing.get(id);
  }

  #drop(id: string): void {
    this.#playing.get(id)?.close();
    this.#playing.delete(id);
  }
}

function answer({ media: { size, mediaType }, read }: Playing, asked: string | null): Response {
  const range = parseRange(asked, size);
  const headers = { ...HEADERS, "accept-ranges": "bytes", "content-type": mediaType };
  if (range === "unsatisfiable")
    return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${size}` } });
  const { offset, length } = range ?? { offset: 0, length: size };
  const end = offset + length;
  return new Response(streamOf(read, offset, end), {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      "content-length": `${length}`,
      ...(range && { "content-range": `bytes ${offset}-${end - 1}/${size}` }),
    },
  });
}

/** Piece after piece as they are taken, and none ahead: what a player does not come to is not fetched. */
function streamOf(read: Playing["read"], offset: number, end: number): ReadableStream<Bytes> {
  let at = offset;
  let length = FIRST_PIECE;
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        if (at >= end) return controller.close();
        // To a multiple of its length, at which frames end as well.
        const until = Math.min(end, (Math.floor(at / length) + 1) * length);
        const bytes = await read(at, until);
        at = until;
        length = Math.min(length * 2, MAX_PIECE);
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
}
