import type { GatewayContext } from "./context.ts";
import {
  appPolicy,
  documentHeaders,
  PDF_FRAME,
  pageHeaders,
  pdfPolicy,
  serviceWorkerPolicy,
} from "./headers.ts";
import { Refused } from "./problem.ts";

/** Names that carry a hash of their content never change it. */
const HASHED = /\.[0-9a-zA-Z]{8,}\.[a-z0-9]+$/;

/**
 * A file of the site's folder. `policy` goes with documents, and `caching` says for how long a browser has one without asking: where it is not
 * said, for good if the name carries a hash of the content, and else not at all. Throws `Refused` `not-found`.
 */
export async function serveAsset(
  c: GatewayContext,
  name: string,
  policy?: string,
  caching = HASHED.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
): Promise<Response> {
  const found = await fileOf(c, name, pick(c.req.raw.headers, ["if-none-match"]));
  const headers = pick(found.headers, ["content-type", "etag", "content-length"]);
  headers.set("cache-control", caching);
  for (const [header, value] of Object.entries(policy === undefined ? {} : documentHeaders(policy)))
    headers.set(header, value);
  return new Response(found.body, { status: found.status, headers });
}

/**
 * The app's Service Worker. What the page's documents are served with stands before it, for this origin: a Service Worker cannot keep that in a
 * place where no script of the page writes.
 */
export async function serveServiceWorker(c: GatewayContext): Promise<Response> {
  const { origins, site } = c.var;
  // Whole, whatever the browser has: the tag is that of the file alone.
  const file = await fileOf(c, "service-worker.js");
  const documents = {
    "/": pageHeaders(appPolicy(origins, site.origin)),
    [PDF_FRAME]: pageHeaders(pdfPolicy(site.origin)),
  };
  const first = `self.cofferHeaders=${JSON.stringify(documents)};\n`;
  const headers = pick(file.headers, ["content-type"]);
  headers.set("cache-control", "no-cache");
  headers.set("content-security-policy", serviceWorkerPolicy);
  return new Response(first + (await file.text()), { headers });
}

/** Status 200, or 304 where `headers` ask. */
async function fileOf(c: GatewayContext, name: string, headers = new Headers()): Promise<Response> {
  const { method } = c.req;
  const request = new Request(new URL(`/${c.var.site.name}/${name}`, "https://assets.invalid"), {
    ...{ method, headers },
  });
  const found = await c.env.ASSETS.fetch(request);
  if (found.status === 200 || found.status === 304) return found;
  await found.body?.cancel();
  throw new Refused("not-found");
}

function pick(headers: Headers, names: string[]): Headers {
  const picked = new Headers();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}
