import { UNSHOWABLE } from "./shown.ts";

/** A value as one line of JSON. What a terminal would obey or hide stands in it as JSON escapes it: the text stays the same. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replaceAll(UNSHOWABLE, escaped)}\n`;
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
