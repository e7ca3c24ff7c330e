/** Requests as a browser makes them, so that a server has no header by which it knows who asks. `fetch` of Node writes some of its own. */
import { randomBytes } from "node:crypto";
import { request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";

/** Of one answer, bytes, decoded. */
const MAX_BYTES = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const DOCUMENT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const IMAGE = "image/webp,image/avif,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5";

/** What a browser asks for, with the Fetch Metadata of each. An app's page leads to vault and app on one site. */
const PURPOSES = {
  frame: { accept: DOCUMENT, dest: "iframe", mode: "navigate", site: "same-site" },
  document: { accept: DOCUMENT, dest: "document", mode: "navigate", site: "same-site" },
  script: { accept: "*/*", dest: "script", mode: "cors", site: "same-origin" },
  "page-script": { accept: "*/*", dest: "script", mode: "no-cors", site: "same-origin" },
  fetch: { accept: "*/*", dest: "empty", mode: "cors", site: "same-origin" },
  image: { accept: IMAGE, dest: "image", mode: "no-cors", site: "same-origin" },
  "service-worker": { accept: "*/*", dest: "serviceworker", mode: "same-origin", site: "same-origin" },
} as const;
export type Purpose = keyof typeof PURPOSES;

export type Served = { status: number; headers: Headers; bytes: Uint8Array };

/** GET, with redirects as they are. Throws for an answer that is too long, too slow, or in a coding that was not asked for. */
export async function askAsBrowser(address: string, purpose: Purpose): Promise<Served> {
  const url = new URL(address);
  const loopback = url.protocol === "http:" && /(^|\.)localhost$/.test(url.hostname);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { status, headers, body } = await new Promise<Omit<Served, "bytes"> & { body: Buffer }>(
    (resolve, reject) => {
      const ask = url.protocol === "https:" ? overHttps : overHttp;
      const options = { headers: headersOf(url, purpose), signal, ...(loopback && { host: "127.0.0.1" }) };
      const sent = ask(url, options, (answer) => {
        const chunks: Buffer[] = [];
        let length = 0;
        answer.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > MAX_BYTES) sent.destroy(new Error(`${url.pathname} is too long to be a vault's`));
          else chunks.push(chunk);
        });
        answer.on("error", reject);
        answer.on("end", () => {
          const fields = new Headers();
          for (const [name, values = []] of Object.entries(answer.headersDistinct))
            for (const value of values) fields.append(name, value);
          resolve({ status: answer.statusCode ?? 500, headers: fields, body: Buffer.concat(chunks) });
        });
      });
      sent.on("error", reject).end();
    },
  );
  return { status, headers, bytes: decoded(body, headers.get("content-encoding")) };
}

/** Those of Safari, which sends no client hints: a browser has nothing else to say to a server that does not know it. */
function headersOf(url: URL, purpose: Purpose): Record<string, string> {
  const { accept, dest, mode, site } = PURPOSES[purpose];
  return {
    host: url.host,
    accept,
    "sec-fetch-site": site,
    "sec-fetch-mode": mode,
    "sec-fetch-dest": dest,
    "user-agent":
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "accept-language": "en-US,en;q=0.9",
    "accept-encoding": "gzip, deflate, br",
    ...(site === "same-origin" && { referer: `${url.origin}/` }),
    ...(purpose === "service-worker" && { "service-worker": "script" }),
  };
}

function decoded(body: Buffer, coding: string | null): Uint8Array {
  const bound = { maxOutputLength: MAX_BYTES };
  if (coding === null || body.length === 0) return body;
  if (coding === "gzip") return gunzipSync(body, bound);
  if (coding === "deflate") return inflateSync(body, bound);
  if (coding === "br") return brotliDecompressSync(body, bound);
  throw new Error("an answer has a content coding that was not asked for");
}

/** Where an app's page leads at the beginning of a sign-in: one that nobody ends. */
export function signInPath(app: string): string {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: app,
    redirect_uri: `${app}/`,
    state: randomValue(),
    code_challenge: randomValue(),
    code_challenge_method: "S256",
    dpop_jkt: randomValue(),
  });
  return `/authorize?${query}`;
}

/** 32 bytes, base64url: what a state, a code or a challenge looks like. */
export function randomValue(): string {
  return randomBytes(32).toString("base64url");
}
