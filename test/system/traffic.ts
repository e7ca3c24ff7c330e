/** Captures the KMIP messages that pass the emulator's HTTPS listener, after TLS, inside its own process. */

import { IncomingMessage, ServerResponse } from "node:http";
import {
  decodeRequest,
  decodeResponse,
  type RequestMessage,
  type ResponseMessage,
} from "#protocol/kmip/index.ts";

export type Traffic = {
  /** Encoded messages in the order in which they were complete. */
  messages: { direction: "request" | "response"; bytes: Uint8Array }[];
  requests(): RequestMessage[];
  responses(): ResponseMessage[];
  /** All of it, one message after the other. */
  bytes(): Buffer;
  stop(): void;
};

const TAGS = { "420078": "request", "42007b": "response" } as const;

/** Begins to capture. Bodies that do not begin like a KMIP message in TTLV are left aside. */
export function watchTraffic(): Traffic {
  const messages: Traffic["messages"] = [];
  const bodies = new WeakMap<IncomingMessage, Buffer[]>();
  const take = (body: Buffer) => {
    const direction = TAGS[body.subarray(0, 3).toString("hex") as keyof typeof TAGS];
    if (direction) messages.push({ direction, bytes: Uint8Array.from(body) });
  };
  const { push } = IncomingMessage.prototype;
  const { end } = ServerResponse.prototype;
  IncomingMessage.prototype.push = function (chunk: unknown, encoding?: BufferEncoding) {
    const body = bodies.get(this) ?? [];
    bodies.set(this, body);
    if (chunk instanceof Uint8Array) body.push(Buffer.from(chunk));
    if (chunk === null) take(Buffer.concat(body));
    return push.call(this, chunk, encoding);
  };
  ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
    if (args[0] instanceof Uint8Array) take(Buffer.from(args[0]));
    return Reflect.apply(end, this, args);
  } as typeof end;
  const bytesOf = (wanted: "request" | "response") =>
    messages.filter(({ direction }) => direction === wanted).map(({ bytes }) => bytes);
  return {
    messages,
    requests: () => bytesOf("request").map((bytes) => decodeRequest(bytes)),
    responses: () => bytesOf("response").map((bytes) => decodeResponse(bytes)),
    bytes: () => Buffer.concat(messages.map(({ bytes }) => bytes)),
    stop() {
      IncomingMessage.prototype.push = push;
      ServerResponse.prototype.end = end;
    },
  };
}
