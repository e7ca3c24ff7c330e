import type { Answer } from "../index.ts";

export type Pattern = (value: string) => Answer;

const MAX_WILDCARDS = 4;
/** What is longer is not known to match or not. */
const MAX_VALUE_LENGTH = 1024;

/**
 * A text in which `*` stands for any characters, none too; `\*` and `\\` are those characters. A value that matches only
 * with other case, spaces or compatible characters is not known to: directories take such for equal (RFC 4518). Throws
 * `TypeError`.
 */
export function pattern(text: string): Pattern {
  const parts = partsOf(text);
  const folded = parts.map(fold);
  return (value) => {
    if (value.length > MAX_VALUE_LENGTH) return undefined;
    if (matches(parts, value)) return true;
    return matches(folded, fold(value)) ? undefined : false;
  };
}

/** What stands between the wildcards. */
function partsOf(text: string): string[] {
  if (text === "") throw new TypeError("an empty pattern");
  if (/[\p{Cc}\p{Cs}]/u.test(text)) throw new TypeError("a control character in a pattern");
  const parts = [""];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "*") {
      if (text[at + 1] === "*") throw new TypeError("two wildcards with nothing between them");
      parts.push("");
      continue;
    }
    if (character === "\\" && !/[*\\]/.test(text.charAt(++at)))
      throw new TypeError("a backslash that escapes neither * nor \\");
    parts[parts.length - 1] += text.charAt(at);
  }
  if (parts.length - 1 > MAX_WILDCARDS) throw new TypeError(`more than ${MAX_WILDCARDS} wildcards`);
  return parts;
}

/** Each part at its first place after the one before: if any places fit, these do. */
function matches([first = "", ...parts]: readonly string[], value: string): boolean {
  const last = parts.pop();
  if (last === undefined) return value === first;
  if (!value.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = value.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return value.length - at >= last.length && value.endsWith(last);
}

function fold(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/[\s\p{Default_Ignorable_Code_Point}]/gu, "")
    .toLowerCase()
    .toUpperCase();
}
