import { Agent, request as httpsRequest } from "node:https";
import { tlsTransport } from "#kmip-node/index.ts";
import { type Encoding, MEDIA_TYPES } from "#protocol/kmip/index.ts";

export type Transport = "tls" | "https";

/** Where a server is and who asks; PEM. */
export interface Endpoint {
  host: string;
  port: number;
  ca: string;
  cert: string;
  key: string;
}

/** Carries encoded messages to a server and back, one at a time. */
export interface Connection {
  exchange(request: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

export function connectTo(endpoint: Endpoint, transport: Transport, encoding: Encoding): Connection {
  if (transport === "https") return overHttps(endpoint, encoding);
  return tlsTransport({ ...endpoint, encoding });
}

/** `POST /kmip` (KMIP Profiles, HTTPS authentication suite). Anything but a 200 of the same content type is an error. */
function overHttps({ host, port, ca, cert, key }: Endpoint, encoding: Encoding): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const type = MEDIA_TYPES[encoding];
  const exchange = (body: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) => {
      const headers = { "Content-Type": type, "Content-Length": body.length, "Cache-Control": "no-cache" };
      const request = httpsRequest(
        { host, port, ca, cert, key, agent, path: "/kmip", method: "POST", headers, timeout: 30_000 },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            if (response.statusCode !== 200) reject(new Error(`HTTP status ${response.statusCode}`));
            else if (response.headers["content-type"]?.split(";", 1)[0] !== type)
              reject(new Error(`HTTP content type ${response.headers["content-type"]}`));
            else resolve(new Uint8Array(Buffer.concat(chunks)));
          });
        },
      );
      request.on("timeout", () => request.destroy(new Error("no answer in time")));
      request.on("error", reject);
      request.end(body);
    });
  return { exchange, close: () => agent.destroy() };
}
