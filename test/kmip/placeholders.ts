import { randomBytes } from "node:crypto";
import { encodeHex } from "#protocol/bytes.ts";
import { type Item, tagByNumber, type XmlElement } from "#protocol/kmip/index.ts";

/** What test cases write for values that are known only when they run: `$UNIQUE_IDENTIFIER_0`, `$NOW-3600`. */

const PLACEHOLDER = /^\$([A-Z][A-Z_]*(?:_?\d+)?)([+-]\d+)?$/;

/** The clocks of client and server may differ by this much, and a case may take as long (seconds). */
const TOLERANCE = 120;

export interface Placeholder {
  name: string;
  /** Seconds that are added. */
  offset: number;
}

export function placeholderOf(value: string | undefined): Placeholder | undefined {
  const [, name, offset] = PLACEHOLDER.exec(value ?? "") ?? [];
  return name === undefined ? undefined : { name, offset: Number(offset ?? 0) };
}

/** The values of one run of a case. A copy can be tried and dropped. */
export class Placeholders {
  #values: Map<string, string>;
  /** What the server gave, by tag, in order: some cases use a value that their own response spells out. */
  #given = new Map<string, string[]>();
  #now: () => Date;

  constructor(now: () => Date, values: ReadonlyMap<string, string> = new Map()) {
    this.#now = now;
    this.#values = new Map(values);
  }

  copy(): Placeholders {
    return new Placeholders(this.#now, this.#values);
  }

  /** Remembers the values of an answer: `Data` for `$DATA_0`, `IVCounterNonce` for `$IV_COUNTER_NONCE`. */
  note(answer: Item): void {
    if (answer.type === "Structure") for (const child of answer.value) this.note(child);
    else {
      const name = (tagByNumber(answer.tag)?.name ?? "").toUpperCase();
      this.#given.set(name, [...(this.#given.get(name) ?? []), textOf(answer)]);
    }
  }

  adopt(other: Placeholders): void {
    this.#values = other.#values;
  }

  /**
   * A copy of the element with the values in place; of a name with RANDOM in it (TC-IMPEXP-5) the client chooses the
   * value. Throws for one that no response has given.
   */
  fill(element: XmlElement): XmlElement {
    const attributes = new Map(element.attributes);
    const placeholder = placeholderOf(attributes.get("value"));
    if (placeholder) attributes.set("value", this.#value(placeholder));
    return { ...element, attributes, children: element.children.map((child) => this.fill(child)) };
  }

  #value({ name, offset }: Placeholder): string {
    if (name === "NOW") return date(this.#now(), offset);
    let value = this.#values.get(name) ?? this.#spelledOut(name);
    if (value === undefined && name.includes("RANDOM")) {
      value = encodeHex(new Uint8Array(randomBytes(32)));
      this.#values.set(name, value);
    }
    if (value === undefined) throw new Error(`no response has given $${name}`);
    return value;
  }

  /** The value of that number under the tag of the name; the last where it has no number. */
  #spelledOut(name: string): string | undefined {
    const [, tag = "", number] = /^(.*?)_?(\d+)?$/.exec(name) ?? [];
    const given = this.#given.get(tag.replaceAll("_", ""));
    return number === undefined ? given?.at(-1) : given?.[Number(number)];
  }

  /**
   * Takes the value that the server gave, or compares it with the one that it gave before. Returns what is wrong.
   * Without a number a placeholder stands for whatever was given last ($CORRELATION_VALUE).
   */
  accept({ name, offset }: Placeholder, actual: Item): string | undefined {
    if (name === "NOW") return this.#isNear(actual, offset);
    const text = textOf(actual);
    if (text === "") return `$${name} is empty`;
    const known = this.#values.get(name);
    if (known !== undefined && /\d$/.test(name))
      return known === text ? undefined : `expected $${name} = ${known}, got ${text}`;
    if (name.startsWith("UNIQUE_IDENTIFIER"))
      for (const [other, value] of this.#values)
        if (other.startsWith("UNIQUE_IDENTIFIER") && value === text)
          return `expected a new identifier for $${name}, got that of $${other}`;
    this.#values.set(name, text);
    return undefined;
  }

  #isNear(actual: Item, offset: number): string | undefined {
    const wanted = Math.floor(this.#now().getTime() / 1000) + offset;
    const unit = { DateTime: 1, DateTimeExtended: 1_000_000 }[actual.type as string];
    const near = unit !== undefined && Math.abs(Number(actual.value) / unit - wanted) <= TOLERANCE;
    return near ? undefined : `expected about ${date(this.#now(), offset)}, got ${textOf(actual)}`;
  }
}

function date(now: Date, offset: number): string {
  return new Date(now.getTime() + offset * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/** A value as XML writes it, near enough to be put in a request or in a report. */
export function textOf(item: Item): string {
  switch (item.type) {
    case "ByteString":
      return encodeHex(item.value);
    case "DateTime":
      return new Date(Number(item.value) * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    case "Structure":
      return "a structure";
    default:
      return String(item.value);
  }
}
