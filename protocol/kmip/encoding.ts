/** Typed messages as bytes, in the encoding of choice. */

import { KmipDecodeError } from "./errors.ts";
import type { Item, Limits } from "./item.ts";
import {
  type RequestMessage,
  type ResponseMessage,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
} from "./messages.ts";
import { decodeTtlv, encodeTtlv } from "./ttlv.ts";

/** The encodings of KMIP; JSON and XML are UTF-8 (KMIP Profiles 2.1 §4). */
export type Encoding = "ttlv";

export type DecodeOptions = Partial<Limits> & { encoding?: Encoding };

/** Encodes an item tree. */
export function encodeItem(item: Item, _encoding: Encoding = "ttlv"): Uint8Array<ArrayBuffer> {
  return encodeTtlv(item);
}

/** Decodes exactly one item. Throws `KmipDecodeError`. */
export function decodeItem(bytes: Uint8Array, { encoding = "ttlv", ...limits }: DecodeOptions = {}): Item {
  if (encoding !== "ttlv") throw new KmipDecodeError("unknown encoding");
  return decodeTtlv(bytes, limits);
}

/** Encodes a request. Throws `KmipEncodeError` for what the version of its header does not have. */
export function encodeRequest(message: RequestMessage, encoding?: Encoding): Uint8Array<ArrayBuffer> {
  return encodeItem(requestToItem(message), encoding);
}

/** Decodes a request. Throws `KmipDecodeError`. */
export function decodeRequest(bytes: Uint8Array, options?: DecodeOptions): RequestMessage {
  return requestFromItem(decodeItem(bytes, options));
}

/** Encodes a response. What the version of its header does not have is left out. */
export function encodeResponse(message: ResponseMessage, encoding?: Encoding): Uint8Array<ArrayBuffer> {
  return encodeItem(responseToItem(message), encoding);
}

/** Decodes a response. Throws `KmipDecodeError`. */
export function decodeResponse(bytes: Uint8Array, options?: DecodeOptions): ResponseMessage {
  return responseFromItem(decodeItem(bytes, options));
}
