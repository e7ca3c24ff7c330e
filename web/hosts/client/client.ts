import { jsonAnswer } from "#protocol/answer.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { type ServiceRoute, service } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { Answer, CryptoOperation, Question } from "#protocol/operations/index.ts";
import type { EncryptionContext } from "#protocol/port/index.ts";
import type { Shape } from "#protocol/shape.ts";
import { refusedBy, streamOf } from "./answer.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Routes = typeof service;

/** Bytes of an answer in JSON: a message of the longest data in base64url. */
const JSON_LIMIT = 4 << 20;

/** Routes whose answer is JSON. */
export type JsonRoute = {
  [Id in keyof Routes]: Routes[Id]["answer"] extends { json: unknown } ? Id : never;
}[keyof Routes];
/** What a route is asked; undefined for one that is asked nothing. */
export type Asked<Id extends JsonRoute> = Routes[Id] extends { request: { json: Shape<infer T> } }
  ? T
  : undefined;
export type Answered<Id extends JsonRoute> = Routes[Id]["answer"] extends { json: Shape<infer T> }
  ? T
  : never;

export interface ServiceClientOptions {
  /**
   * Where the contract's paths begin: `https://microservice` with a `fetch` of `@coffer/kit/microservice/node`, `/microservice` where the app's
   * Service Worker answers, `/caas` on the app's origin.
   */
  url: string;
  /** Brings the certificate (mutual TLS) or the token that the host asks for. Default: the global one. */
  fetch?: typeof fetch;
}

/** Errors of all calls: `CofferError` with the code of the problem document, `offline`, `unexpected-response`; the signal's reason. */
export interface ServiceClient {
  /** One request of the contract, in JSON; what is answered is checked. Bytes are base64url. */
  call<Id extends JsonRoute>(
    route: Id,
    ...asked: Asked<Id> extends undefined ? [undefined?, CallOptions?] : [Asked<Id>, CallOptions?]
  ): Promise<Answered<Id>>;
  /** One operation with a key that is loaded, or that is brought. */
  operate<O extends CryptoOperation>(
    operation: O,
    asked: Question<O>,
    options?: CallOptions,
  ): Promise<Answer<O>>;
  /** A document of any length as a message under the key of this EDK. Rejects before the first byte, or the stream errs. */
  seal(
    of: { key: string; context: EncryptionContext },
    plain: Blob | ReadableStream<Bytes>,
    options?: CallOptions,
  ): Promise<ReadableStream<Bytes>>;
  /** The other way. Plaintext comes frame by frame: only a stream that ends well was whole. */
  open(
    of: { context: EncryptionContext },
    message: Blob | ReadableStream<Bytes>,
    options?: CallOptions,
  ): Promise<ReadableStream<Bytes>>;
}
export type CallOptions = { signal?: AbortSignal };

/**
 * A client of whoever answers the service contract.
 *
 * @example
 * const { fetch } = serviceFetch({ socket: "/run/coffer/sidecar.sock" }, identity, "CN=sidecar");
 * const service = createServiceClient({ url: "https://sidecar", fetch });
 * const { message } = await service.call("encrypt", { key: edk, context: { purpose: "data" }, data });
 */
export function createServiceClient({ url, fetch: send = fetch }: ServiceClientOptions): ServiceClient {
  const base = url.replace(/\/$/, "");
  const request = async (
    { method, path }: ServiceRoute,
    query: Record<string, string>,
    init: RequestInit & { duplex?: "half" },
  ): Promise<Response> => {
    const search = new URLSearchParams(query).toString();
    const signal = init.signal ?? null;
    const response = await send(`${base}${path}${search && `?${search}`}`, { ...init, method }).catch(
      (cause: unknown) => {
        if (signal?.aborted) throw signal.reason;
        throw new CofferError("offline", { cause });
      },
    );
    if (!response.ok) throw await refusedBy(response);
    return response;
  };
  const stream = async (
    id: "seal" | "open",
    query: Record<string, string>,
    source: Blob | ReadableStream<Bytes>,
    { signal }: CallOptions = {},
  ) => {
    const headers = { "content-type": "application/octet-stream" };
    const init = { headers, body: source, ...(signal && { signal }), duplex: "half" as const };
    return streamOf(await request(service[id], query, init));
  };
  const call = async <T>(
    { answer, ...route }: ServiceRoute,
    asked: unknown,
    { signal }: CallOptions = {},
  ): Promise<T> => {
    if (!("json" in answer)) throw new TypeError("a stream is no call");
    const json = asked !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(asked),
    };
    const response = await request({ answer, ...route }, {}, { ...json, ...(signal && { signal }) });
    return jsonAnswer(answer.status, answer.json as Shape<T>, JSON_LIMIT)(response);
  };
  return {
    call: (id, ...[asked, options]) => call(service[id], asked, options),
    operate: (operation, asked, options) => call(service[operation], asked, options),
    seal: ({ key, context }, plain, options) =>
      stream("seal", { key, context: textOf(context) }, plain, options),
    open: ({ context }, message, options) => stream("open", { context: textOf(context) }, message, options),
  };
}

function textOf(context: EncryptionContext): string {
  return encodeBase64url(utf8(JSON.stringify(context)));
}
