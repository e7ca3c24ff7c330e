/** JSON encoding: `{ tag, type, value }`, type `Structure` by default (KMIP Profiles 2.1 §5.5 JSON Profiles). */

import { parseJson } from "../json.ts";
import { KmipDecodeError } from "./errors.ts";
import { type Item, LIMITS, type Limits } from "./item.ts";
import { parseTag, parseType, parseValue, Siblings, tagText, valueText } from "./text.ts";

type JsonItem = { tag: string; type?: string; value: JsonItem[] | string | number | boolean };

function toJson(item: Item, siblings: Siblings): JsonItem {
  if (item.type !== "Structure") {
    siblings.note(item);
    return {
      tag: tagText(item.tag),
      type: item.type,
      value: valueText(item, siblings.meaning(item.tag), "json"),
    };
  }
  const inside = new Siblings();
  return { tag: tagText(item.tag), value: item.value.map((child) => toJson(child, inside)) };
}

/** Encodes an item tree as JSON text. */
export function encodeJson(item: Item): string {
  return JSON.stringify(toJson(item, new Siblings()));
}

class Reader {
  readonly #limits: Limits;
  #items = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  read(json: unknown, depth: number, siblings: Siblings): Item {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new KmipDecodeError("item is no JSON object");
    if (++this.#items > this.#limits.maximumItems) throw new KmipDecodeError("too many items");
    const { tag: tagName, type: typeName = "Structure", value } = json as Record<string, unknown>;
    if (typeof tagName !== "string" || typeof typeName !== "string")
      throw new KmipDecodeError("tag or type is no string");
    const tag = parseTag(tagName);
    const type = parseType(typeName);
    if (type === "Structure") {
      if (depth >= this.#limits.maximumDepth) throw new KmipDecodeError("structures nested too deep");
      // An empty structure may lack its value.
      if (value !== undefined && !Array.isArray(value)) throw new KmipDecodeError("structure is no array");
      const inside = new Siblings();
      return {
        tag,
        type,
        value: (value ?? []).map((child: unknown) => this.read(child, depth + 1, inside)),
      };
    }
    if (
      typeof value === "number" ? !Number.isSafeInteger(value) : !["string", "boolean"].includes(typeof value)
    )
      throw new KmipDecodeError(`value is no ${type}`);
    // Only these are texts by nature; a number in their place is an error, not a spelling.
    if ((type === "TextString" || type === "ByteString") && typeof value !== "string")
      throw new KmipDecodeError(`value is no ${type}`);
    if (typeof value === "boolean" && type !== "Boolean") throw new KmipDecodeError(`value is no ${type}`);
    const decimal = typeof value === "number";
    const item = parseValue(tag, type, String(value), siblings.meaning(tag), decimal);
    siblings.note(item);
    return item;
  }
}

/** How deep brackets are nested, outside of strings. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted && code === 0x5c) at++;
    else if (code === 0x22) quoted = !quoted;
    else if (quoted) continue;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}

/** Decodes one item from JSON text. Throws `KmipDecodeError`. */
export function decodeJson(text: string, limits: Partial<Limits> = {}): Item {
  const bounds = { ...LIMITS, ...limits };
  if (text.length > bounds.maximumLength) throw new KmipDecodeError("message too long");
  // Each structure is an object in an array; deeper text takes the parser seconds, only to be refused.
  if (nesting(text) > 2 * (bounds.maximumDepth + 1)) throw new KmipDecodeError("structures nested too deep");
  let json: unknown;
  try {
    // A structure is an object in an array.
    json = parseJson(text, 2 * bounds.maximumDepth + 4);
  } catch (cause) {
    throw new KmipDecodeError("not JSON", { cause });
  }
  return new Reader(bounds).read(json, 0, new Siblings());
}
