import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";

/** An answer on its way out. */
export type Answer = { status: number; headers: Record<string, string>; body: string };

/** Headers of every answer. */
export const COMMON = {
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

/** What is said under a name that was rebound to this machine (DNS rebinding): title and sentence. */
export const NOT_SERVED = ["Not found", "Nothing is served under this name."] as const;

/** `formTo` is an origin that a form's answer may lead to: Chromium holds the redirect after a form to `form-action` too. */
export function page(status: number, body: string, formTo = ""): Answer {
  const policy = `default-src 'none'; style-src 'self'; img-src data:; form-action 'self' ${formTo}; frame-ancestors 'none'; base-uri 'none'`;
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": policy };
  return { status, headers, body };
}

export function stylesheet(body: string): Answer {
  return { status: 200, headers: { "content-type": "text/css; charset=utf-8" }, body };
}

/** Null for another type, and for more than `limit` bytes. */
export async function readForm(request: IncomingMessage, limit: number): Promise<URLSearchParams | null> {
  if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded")) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/** The port, which is any that is free where it is 0. Rejects where it is taken; the same server may then try another. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, exclusive: true }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

export function end(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
