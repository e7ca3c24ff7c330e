/** Typed messages as bytes, in the encoding of choice. */

import { utf8 } from "../bytes.ts";
import { KmipDecodeError } from "./errors.ts";
import { type Item, LIMITS, type Limits } from "./item.ts";
import { decodeJson, encodeJson } from "./json.ts";
import {
  type RequestMessage,
  type ResponseMessage,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
} from "./messages.ts";
import { decodeTtlv, encodeTtlv } from "./ttlv.ts";
import { decodeXml, encodeXml } from "./xml.ts";

/** The encodings of KMIP; JSON and XML are UTF-8 (KMIP Profiles 2.1 §5.4 XML Profiles, §5.5 JSON Profiles). */
export type Encoding = "ttlv" | "json" | "xml";

/** Media types of the encodings over HTTPS (KMIP Profiles 2.1 §5.3 HTTPS Profiles). */
export const MEDIA_TYPES: Record<Encoding, string> = {
  ttlv: "application/octet-stream",
  json: "application/json",
  xml: "text/xml",
};

export type DecodeOptions = Partial<Limits> & { encoding?: Encoding };

/** Encodes an item tree. */
export function encodeItem(item: Item, encoding: Encoding = "ttlv"): Uint8Array<ArrayBuffer> {
  if (encoding === "ttlv") return encodeTtlv(item);
  return utf8(encoding === "json" ? encodeJson(item) : encodeXml(item));
}

/** Decodes exactly one item. Throws `KmipDecodeError`. */
export function decodeItem(bytes: Uint8Array, { encoding = "ttlv", ...limits }: DecodeOptions = {}): Item {
  if (encoding === "ttlv") return decodeTtlv(bytes, limits);
  if (bytes.length > (limits.maximumLength ?? LIMITS.maximumLength))
    throw new KmipDecodeError("message too long");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (cause) {
    throw new KmipDecodeError("message is not UTF-8", { cause });
  }
  return encoding === "json" ? decodeJson(text, limits) : decodeXml(text, limits);
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
