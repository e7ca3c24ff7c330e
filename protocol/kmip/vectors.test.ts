import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findVectors } from "#test/support/missing.ts";
import { decodeHex, encodeHex, utf8 } from "../bytes.ts";
import {
  decodeItem,
  encodeItem,
  type Item,
  itemFromXml,
  KmipDecodeError,
  parseXml,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
  tagNumber,
  type XmlElement,
} from "./index.ts";

const found = findVectors("kmip");
const folder = found ?? "";
const absent = found === undefined;
const load = (path: string) => (absent ? [] : JSON.parse(readFileSync(join(folder, path), "utf8")));

/** Through the typed messages and back. */
function retyped(item: Item): Item {
  return item.tag === tagNumber("RequestMessage")
    ? requestToItem(requestFromItem(item))
    : responseToItem(responseFromItem(item));
}

/** All three encodings give the same tree, and TTLV the same bytes. */
function transcoded(item: Item): void {
  const ttlv = encodeItem(item);
  for (const encoding of ["ttlv", "json", "xml"] as const) {
    const back = decodeItem(encodeItem(item, encoding), { encoding });
    expect(encodeHex(encodeItem(back))).toBe(encodeHex(ttlv));
  }
}

describe.skipIf(absent)("examples of the specification", () => {
  const { vectors = [] }: { vectors?: { desc: string; ttlv: string }[] } = absent
    ? {}
    : load("hex/oasis-spec-9.1.2-examples.json");
  for (const { desc, ttlv } of vectors) {
    it(desc, () => {
      const item = decodeItem(decodeHex(ttlv));
      expect(encodeHex(encodeItem(item))).toBe(ttlv.toLowerCase());
      transcoded(item);
    });
  }
});

/** Without the values of Time Stamp. */
function timeless(item: Item): Item {
  if (item.type === "DateTime" && item.tag === tagNumber("TimeStamp")) return { ...item, value: 0n };
  return item.type === "Structure" ? { ...item, value: item.value.map(timeless) } : item;
}

type Message = {
  case: string;
  kind: string;
  xml: string;
  ttlv: string;
  json: object | null;
};

describe.skipIf(absent)("messages as XML, TTLV and JSON", () => {
  const messages: Message[] = load("hex/oasis-addtl-msg-enc-v1.0.json");
  for (const [index, message] of messages.entries()) {
    it(`${index} ${message.case} ${message.kind}`, () => {
      const item = decodeItem(decodeHex(message.ttlv));
      // Some of the TTLV messages were recorded at another time than their XML.
      expect(timeless(decodeItem(utf8(message.xml), { encoding: "xml" }))).toEqual(timeless(item));
      // One text carries a sentence that follows it in the document, and is no JSON.
      if (message.json !== null && !("_raw" in message.json)) {
        const json = utf8(JSON.stringify(message.json));
        expect(timeless(decodeItem(json, { encoding: "json" }))).toEqual(timeless(item));
      }
      transcoded(item);
      expect(encodeHex(encodeItem(retyped(item)))).toBe(message.ttlv);
    });
  }
});

/** Changes one item somewhere in the tree, by the numbers given. */
function mutated(item: Item, [choice = 0, ...rest]: number[]): Item {
  if (item.type !== "Structure" || item.value.length === 0 || choice % 11 === 0) {
    const others: Item[] = [
      { tag: item.tag, type: "Structure", value: [] },
      { tag: item.tag, type: "Enumeration", value: choice },
      { tag: item.tag, type: "TextString", value: "x-" },
      { tag: item.tag, type: "DateTime", value: 1n << 62n },
      { tag: item.tag, type: "Boolean", value: true },
      { ...item, tag: 0x420000 + (choice % 0x170) },
    ];
    return others[choice % others.length]!;
  }
  const position = choice % item.value.length;
  const children = [...item.value];
  if (choice % 7 === 0) children.splice(position, 1);
  else if (choice % 7 === 1) children.push(children[position]!);
  else children[position] = mutated(children[position]!, rest);
  return { ...item, value: children };
}

it.skipIf(absent)("damaged messages are refused with KmipDecodeError and nothing else", () => {
  const messages: Message[] = load("hex/oasis-addtl-msg-enc-v1.0.json");
  const trees = messages.map(({ ttlv }) => decodeItem(decodeHex(ttlv)));
  const choices = fc.array(fc.nat({ max: 10_000 }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...trees), choices, (tree, numbers) => {
      const damaged = mutated(tree, numbers);
      try {
        if (tree.tag === tagNumber("RequestMessage")) requestFromItem(damaged);
        else responseFromItem(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(KmipDecodeError);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Puts something of the right type where a test case has a placeholder. */
function substitute(element: XmlElement): void {
  const value = element.attributes.get("value");
  const type = element.attributes.get("type");
  if (value?.startsWith("$") && type !== "TextString") {
    element.attributes.set("value", type === "DateTime" ? "2020-02-20T20:20:20Z" : "0102030405060708");
  }
  for (const child of element.children) substitute(child);
}

/** Drops Attribute Index 0, which says what its absence says (KMIP 1.4 §2.1.1 Attribute), and line breaks inside names. */
function normalised(item: Item): Item {
  if (item.type === "TextString" && item.tag === tagNumber("AttributeName"))
    return { ...item, value: item.value.replace(/ +/g, " ") };
  if (item.type !== "Structure") return item;
  const value = item.value
    .filter((child) => child.tag !== tagNumber("AttributeIndex") || child.value !== 0)
    .map(normalised);
  return { ...item, value };
}

const SETS = new Set(
  (["Attributes", "CommonAttributes", "PrivateKeyAttributes", "PublicKeyAttributes"] as const).map(tagNumber),
);

/** Order among attributes carries no meaning, and typed messages keep instances together; all else is in order. */
function sorted(item: Item): Item {
  if (item.type !== "Structure") return item;
  const isAttribute = (child: Item) => SETS.has(item.tag) || child.tag === tagNumber("Attribute");
  const key = (child: Item) => encodeHex(encodeItem(child));
  const children = item.value.map(sorted);
  const attributes = children.filter(isAttribute).toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  return { ...item, value: children.map((child) => (isAttribute(child) ? attributes.shift()! : child)) };
}

describe.skipIf(absent)("OASIS test cases", () => {
  const files = absent ? [] : globSync("oasis/**/*.xml", { cwd: folder }).toSorted();
  for (const file of files) {
    it(file, () => {
      const root = parseXml(readFileSync(join(folder, file), "utf8"), {
        maximumLength: 1 << 24,
        maximumItems: 1 << 18,
        ignoreText: true,
      });
      expect(root.children.length).toBeGreaterThan(0);
      for (const element of root.children) {
        substitute(element);
        const item = itemFromXml(element);
        transcoded(item);
        expect(sorted(retyped(item))).toEqual(sorted(normalised(item)));
      }
    });
  }
});
