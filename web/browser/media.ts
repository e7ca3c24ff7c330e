/** A document that a media element plays: its parts are fetched and opened as they are needed, by way of the app's Service Worker. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { readAll } from "#protocol/chunks.ts";
import { codeOf } from "#protocol/error.ts";
import {
  isPlayable,
  MAX_PIECE,
  MEDIA,
  MEDIA_PATH,
  MEDIA_WANTED,
  type Media,
  type MediaWanted,
  type PieceAnswer,
  type PieceCall,
} from "#protocol/media.ts";
import type { RangedDocument } from "../client/index.ts";
import { registered } from "./registration.ts";

export interface PlayOptions {
  /** Ends it: from then on there is nothing at the address. */
  signal: AbortSignal;
  /** Why a part could not be had: a `CofferError`, `decrypt-failed` for one that is not genuine. The element itself knows only that it cannot go on. */
  onError?: (error: unknown) => void;
}

/**
 * The address at which an `<audio>` or `<video>` of this page plays the document, and nobody else, until `signal` ends it. Only what is
 * played is fetched, decrypted and verified, piece by piece; seeking asks for other pieces. The page's `media-src` has to allow `'self'`.
 *
 * Errors: `TypeError` for a document that is neither audio nor video, and what registering a Service Worker throws where there can be none.
 *
 * @example
 * const leaving = new AbortController();
 * video.src = await playFrom(await coffer.openRanged(id), { signal: leaving.signal });
 */
export async function playFrom(document: RangedDocument, { signal, onError }: PlayOptions): Promise<string> {
  const { size, type: mediaType } = document;
  if (!isPlayable(mediaType)) throw new TypeError("neither audio nor video");
  signal.throwIfAborted();
  const id = encodeBase64url(crypto.getRandomValues(new Uint8Array(16)));
  const media: Media = { type: MEDIA, id, size, mediaType };
  let given: MessagePort | undefined;
  const give = (worker: ServiceWorker | null) => {
    const { port1, port2 } = new MessageChannel();
    given?.close();
    given = port1;
    port1.onmessage = ({ data }: MessageEvent<PieceCall>) => void piece(data, port1);
    worker?.postMessage(media, [port2]);
  };
  const piece = async ({ call, start, end }: PieceCall, port: MessagePort) => {
    try {
      // Not by a Response, which hides why it could not be read.
      const bytes = await readAll(await document.slice(start, end, signal), MAX_PIECE);
      port.postMessage({ call, bytes } satisfies PieceAnswer, [bytes.buffer]);
    } catch (error) {
      if (signal.aborted) return;
      port.postMessage({ call, code: codeOf(error) } satisfies PieceAnswer);
      onError?.(error);
    }
  };
  const { serviceWorker } = navigator;
  const wanted = ({ data, source }: MessageEvent<MediaWanted>) => {
    // A Service Worker that was stopped meanwhile has forgotten its port.
    if (data?.type === MEDIA_WANTED && data.id === id && source instanceof ServiceWorker) give(source);
  };
  const worker = await registered();
  signal.throwIfAborted();
  serviceWorker.addEventListener("message", wanted, { signal });
  signal.addEventListener("abort", () => {
    given?.postMessage(null);
    given?.close();
  });
  give(worker);
  return new URL(MEDIA_PATH + id, location.origin).href;
}
