// What the app's own server passes on for worker.js, beside the edge's paths: what the microservice asks of the vault's origin.

/** Certificates, and keys that come by a grant, of a seed, or that the KMS retains. */
const PATHS =
  /^\/(ra\/(enrolments(\/[\w.-]{1,128})?|renewals)|presentations|seed-(channels|presentations)|retained-keys)$/;
/** Bytes of a request, at the most. */
const LIMIT = 256 * 1024;

/**
 * Answers what is the microservice's, as the vault does; resolves with false for all else.
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string} vault The vault's origin.
 */
export async function answerMicroservice(request, response, vault) {
  const { method, url = "/", headers } = request;
  // No page of another origin sends this type without being asked for leave first.
  const own = method === "POST" && PATHS.test(url) && headers["content-type"] === "application/json";
  if (!own) return false;
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    pieces.push(piece);
    length += piece.length;
    if (length > LIMIT) {
      response.writeHead(413, { connection: "close" }).end();
      return true;
    }
  }
  // Nothing of the browser's but the body: no cookie, and not who asks.
  const asked = { method, headers: { "content-type": "application/json", origin: vault } };
  const sent = fetch(vault + url, { ...asked, body: Buffer.concat(pieces), redirect: "error" });
  const answer = await sent.catch(() => undefined);
  const named = ["content-type", "retry-after"].flatMap((name) => {
    const value = answer?.headers.get(name);
    return value ? [[name, value]] : [];
  });
  response.writeHead(answer?.status ?? 502, { ...Object.fromEntries(named), "cache-control": "no-store" });
  response.end(answer && Buffer.from(await answer.arrayBuffer()));
  return true;
}
