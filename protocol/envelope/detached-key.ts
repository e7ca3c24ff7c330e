/** Many short messages under one data key: each is kept without its encrypted data key, which is kept once beside them. */
import { concat } from "../bytes.ts";
import { type EncryptedDataKey, type Header, parseHeader, serialiseHeader } from "./header.ts";
import { decryptFailed, SUITE } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Parsed = { header: Header; own: EncryptedDataKey };

/**
 * A message of the suite that is written here whose encrypted data key of this provider is empty, and that key apart. Throws
 * `decrypt-failed` for what is no such message, or has not one such key.
 */
export function detachKey(message: Bytes, provider: string): { key: Bytes; rest: Bytes } {
  const parsed = parse(message, provider);
  return {
    key: new Uint8Array(parsed.own.encryptedDataKey),
    rest: withKey(message, parsed, new Uint8Array()),
  };
}

/** The message as it was sealed, if it is that key: its tag covers it. Throws `decrypt-failed` where there is no empty place for it. */
export function attachKey(rest: Bytes, key: Bytes, provider: string): Bytes {
  const parsed = parse(rest, provider);
  if (parsed.own.encryptedDataKey.length > 0) throw decryptFailed();
  return withKey(rest, parsed, key);
}

function parse(message: Bytes, provider: string): Parsed {
  const header = parseHeader(message);
  const [own, ...more] = header?.encryptedDataKeys.filter(({ providerId }) => providerId === provider) ?? [];
  if (header?.suite !== SUITE || !own || more.length > 0) throw decryptFailed();
  return { header, own };
}

function withKey(message: Bytes, { header, own }: Parsed, encryptedDataKey: Uint8Array): Bytes {
  const encryptedDataKeys = header.encryptedDataKeys.map((one) =>
    one === own ? { ...one, encryptedDataKey } : one,
  );
  const { body } = serialiseHeader({ ...header, encryptedDataKeys });
  return concat(body, header.tag, message.subarray(header.length));
}
