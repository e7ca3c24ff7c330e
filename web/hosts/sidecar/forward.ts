/** Forwards to the microservice's socket: what the contract needs of a request, and nothing else. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as send } from "node:https";
import { pipeline } from "node:stream/promises";
import { named, type TlsIdentity } from "../node/index.ts";

/** Headers that pass, each way. */
const PASSED = ["content-type", "content-length", "cache-control"];

export type Upstream = {
  /** Resolves when the answer is through; rejects with nothing sent when the microservice cannot be reached. */
  forward(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): void;
};

/** `name`: the Distinguished Name that the microservice has to show. */
export function upstreamTo(socket: string, identity: TlsIdentity, name: string): Upstream {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const options = {
    ...{ ...identity, agent, socketPath: socket, minVersion: "TLSv1.3" as const },
    checkServerIdentity: named(name),
  };
  return {
    forward: (request, response) =>
      new Promise((resolve, reject) => {
        const { method, url: path } = request;
        const asked = send({ ...options, method, path, headers: passed(request.headers) }, (answer) => {
          response.writeHead(answer.statusCode ?? 502, passed(answer.headers));
          pipeline(answer, response).then(resolve, reject);
        });
        asked.on("error", reject);
        response.on("close", () => asked.destroy());
        request.pipe(asked);
      }),
    close: () => agent.destroy(),
  };
}

function passed(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(
    PASSED.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}
