import { encodeHex } from "#protocol/bytes.ts";
import { CONTEXT, DerReader, type Value } from "#protocol/pki/der.ts";
import { textOfName } from "#protocol/pki/distinguished-name.ts";

const PRIMITIVE = 0x80;

/** Text of a GeneralName (RFC 5280 §4.2.1.6) as OpenSSL writes it; what has no text as hexadecimal of its DER. */
export function textOfGeneralName({ tag, contents, bytes }: Value): string {
  const text = Buffer.from(contents).toString("latin1");
  // A line of its own for each name, and no character that hides another.
  const plain = /^[\x20-\x7e]*$/.test(text);
  if (tag === (PRIMITIVE | 1) && plain) return `email:${text}`;
  if (tag === (PRIMITIVE | 2) && plain) return `DNS:${text}`;
  if (tag === (PRIMITIVE | 6) && plain) return `URI:${text}`;
  if (tag === (PRIMITIVE | 7) && contents.length === 4) return `IP Address:${contents.join(".")}`;
  if (tag === (PRIMITIVE | 7) && contents.length === 16) {
    const address = Buffer.from(contents);
    const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(2 * i).toString(16));
    return `IP Address:${groups.join(":")}`;
  }
  if (tag === (CONTEXT | 4)) {
    try {
      return `DirName:${textOfName(new DerReader(contents).read().bytes)}`;
    } catch {
      // As DER, below.
    }
  }
  return `#${encodeHex(bytes)}`;
}
