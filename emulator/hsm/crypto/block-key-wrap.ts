import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import { KmipError } from "#protocol/kmip/index.ts";
import { type AesKeyWrap, checkUnwrappable, checkWrappable } from "./aes-key-wrap.ts";
import { blockCipherName } from "./cipher-rules.ts";

/**
 * Key wrap of NIST SP 800-38F §6.2 and §6.3 (RFC 3394, RFC 5649) with ciphers of 16-byte blocks other than AES, for which
 * OpenSSL has it: Camellia (RFC 3657), ARIA (RFC 5794), SM4.
 */
export function wrapWith(
  algorithm: string,
  method: AesKeyWrap,
  key: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  checkWrappable(data);
  const cipher = createCipheriv(blockCipherName(algorithm, key.length, "ECB"), key, null).setAutoPadding(
    false,
  );
  const block = (bytes: Uint8Array) => cipher.update(bytes);
  if (method === "NISTKeyWrap") {
    if (data.length < 16 || data.length % 8 !== 0) throw refused();
    return wrapped(block, Buffer.concat([Buffer.alloc(8, 0xa6), data]));
  }
  if (data.length === 0) throw refused();
  const head = Buffer.from("a65959a600000000", "hex");
  head.writeUInt32BE(data.length, 4);
  const padded = Buffer.concat([head, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
  return padded.length === 16 ? block(padded) : wrapped(block, padded);
}

/** Opens what `wrapWith` made; one error for whatever is wrong. */
export function unwrapWith(
  algorithm: string,
  method: AesKeyWrap,
  key: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  checkUnwrappable(data);
  const decipher = createDecipheriv(blockCipherName(algorithm, key.length, "ECB"), key, null);
  decipher.setAutoPadding(false);
  const block = (bytes: Uint8Array) => decipher.update(bytes);
  const minimum = method === "NISTKeyWrap" ? 24 : 16;
  if (data.length < minimum || data.length % 8 !== 0) throw refused();
  const opened = data.length === 16 ? block(data) : unwrapped(block, data);
  const [head, rest] = [opened.subarray(0, 8), opened.subarray(8)];
  if (method === "NISTKeyWrap") {
    if (!timingSafeEqual(head, Buffer.alloc(8, 0xa6))) throw refused();
    return rest;
  }
  const length = head.readUInt32BE(4);
  const right = timingSafeEqual(head.subarray(0, 4), Buffer.from("a65959a6", "hex"));
  const fits = length > rest.length - 8 && length <= rest.length;
  if (!right || !fits || rest.subarray(length).some((byte) => byte !== 0)) throw refused();
  return rest.subarray(0, length);
}

type Block = (bytes: Uint8Array) => Buffer;

/** W of SP 800-38F §6.1, over semiblocks of 8 bytes of which the first is A. */
function wrapped(block: Block, data: Buffer): Buffer {
  const out = Buffer.from(data);
  const count = out.length / 8 - 1;
  for (let step = 1; step <= 6 * count; step++) {
    const at = (((step - 1) % count) + 1) * 8;
    const made = block(Buffer.concat([out.subarray(0, 8), out.subarray(at, at + 8)]));
    made.writeUInt32BE((made.readUInt32BE(4) ^ step) >>> 0, 4);
    made.copy(out, 0, 0, 8);
    made.copy(out, at, 8);
  }
  return out;
}

function unwrapped(block: Block, data: Uint8Array): Buffer {
  const out = Buffer.from(data);
  const count = out.length / 8 - 1;
  for (let step = 6 * count; step >= 1; step--) {
    const at = (((step - 1) % count) + 1) * 8;
    out.writeUInt32BE((out.readUInt32BE(4) ^ step) >>> 0, 4);
    const made = block(Buffer.concat([out.subarray(0, 8), out.subarray(at, at + 8)]));
    made.copy(out, 0, 0, 8);
    made.copy(out, at, 8);
  }
  return out;
}

function refused(): KmipError {
  return new KmipError("CryptographicFailure", "The data cannot be wrapped or do not open");
}
