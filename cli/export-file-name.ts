import type { Document } from "#web/client/document-list.ts";
import { UNSHOWABLE } from "./shown.ts";

/** Bytes of UTF-8 that a name may have on Linux; macOS and Windows count 255 UTF-16 units, which are never more. */
const MAX_NAME = 255;
/** An ending of more bytes is no file type, and is cut like the rest of the name. */
const MAX_ENDING = 32;

/** Separators of both kinds, and what Windows takes in no name. */
const FORBIDDEN = /[/\\:*?"<>|]/g;
/** A leading dot hides a file, and a leading hyphen looks like an option. */
const LEADING = /^[\s.-]+/u;
/** Windows drops them, and would then look for another name. */
const TRAILING = /[\s.]+$/u;
/** Devices of Windows, with any ending and in any folder. Superscript digits count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)/iu;

/**
 * A name that a document can be saved under on any platform: its own, with `_` for what cannot be in one, cut to what
 * fits, and numbered where it is taken; its id where it has none. `taken` gets its key. `added` is an ending that the
 * file gets besides.
 */
export function exportFileName(
  { id, metadata }: Pick<Document, "id" | "metadata">,
  taken: Set<string>,
  added = "",
): string {
  const own = savable(metadata?.name || id);
  const dot = own.lastIndexOf(".");
  const cuttable = dot <= 0 || bytesOf(own.slice(dot)) > MAX_ENDING;
  const [stem, ending] = cuttable ? [own, ""] : [own.slice(0, dot), own.slice(dot)];
  for (let n = 1; ; n++) {
    const last = `${n === 1 ? "" : ` (${n})`}${ending}${added}`;
    const room = MAX_NAME - bytesOf(last);
    const whole = `${cut(stem, room, last === "")}${last}`;
    // What is left of a long name may be a device again, where blanks came after it.
    const name = DEVICE.test(whole) ? `_${cut(stem, room - 1, last === "")}${last}` : whole;
    const key = folded(name);
    if (taken.has(key)) continue;
    taken.add(key);
    return name;
  }
}

function savable(name: string): string {
  const plain = name
    .normalize("NFC")
    .replaceAll(UNSHOWABLE, "_")
    .replaceAll(FORBIDDEN, "_")
    .replace(LEADING, "_")
    .replace(TRAILING, "_");
  return DEVICE.test(plain) ? `_${plain}` : plain;
}

/** The start of a text that fits, of whole characters; one that would end the name with a dot or blank loses it. */
function cut(text: string, limit: number, isEnd: boolean): string {
  if (bytesOf(text) <= limit) return text;
  let [kept, length] = ["", 0];
  for (const character of text) {
    length += bytesOf(character);
    if (length > limit) break;
    kept += character;
  }
  return isEnd ? kept.replace(TRAILING, "") : kept;
}

/**
 * What names are the same file by, on the strictest of file systems: without case, in either normal form, compatible
 * letters and digits taken for one, and without variation selectors.
 */
function folded(name: string): string {
  return name
    .normalize("NFKD")
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toUpperCase()
    .toLowerCase()
    .normalize("NFKD");
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
