/** Distinguished Names: from DER to the one text that the code compares. */

import { encodeHex } from "../bytes.ts";
import {
  DerReader,
  OBJECT_IDENTIFIER,
  objectIdentifier,
  PRINTABLE_STRING,
  SEQUENCE,
  SET,
  UTF8_STRING,
} from "./der.ts";

const ATTRIBUTES = new Map(
  Object.entries({ CN: "2.5.4.3", OU: "2.5.4.11", O: "2.5.4.10" }).map(([name, dotted]) => [
    encodeHex(objectIdentifier(dotted)),
    name,
  ]),
);

/**
 * A Name (RFC 5280 §4.1.2.4) as `CN=…,OU=…,O=…`, in the order of its bytes, as our authorities write it. Throws
 * `TypeError` for other attributes, for sets of several, and for values with characters that RFC 4514 §2.4 would escape:
 * so no two names have one text.
 */
export function nameText(der: Uint8Array): string {
  const outer = new DerReader(der);
  const parts = outer.enter(SEQUENCE);
  outer.end();
  const texts: string[] = [];
  while (!parts.done) {
    const set = parts.enter(SET);
    const part = set.enter(SEQUENCE);
    set.end();
    const name = ATTRIBUTES.get(encodeHex(part.read(OBJECT_IDENTIFIER).bytes));
    const { tag, contents } = part.read();
    part.end();
    if (!name || (tag !== UTF8_STRING && tag !== PRINTABLE_STRING)) throw new TypeError("not a plain name");
    const value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(contents);
    if (!value || /^[ #]|[\p{Cc}",+;<=>\\]| $/u.test(value)) throw new TypeError("not a plain name");
    texts.push(`${name}=${value}`);
  }
  return texts.join();
}
