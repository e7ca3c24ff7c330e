/** A client of the service contract over mutual TLS, as any program could be. */

import { Agent, request } from "node:https";
import { type ServiceRoute, service } from "#protocol/contract/index.ts";
import type { Place, TlsIdentity } from "#web/hosts/node/index.ts";
import type { Answer } from "../support/http.ts";
import { problem as problemOf } from "../support/http.ts";

type Sent = {
  body?: unknown;
  bytes?: Uint8Array;
  query?: Record<string, string>;
  headers?: Record<string, string>;
};

export type ServiceClient = {
  /** One request of the contract; whatever is answered. */
  call(operation: keyof typeof service, sent?: Sent): Promise<Answer>;
  /** Any request. */
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  close(): void;
};

export function serviceClient(place: Place, identity: Partial<TlsIdentity>): ServiceClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const where = "socket" in place ? { socketPath: place.socket } : { host: "127.0.0.1", port: place.port };
  const send = (method: string, path: string, { body, bytes, query, headers }: Sent = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const payload = bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
      const type = bytes ? "application/octet-stream" : "application/json";
      const search = query ? `?${new URLSearchParams(query)}` : "";
      const asked = request(
        {
          ...where,
          ...identity,
          ...{ agent, method, path: path + search, servername: "microservice" },
          headers: {
            ...(payload && { "content-type": type, "content-length": payload.length }),
            ...headers,
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () => {
            const read = Buffer.concat(chunks);
            const { statusCode: status = 0 } = answer;
            resolve({
              status,
              headers: answer.headers as Record<string, string>,
              bytes: read,
              text: read.toString(),
            });
          });
        },
      );
      asked.on("error", reject);
      asked.end(payload);
    });
  return {
    send,
    call: (operation, sent) => {
      const { method, path }: ServiceRoute = service[operation];
      return send(method, path, sent);
    },
    close: () => agent.destroy(),
  };
}

/** The answer of an operation that is done; throws for any other. */
export async function callService<T>(
  client: ServiceClient,
  operation: keyof typeof service,
  sent?: Sent,
): Promise<T> {
  const answer = await client.call(operation, sent);
  if (answer.status !== 200 && answer.status !== 201) throw new Error(`${operation}: ${problemOf(answer)}`);
  return JSON.parse(answer.text) as T;
}
