/**
 * XML encoding: `<TagName type="…" value="…"/>`, `<TTLV tag="0x…">` for tags without a name (KMIP Profiles 2.1 §5.4 XML Profiles).
 * The reader knows the part of XML 1.0 that messages need: elements, attributes, comments, the five entities and
 * character references. It refuses document types, processing instructions (but the declaration), CDATA and text.
 */

import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import { type Item, LIMITS, type Limits } from "./item.ts";
import { parseTag, parseType, parseValue, Siblings, tagText, valueText } from "./text.ts";

/** An XML element without text. */
export type XmlElement = {
  name: string;
  attributes: Map<string, string>;
  children: XmlElement[];
  /** Character at which it begins. */
  offset: number;
};

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Characters that XML 1.0 §2.2 cannot hold, not even as references. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u;

function escapeAttribute(text: string): string {
  if (FORBIDDEN.test(text)) throw new KmipEncodeError("text has a character that XML cannot hold");
  // Tab, line feed and carriage return would be normalised to spaces (XML 1.0 §3.3.3).
  return text.replace(/[&<>"\t\n\r]/g, (char) => ESCAPES[char] ?? `&#${char.charCodeAt(0)};`);
}

function write(item: Item, siblings: Siblings): string {
  const name = tagText(item.tag);
  const open = name.startsWith("0x") ? `TTLV tag="${name}"` : name;
  const close = name.startsWith("0x") ? "TTLV" : name;
  if (item.type === "Structure") {
    const inside = new Siblings();
    if (item.value.length === 0) return `<${open}/>`;
    return `<${open}>${item.value.map((child) => write(child, inside)).join("")}</${close}>`;
  }
  siblings.note(item);
  const value = escapeAttribute(String(valueText(item, siblings.meaning(item.tag), "xml")));
  return `<${open} type="${item.type}" value="${value}"/>`;
}

/** Encodes an item tree as XML text. Throws `KmipEncodeError` for text that XML 1.0 cannot hold. */
export function encodeXml(item: Item): string {
  return write(item, new Siblings());
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const NAME = /[A-Za-z_][A-Za-z0-9_.:-]*/y;
const SPACE = /[ \t\r\n]*/y;

class XmlReader {
  readonly #text: string;
  readonly #limits: Limits;
  readonly #between: RegExp;
  #at = 0;
  #elements = 0;

  constructor(text: string, limits: Limits, ignoreText: boolean) {
    this.#text = text;
    this.#limits = limits;
    this.#between = ignoreText ? /[^<]*/y : SPACE;
  }

  #fail(message: string): never {
    throw new KmipDecodeError(message, { offset: this.#at });
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [""];
    this.#at += found.length;
    return found;
  }

  #accept(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #skipTo(token: string): void {
    const end = this.#text.indexOf(token, this.#at);
    if (end < 0) this.#fail("markup is not closed");
    this.#at = end + token.length;
  }

  /** White space and comments. */
  #skip(): void {
    this.#match(this.#between);
    while (this.#accept("<!--")) {
      this.#skipTo("-->");
      this.#match(this.#between);
    }
  }

  #unescape(raw: string): string {
    if (!/[&\t\n\r]/.test(raw)) return raw;
    return raw
      .replace(/[\t\n\r]/g, " ")
      .replace(/&([^;&]{1,10});|&/g, (_whole, entity: string | undefined) => {
        const known = entity === undefined ? undefined : ENTITIES[entity];
        if (known !== undefined) return known;
        const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(entity ?? "") ?? [];
        const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
        if (!(code <= 0x10ffff)) this.#fail("unknown entity");
        const char = String.fromCodePoint(code);
        if (FORBIDDEN.test(char)) this.#fail("character reference to a forbidden character");
        return char;
      });
  }

  #attributes(): Map<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      const spaced = this.#match(SPACE) !== "";
      const name = this.#match(NAME);
      if (name === "") return attributes;
      if (!spaced) this.#fail("space expected");
      this.#match(SPACE);
      if (!this.#accept("=")) this.#fail("= expected");
      this.#match(SPACE);
      const quote = this.#text[this.#at];
      if (quote !== '"' && quote !== "'") this.#fail("quotation mark expected");
      const end = this.#text.indexOf(quote, this.#at + 1);
      if (end < 0) this.#fail("attribute is not closed");
      const raw = this.#text.slice(this.#at + 1, end);
      if (raw.includes("<")) this.#fail("< in an attribute");
      if (attributes.has(name)) this.#fail("attribute occurs twice");
      attributes.set(name, this.#unescape(raw));
      this.#at = end + 1;
    }
  }

  #element(depth: number): XmlElement {
    const offset = this.#at;
    if (!this.#accept("<")) this.#fail("element expected");
    if (++this.#elements > this.#limits.maximumItems) this.#fail("too many items");
    if (depth > this.#limits.maximumDepth) this.#fail("elements nested too deep");
    const name = this.#match(NAME);
    if (name === "") this.#fail("element name expected");
    const element: XmlElement = { name, attributes: this.#attributes(), children: [], offset };
    if (this.#accept("/>")) return element;
    if (!this.#accept(">")) this.#fail("> expected");
    for (;;) {
      this.#skip();
      if (this.#accept("</")) break;
      element.children.push(this.#element(depth + 1));
    }
    if (this.#match(NAME) !== name) this.#fail("end tag does not fit");
    this.#match(SPACE);
    if (!this.#accept(">")) this.#fail("> expected");
    return element;
  }

  #prologue(): void {
    this.#accept("\ufeff");
    this.#match(SPACE);
    if (this.#accept("<?xml")) this.#skipTo("?>");
    this.#skip();
  }

  document(): XmlElement {
    this.#prologue();
    const element = this.#element(0);
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail("text after the message");
    return element;
  }

  documents(): XmlElement[] {
    this.#prologue();
    const elements: XmlElement[] = [];
    do {
      elements.push(this.#element(0));
      this.#skip();
    } while (this.#at < this.#text.length);
    return elements;
  }
}

/**
 * Parses XML text without giving it a meaning, as a reader of test cases needs it. Throws `KmipDecodeError`.
 * `ignoreText` skips text between elements, which some test cases have and no message may have.
 */
export function parseXml(text: string, options: XmlOptions = {}): XmlElement {
  return readerOf(text, options).document();
}

/** Parses elements that follow one another without one around them, as in some test cases. Throws `KmipDecodeError`. */
export function parseXmlElements(text: string, options: XmlOptions = {}): XmlElement[] {
  return readerOf(text, options).documents();
}

type XmlOptions = Partial<Limits> & { ignoreText?: boolean };

function readerOf(text: string, { ignoreText = false, ...limits }: XmlOptions): XmlReader {
  const bounds = { ...LIMITS, ...limits };
  if (text.length > bounds.maximumLength) throw new KmipDecodeError("message too long");
  return new XmlReader(text, bounds, ignoreText);
}

function read(element: XmlElement, depth: number, limits: Limits, siblings: Siblings): Item {
  const { name, attributes, children, offset } = element;
  const tag = parseTag(name === "TTLV" ? (attributes.get("tag") ?? "") : name);
  const type = parseType(attributes.get("type") ?? "Structure");
  const value = attributes.get("value");
  if (type === "Structure") {
    if (value !== undefined) throw new KmipDecodeError("structure with a value", { offset });
    if (depth >= limits.maximumDepth) throw new KmipDecodeError("structures nested too deep", { offset });
    const inside = new Siblings();
    return { tag, type, value: children.map((child) => read(child, depth + 1, limits, inside)) };
  }
  if (value === undefined) throw new KmipDecodeError("value is missing", { offset });
  if (children.length > 0) throw new KmipDecodeError(`${type} with elements inside`, { offset });
  const item = parseValue(tag, type, value, siblings.meaning(tag));
  siblings.note(item);
  return item;
}

/** The item tree that an element stands for. Throws `KmipDecodeError`. */
export function itemFromXml(element: XmlElement, limits: Partial<Limits> = {}): Item {
  return read(element, 0, { ...LIMITS, ...limits }, new Siblings());
}

/** Decodes one item from XML text. Throws `KmipDecodeError`. */
export function decodeXml(text: string, limits: Partial<Limits> = {}): Item {
  return itemFromXml(parseXml(text, limits), limits);
}
