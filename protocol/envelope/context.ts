/** The encryption context: public, authenticated key-value pairs (ESDK message header, "AAD"). */
import { compareBytes } from "../byte-order.ts";
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { decryptFailed } from "./suite.ts";

/** Keys and values are texts; in Coffer: tenant, account, document, purpose. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** Whether two contexts have the same pairs, no more and no fewer. */
export function equalContext(a: EncryptionContext, b: EncryptionContext): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  );
}

/** Names that begin so are the format's own (ESDK structures, "encryption context"). */
export const RESERVED_PREFIX = "aws-crypto-";
/** The pair that the writer of a signed message adds: the public key that verifies the footer. */
export const PUBLIC_KEY = `${RESERVED_PREFIX}public-key`;

/**
 * Whether a header's context is the one that was asked for. A signed message's public key is made for that message, so it
 * need not be asked for, but must be what was asked; a message that is not signed has none (ESDK default CMM, "decrypt materials").
 */
export function matchesContext(found: EncryptionContext, signed: boolean, asked: EncryptionContext): boolean {
  if (Object.hasOwn(found, PUBLIC_KEY) !== signed) return false;
  if (!signed || Object.hasOwn(asked, PUBLIC_KEY)) return equalContext(found, asked);
  const { [PUBLIC_KEY]: _, ...own } = found;
  return equalContext(own, asked);
}

/** Serialises, sorted by the UTF-8 bytes of the keys, with the leading two-byte length. */
export function serialiseContext(context: EncryptionContext): Uint8Array<ArrayBuffer> {
  const pairs = Object.entries(context).map(([key, value]) => [encode(key), encode(value)] as const);
  if (pairs.length === 0) return new Uint8Array(2);
  pairs.sort(([a], [b]) => compareBytes(a, b));
  const body = concat(
    u16(pairs.length),
    ...pairs.flatMap(([key, value]) => [u16(key.length), key, u16(value.length), value]),
  );
  return concat(u16(body.length), body);
}

/** Parses what follows the two-byte length; `bytes` is exactly that long. Throws `decrypt-failed`. */
export function parseContext(bytes: Uint8Array): EncryptionContext {
  const context: Record<string, string> = Object.create(null);
  if (bytes.length === 0) return context;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const take = (length: number) => {
    if (at + length > bytes.length) throw decryptFailed();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const number = () => {
    take(2);
    return view.getUint16(at - 2);
  };
  const text = () => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(number()));
    } catch {
      throw decryptFailed();
    }
  };
  const count = number();
  if (count === 0) throw decryptFailed();
  for (let i = 0; i < count; i++) {
    const key = text();
    if (Object.hasOwn(context, key)) throw decryptFailed();
    context[key] = text();
  }
  if (at !== bytes.length) throw decryptFailed();
  return context;
}

export function u16(value: number): Uint8Array {
  if (value > 0xffff) throw new CofferError("header-too-long");
  return new Uint8Array([value >> 8, value & 0xff]);
}

/** UTF-8 of a well-formed text: a lone surrogate would not come back the same. */
function encode(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new CofferError("context-invalid");
  return utf8(text);
}
