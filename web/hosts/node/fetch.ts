/** `fetch` over mutual TLS to a service on this machine (M14): a microservice or a sidecar on a Unix socket or on loopback. */

import type { IncomingMessage } from "node:http";
import { Agent, request as send } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { nameText, parseCertificate } from "#protocol/pki/index.ts";
import type { Place, TlsIdentity } from "./listen.ts";

/** A certificate of that Distinguished Name and no other; a socket has no host name. For `checkServerIdentity`. */
export function named(name: string): (host: string, certificate: { raw: Buffer }) => Error | undefined {
  return (_, { raw }) => {
    try {
      if (nameText(parseCertificate(raw).subject) === name) return undefined;
    } catch {}
    return new Error("another party");
  };
}

/**
 * A `fetch` that goes to one place, whatever the address says, and shows this identity there. `name`: the Distinguished Name that must answer,
 * such as `CN=sidecar`. Bodies are streamed both ways. `close` ends its connections.
 */
export function serviceFetch(
  place: Place,
  identity: TlsIdentity,
  name: string,
): { fetch: typeof fetch; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const where = "socket" in place ? { socketPath: place.socket } : { host: "127.0.0.1", port: place.port };
  const options = {
    ...where,
    ...identity,
    agent,
    minVersion: "TLSv1.3" as const,
    checkServerIdentity: named(name),
  };
  const fetching = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const asked = new Request(input, init);
    asked.signal.throwIfAborted();
    const { pathname, search } = new URL(asked.url);
    const headers = Object.fromEntries(asked.headers);
    const { signal, method } = asked;
    return new Promise((resolve, reject) => {
      const sent = send({ ...options, method, path: pathname + search, headers, signal }, (answer) => {
        try {
          resolve(responseOf(answer));
        } catch (cause) {
          // A status that no response has: whoever is there speaks something else.
          answer.destroy();
          reject(new TypeError("fetch failed", { cause }));
        }
      });
      sent.on("error", (error) =>
        reject(signal.aborted ? signal.reason : new TypeError("fetch failed", { cause: error })),
      );
      if (asked.body)
        Readable.fromWeb(asked.body as NodeStream)
          .on("error", (error) => sent.destroy(error))
          .pipe(sent);
      else sent.end();
    });
  };
  return { fetch: fetching as typeof fetch, close: () => agent.destroy() };
}

/** Throws `RangeError` for a status outside of 200 to 599. */
function responseOf(answer: IncomingMessage): Response {
  const { statusCode: status = 0 } = answer;
  const headers = new Headers();
  for (const [header, value] of Object.entries(answer.headers))
    if (typeof value === "string") headers.set(header, value);
  if (WITHOUT_BODY.has(status)) {
    answer.resume();
    return new Response(null, { status, headers });
  }
  const body = Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Response(body, { status, headers });
}

/** Null body statuses (Fetch §2.2.3). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
