/**
 * Messages between an app's Service Worker and a page that has a document played from it: the Service Worker asks for pieces of
 * plaintext as a media element needs them. Both ends are the app's own origin; no key passes.
 */
import type { ErrorCode } from "./error.ts";

/** Below it each playing document has an address of its own; see `media.ts` of web/hosts/service-worker. */
export const MEDIA_PATH = "/coffer-media/";

/** The page to its Service Worker, with a port. `id` is unguessable and ends the address; `size` in bytes; `mediaType` is `isPlayable`. */
export const MEDIA = "coffer-media";
export type Media = { type: typeof MEDIA; id: string; size: number; mediaType: string };
/** The Service Worker to its pages: whoever has this document playing may say so again. */
export const MEDIA_WANTED = "coffer-media-wanted";
export type MediaWanted = { type: typeof MEDIA_WANTED; id: string };

/** Over that port: bytes from `start` up to `end`, at most `MAX_PIECE`. `call` names them in the answer. */
export type PieceCall = { call: number; start: number; end: number };
export type PieceAnswer = { call: number } & ({ bytes: Uint8Array<ArrayBuffer> } | { code: ErrorCode });

/** Bytes of a piece: four frames of a document, so that a request for each costs little. */
export const MAX_PIECE = 1 << 20;

/** Whether it names audio or video and nothing else: what a media element draws, and in which no script runs. */
export function isPlayable(mediaType: unknown): mediaType is string {
  return typeof mediaType === "string" && /^(audio|video)\/[a-z0-9][a-z0-9.+-]{0,63}$/.test(mediaType);
}

/** What a page gives its Service Worker, or not: anything of the origin may send messages. */
export function isMedia(data: unknown): data is Media {
  const media = data as Partial<Media> | null;
  return (
    typeof media === "object" &&
    media?.type === MEDIA &&
    typeof media.id === "string" &&
    /^[\w-]{22}$/.test(media.id) &&
    Number.isSafeInteger(media.size) &&
    Number(media.size) >= 0 &&
    isPlayable(media.mediaType)
  );
}
