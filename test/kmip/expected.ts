import { type Item, itemFromXml, type XmlElement } from "#protocol/kmip/index.ts";
import { type Placeholder, placeholderOf } from "./placeholders.ts";

/** A response as the case has it: items, of which some are placeholders. */
export interface Expected {
  item: Item;
  placeholder: Placeholder | undefined;
  children: Expected[];
}

/** What stands in for a placeholder until the response is there, so that the message can be read. */
const STAND_INS: Readonly<Record<string, string>> = {
  DateTime: "2000-01-01T00:00:00Z",
  DateTimeExtended: "2000-01-01T00:00:00Z",
  ByteString: "00",
  BigInteger: "00",
  Integer: "0",
  LongInteger: "0",
  Interval: "0",
};

export function expectedOf(element: XmlElement): Expected {
  return paired(element, itemFromXml(filled(element)));
}

function filled(element: XmlElement): XmlElement {
  const attributes = new Map(element.attributes);
  if (placeholderOf(attributes.get("value")))
    attributes.set("value", STAND_INS[attributes.get("type") ?? ""] ?? "placeholder");
  return { ...element, attributes, children: element.children.map(filled) };
}

function paired(element: XmlElement, item: Item): Expected {
  const children =
    item.type === "Structure" ? element.children.map((child, at) => paired(child, item.value[at]!)) : [];
  return { item, placeholder: placeholderOf(element.attributes.get("value")), children };
}
