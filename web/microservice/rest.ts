/** REST on the vault's own origin, by the contract: nothing of an answer is believed that is not of the shape that is due. */
import { concat } from "#protocol/bytes.ts";
import { type AnswerOf, type JsonRoute, pathOf } from "#protocol/contract/index.ts";
import { CofferError, errorCode } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { type Delay, patiently } from "#protocol/patience.ts";
import { fits } from "#protocol/shape.ts";

export type Asked = {
  parameters?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
  /** JSON, or a form. */
  body?: object | URLSearchParams;
  /** Whether it may be sent again when nobody knows if it was done. Default: yes. */
  repeatable?: boolean;
  /** Most bytes of an answer. Default: 64 KiB. */
  limit?: number;
  /** Milliseconds until nothing said counts as nobody there. Default: one minute. */
  patience?: number;
  /** Whether the vault's cookie goes along; default: it does. */
  cookie?: boolean;
  /** Made for each attempt: a proof works once. */
  headers?(request: { method: string; url: string }): Promise<Record<string, string>>;
};

/** Errors: the problem's code, `offline`, `answer-invalid`. */
export type Rest = <const R extends JsonRoute>(route: R, asked?: Asked) => Promise<AnswerOf<R>>;

const MAX_ANSWER = 64 * 1024;
const PATIENCE = 60_000;

/** REST over `fetch`, bound to `origin`. */
export function restOf(fetch: typeof globalThis.fetch, origin: string, delay: Delay): Rest {
  return async (route, asked = {}) => {
    const { repeatable = true, limit = MAX_ANSWER } = asked;
    const send = async () => {
      const { url, init } = await requestOf(route, asked, origin);
      return fetch(url, init).catch(offline);
    };
    const response = await patiently(send, { repeatable, delay });
    const type = mediaTypeOf(response.headers.get("content-type"));
    const bytes = await bodyOf(response, limit).catch(offline);
    // A captive portal or a proxy answers too: what is not of the type and status that is due is not the edge's.
    const value = type === "application/json" || type === "application/problem+json" ? parse(bytes) : {};
    if (response.status >= 400) {
      const { code } = Object(value);
      throw new CofferError(fits(errorCode, code) ? code : "answer-invalid");
    }
    const { answer } = route;
    const due = response.status === answer.status && type === "application/json";
    if (!due || !fits(answer.json, value)) throw new CofferError("answer-invalid");
    return value as AnswerOf<typeof route>;
  };
}

async function requestOf(
  route: JsonRoute,
  { parameters, query, body, headers, cookie = true, patience = PATIENCE }: Asked,
  origin: string,
) {
  const { method } = route;
  const url = new URL(pathOf(route, parameters), origin);
  if (query) url.search = new URLSearchParams(query).toString();
  const form = body instanceof URLSearchParams;
  const sends = method === "POST" || method === "PUT";
  const type = { "content-type": `application/${form ? "x-www-form-urlencoded" : "json"}` };
  const init = {
    method,
    headers: { ...(sends ? type : {}), ...(await headers?.({ method, url: url.href })) },
    ...(sends ? { body: form ? body.toString() : JSON.stringify(body ?? {}) } : {}),
    credentials: cookie ? "same-origin" : "omit",
    redirect: "error",
    cache: "no-store",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(patience),
  } as const;
  return { url, init };
}

function offline(cause: unknown): never {
  throw new CofferError("offline", { cause });
}

/** A body of at most `limit` bytes; of a longer one no more is read. */
async function bodyOf(response: Response, limit: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    chunks.push(read.value);
    if (length <= limit) continue;
    await reader.cancel().catch(() => {});
    return new Uint8Array();
  }
  return concat(...chunks);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
