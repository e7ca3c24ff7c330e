/** The footer of a signed message (ESDK data-format/message-footer): a signature over everything before it. */
import { PUBLIC_KEY } from "./context.ts";
import { BLOCK_OVERHEAD, FINAL_OVERHEAD, REGULAR_OVERHEAD } from "./frame.ts";
import type { Header } from "./header.ts";
import type { EnvelopeCrypto } from "./keys.ts";
import { rawSignature, uncompressedPoint } from "./p384.ts";
import { decryptFailed, END, IV_LENGTH, TAG_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Verifies the signature of a whole message, by the key in the context of its header, which the header's tag has
 * authenticated. Returns the body, none of it decrypted. Throws `decrypt-failed`.
 */
export async function verifyFooter(subtle: EnvelopeCrypto, header: Header, message: Bytes): Promise<Bytes> {
  const end = bodyEnd(header, message);
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (end + 2 > message.length || view.getUint16(end) !== message.length - end - 2) throw decryptFailed();
  const signature = rawSignature(message.subarray(end + 2));
  const point = uncompressedPoint(header.context[PUBLIC_KEY] ?? "");
  const algorithm = { name: "ECDSA", namedCurve: "P-384" };
  const key = await subtle.importKey("raw", point, algorithm, false, ["verify"]);
  const signed = message.subarray(0, end);
  if (!(await subtle.verify({ name: "ECDSA", hash: "SHA-384" }, key, signature, signed)))
    throw decryptFailed();
  return message.subarray(header.length, end);
}

/** Where the body ends, by its lengths and marks; what it says is verified when it is decrypted. */
function bodyEnd(header: Header, message: Bytes): number {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const { frameLength } = header;
  let at = header.length;
  if (frameLength === 0) {
    if (at + IV_LENGTH + 8 > message.length) throw decryptFailed();
    return at + BLOCK_OVERHEAD + Number(view.getBigUint64(at + IV_LENGTH));
  }
  while (at + 4 <= message.length && view.getUint32(at) !== END) at += frameLength + REGULAR_OVERHEAD;
  const content = at + FINAL_OVERHEAD - TAG_LENGTH;
  if (content > message.length) throw decryptFailed();
  return content + view.getUint32(content - 4) + TAG_LENGTH;
}
