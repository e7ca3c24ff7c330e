/** The extensions of a certificate that path validation and an instance look at (RFC 5280 §4.2). */
import { encodeHex } from "../bytes.ts";
import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT,
  DerReader,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
} from "./der.ts";

/** Bits of `keyUsage`. */
export const DIGITAL_SIGNATURE = 0x80;
export const KEY_ENCIPHERMENT = 0x20;
export const KEY_AGREEMENT = 0x08;
export const KEY_CERT_SIGN = 0x04;

export type Extensions = {
  /** Whether it may issue certificates, and how many issuers may follow below it. */
  authority: boolean;
  pathLength: number;
  /** The key's uses: the first octet of the bit string, any later ones above it; 0 when absent. */
  keyUsage: number;
  /** Subject alternative names, DER of each GeneralName. */
  alternativeNames: Uint8Array[];
  /** Certificate policies, DER of each object identifier in hexadecimal. */
  policies: string[];
  /** Extended key usages, DER of each object identifier in hexadecimal; none when absent. */
  purposes: string[];
};

const EXTENDED_KEY_USAGE = "0603551d25";

/** What is known here, by the octets of its object identifier below 2.5.29 in hexadecimal. */
const READERS: Record<string, (value: DerReader, into: Extensions) => void> = {
  // basicConstraints
  "0603551d13": (value, into) => {
    const fields = value.enter(SEQUENCE);
    if (fields.tag === BOOLEAN) into.authority = isTrue(fields);
    if (into.authority && !fields.done) {
      const [length, ...more] = fields.read(INTEGER).contents;
      if (length === undefined || length > 0x7f || more.length > 0) throw new TypeError("not a path length");
      into.pathLength = length;
    }
    fields.end();
  },
  // keyUsage
  "0603551d0f": (value, into) => {
    const [unused, low, high = 0, ...more] = value.read(BIT_STRING).contents;
    if (unused === undefined || unused > 7 || low === undefined || more.length > 0)
      throw new TypeError("not a key usage");
    into.keyUsage = low | (high << 8);
  },
  // subjectAltName
  "0603551d11": (value, into) => {
    const names = value.enter(SEQUENCE);
    while (!names.done) into.alternativeNames.push(names.read().bytes);
  },
  // certificatePolicies
  "0603551d20": (value, into) => {
    const policies = value.enter(SEQUENCE);
    while (!policies.done) {
      into.policies.push(encodeHex(policies.enter(SEQUENCE).read(OBJECT_IDENTIFIER).bytes));
    }
  },
  [EXTENDED_KEY_USAGE]: (value, into) => {
    const purposes = value.enter(SEQUENCE);
    while (!purposes.done) into.purposes.push(encodeHex(purposes.read(OBJECT_IDENTIFIER).bytes));
  },
};

/** Reads `[3] Extensions`. Throws `TypeError` for a duplicate, and for a critical one that is unknown. */
export function readExtensions(explicit: DerReader): Extensions {
  const into: Extensions = {
    authority: false,
    pathLength: Number.POSITIVE_INFINITY,
    keyUsage: 0,
    alternativeNames: [],
    policies: [],
    purposes: [],
  };
  if (explicit.done) return into;
  const wrapped = explicit.enter(CONTEXT | 3);
  explicit.end();
  const extensions = wrapped.enter(SEQUENCE);
  wrapped.end();
  const seen = new Set<string>();
  while (!extensions.done) {
    const extension = extensions.enter(SEQUENCE);
    const id = encodeHex(extension.read(OBJECT_IDENTIFIER).bytes);
    const critical = extension.tag === BOOLEAN && isTrue(extension);
    const value = new DerReader(extension.read(OCTET_STRING).contents);
    extension.end();
    if (seen.has(id)) throw new TypeError("an extension twice");
    seen.add(id);
    const read = Object.hasOwn(READERS, id) ? READERS[id] : undefined;
    // Only some callers look at purposes, so a certificate that insists on them is not understood.
    if (critical && (!read || id === EXTENDED_KEY_USAGE))
      throw new TypeError("a critical extension that is not known");
    read?.(value, into);
    if (read) value.end();
  }
  return into;
}

/** TRUE; FALSE is the default everywhere here, and DER does not write defaults (X.690 §11.5). */
function isTrue(reader: DerReader): true {
  const { contents } = reader.read(BOOLEAN);
  if (contents.length !== 1 || contents[0] !== 0xff) throw new TypeError("not DER");
  return true;
}
