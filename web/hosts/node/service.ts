/** The microservice of a process behind REST (M15): over mutual TLS, on a Unix socket or on loopback, for those names alone. */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { refusal, type Serviced, serviceOf } from "../service/index.ts";
import { type Listening, listen, type Place, type TlsIdentity } from "./listen.ts";

export interface ServiceOptions extends Serviced {
  place: Place;
  identity: TlsIdentity;
  /**
   * Distinguished Names that are let in: of the custodian that the instance is bound to, or of the sidecar that stands before it.
   */
  peers: string[];
}

/** Serves until it is closed. Others than the peers get `foreign-custodian`. */
export async function serveMicroservice({
  place,
  identity,
  peers,
  ...serviced
}: ServiceOptions): Promise<Listening> {
  const names = new Set(peers);
  const respond = serviceOf(serviced);
  return listen(place, identity, (request, response, peer) => {
    const answered = names.has(peer)
      ? respond(requestOf(request))
      : Promise.resolve(refusal("foreign-custodian"));
    void answered.then((answer) => send(answer, response)).catch(() => response.destroy());
  });
}

function requestOf(request: IncomingMessage): Request {
  const { method = "GET", url = "/", headers } = request;
  const given = new Headers();
  for (const name of ["content-type", "content-length"]) {
    const value = headers[name];
    if (typeof value === "string") given.set(name, value);
  }
  const body = method === "GET" ? null : streamOf(request);
  const init: RequestInit & { duplex: "half" } = { method, headers: given, body, duplex: "half" };
  // Of the address the path and the query count alone, whatever form the request line has.
  return new Request(new URL(url.replace(/^[^/]*/, "").replace(/^\/+/, "/"), "https://microservice"), init);
}

/** Its body. Who turns it away must still be able to answer, so that does not end the connection. */
function streamOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false });
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

/** Sends an answer. One that breaks off breaks the connection: it must not look whole. */
export async function send(answer: Response, response: ServerResponse): Promise<void> {
  const { status, headers, body } = answer;
  // Nobody reads the rest of a request that was refused before its end.
  if (!response.req.complete && status >= 400) response.setHeader("connection", "close");
  response.writeHead(status, Object.fromEntries(headers));
  const reader = body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    if (!response.write(read.value)) await once(response, "drain");
  }
  response.end();
}
