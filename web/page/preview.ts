/**
 * What of a document may be shown in the page. Anything that could carry a script (HTML, SVG, XML) is shown as the text
 * that it is; images are drawn by `<img>` and what plays by `<audio>` and `<video>`, in which nothing runs; a PDF is drawn in a frame that has nothing (pdf-view.ts).
 */

import { isPlayable } from "#web/browser/service-worker.ts";

/** How a document is shown. */
export type Preview = "image" | "audio" | "video" | "text" | "pdf" | "large" | "none";

/** Raster images that browsers draw. SVG is not among them on purpose. */
const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"]);
const TEXTS =
  /^(text\/.+|application\/(json|xml|javascript|ecmascript|x-sh|yaml|x-yaml|toml|sql|.+\+(json|xml))|image\/svg\+xml)$/;
/** Names whose type browsers often do not know. */
const TEXT_NAMES =
  /\.(txt|md|markdown|csv|tsv|log|json|jsonl|ya?ml|toml|ini|conf|xml|svg|html?|css|m?[jt]sx?|py|rs|go|c|h|sh|sql|pem)$/i;

/** Bytes that are opened for a look; larger documents are saved instead. */
const LIMITS = { image: 64e6, text: 2e6, pdf: 128e6 };

/** Decides by media type, name and size. */
export function previewOf({ name, type, size }: { name: string; type: string; size: number }): Preview {
  const unknown = type === "application/octet-stream";
  // Of any size: it is fetched as it plays.
  if (isPlayable(type)) return type.startsWith("audio/") ? "audio" : "video";
  let kind: keyof typeof LIMITS;
  if (IMAGES.has(type)) kind = "image";
  else if (type === "application/pdf") kind = "pdf";
  else if (TEXTS.test(type) || (unknown && TEXT_NAMES.test(name))) kind = "text";
  else return "none";
  return size <= LIMITS[kind] ? kind : "large";
}

/** The first bytes say what it is: a name and a type are only claims of the one who sealed it. */
export async function isPdf(blob: Blob): Promise<boolean> {
  return (await blob.slice(0, 5).text()) === "%PDF-";
}
