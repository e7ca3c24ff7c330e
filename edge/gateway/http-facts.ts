import type { HttpFacts } from "../caller.ts";

/** Areas in which policies decide on a request. */
const AREAS = /^\/(kms|instances)\//;
/** They prove who asks, and are nobody else's business. */
const SECRET = new Set(["authorization", "dpop", "cookie"]);
/** Names and values of what goes on with a request. A request with more of them has none that are known. */
const MAX_LENGTH = 8 * 1024;

/** What policies may ask of a request for keys. Nothing is there where it is not known. */
export function httpFacts({ url, headers }: Pick<Request, "url" | "headers">): HttpFacts | undefined {
  const { pathname: path } = new URL(url);
  if (!AREAS.test(path)) return undefined;
  const fields = [...headers].filter(([name]) => !SECRET.has(name));
  const length = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return length <= MAX_LENGTH ? { path, headers: fields } : undefined;
}
