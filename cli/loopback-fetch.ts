import { request } from "node:http";
import { Readable } from "node:stream";

/**
 * A `fetch` for `http://127.0.0.1`, `http://localhost` and names below it, of which Node's resolver may know none, or another address than
 * ours: RFC 6761 §6.3 says that they are loopback. Other origins go to the platform's fetch. Unlike a browser it sends
 * the headers Origin and Cookie that it is given.
 */
export const loopbackFetch: typeof fetch = async (input, init) => {
  const asked = new Request(input, init);
  const url = new URL(asked.url);
  if (url.protocol !== "http:" || !isLoopback(url)) return fetch(input, init);
  const headers: Record<string, string> = {
    ...Object.fromEntries(asked.headers),
    ...plain(init?.headers),
    host: url.host,
  };
  const body = asked.body ? Buffer.from(await asked.arrayBuffer()) : undefined;
  if (body) headers["content-length"] = String(body.length);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port: url.port || 80,
        path: url.pathname + url.search,
        method: asked.method,
        headers,
        signal: asked.signal,
        // One that is kept may be closed by workerd, after five seconds, just when a request is sent on it.
        agent: false,
      },
      (answer) => {
        const fields = new Headers();
        for (const [name, values = []] of Object.entries(answer.headersDistinct))
          for (const value of values) fields.append(name, value);
        const status = answer.statusCode ?? 500;
        const empty = status === 204 || status === 304 || asked.method === "HEAD";
        if (empty) answer.resume();
        const stream = empty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>);
        resolve(new Response(stream, { status, headers: fields }));
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
};

/** Whether an address is of this machine, by its name. */
export function isLoopback({ hostname }: URL): boolean {
  return /^127\.0\.0\.1$|(^|\.)localhost$/.test(hostname);
}

/** `Request` drops the headers that a browser's script may not set; here they are the caller's to set. */
function plain(headers: HeadersInit | undefined): Record<string, string> {
  if (headers === undefined) return {};
  const entries =
    headers instanceof Headers ? [...headers] : Array.isArray(headers) ? headers : Object.entries(headers);
  return Object.fromEntries(entries.map(([name = "", value = ""]) => [name.toLowerCase(), value]));
}
