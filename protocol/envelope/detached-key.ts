/** Many short messages under one data key: each is kept without its encrypted data key, which is kept once beside them. */
import { concat, utf8 } from "../bytes.ts";
import { u16 } from "./context.ts";
import { decryptFailed, MESSAGE_ID_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Version, suite, message id. */
const BEFORE_CONTEXT = 3 + MESSAGE_ID_LENGTH;

/** A message whose encrypted data key of this provider is empty, and that key apart. Throws `decrypt-failed` for what is no message, or has no such key. */
export function detachKey(message: Bytes, provider: string): { key: Bytes; rest: Bytes } {
  const { at, length } = keyField(message, provider);
  const end = at + 2 + length;
  return {
    key: message.slice(at + 2, end),
    rest: concat(message.subarray(0, at), u16(0), message.subarray(end)),
  };
}

/** The message as it was sealed, if it is that key: its tag covers it. Throws `decrypt-failed` where there is no empty place for it. */
export function attachKey(rest: Bytes, key: Bytes, provider: string): Bytes {
  const { at, length } = keyField(rest, provider);
  if (length > 0 || key.length > 0xffff) throw decryptFailed();
  return concat(rest.subarray(0, at), u16(key.length), key, rest.subarray(at + 2));
}

/** Where the length of the provider's one encrypted data key stands, and that length. */
function keyField(message: Bytes, provider: string): { at: number; length: number } {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const name = utf8(provider).join();
  let at = BEFORE_CONTEXT;
  const skip = () => {
    const length = view.getUint16(at);
    at += 2 + length;
    if (at > message.length) throw decryptFailed();
    return length;
  };
  try {
    skip();
    const count = view.getUint16(at);
    at += 2;
    let found: { at: number; length: number } | undefined;
    for (let i = 0; i < count; i++) {
      const begin = at;
      const named = message.subarray(begin + 2, begin + 2 + skip()).join() === name;
      skip();
      const field = { at, length: skip() };
      if (named && found) throw decryptFailed();
      if (named) found = field;
    }
    if (found) return found;
  } catch {}
  throw decryptFailed();
}
