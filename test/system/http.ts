/** Plain HTTP to one of the edge's origins, from outside any browser. Node does not resolve `*.localhost`. */

import { request } from "node:http";
import type { System } from "./start.ts";

export type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };

export function send(
  system: Pick<System, "port">,
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Answer> {
  const { host, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: system.port,
        path: pathname + search,
        method: options.method ?? "GET",
        headers: { ...options.headers, host },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}
