/** The REST client: every request carries a DPoP proof, and is tried again where that is safe. */

import { jsonAnswer } from "#protocol/answer.ts";
import { CofferError } from "#protocol/error.ts";
import { type Delay, Patience } from "#protocol/patience.ts";
import { anything, type Shape } from "#protocol/shape.ts";
import { asMaybeDone, isTransient, isUndone } from "./error.ts";
import { errorFrom } from "./problem.ts";
import type { CustodianSession } from "./session.ts";
import type { StepListener } from "./steps.ts";

export { type Delay, delay } from "#protocol/patience.ts";

/** What a request may carry. `json` and `body` exclude each other. */
export interface RequestOptions {
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Told how long the request waits because the server asked to come later. */
  onWait?: ((milliseconds: number) => void) | undefined;
  /**
   * Tries in all after failures that may pass. Default 3 for GET, PUT and DELETE, 1 for POST; more for a POST that the edge
   * answers again as the first time.
   */
  tries?: number;
}

/** What a JSON answer has to be like. */
export interface JsonOptions<T> extends RequestOptions {
  shape: Shape<T>;
  /** Default 200. */
  status?: number;
}

/** Sends authorized requests to the app's own origin. */
export class RestClient {
  readonly #origin: string;
  readonly #session: Pick<CustodianSession, "authorize" | "learn">;
  readonly #fetch: typeof fetch;
  readonly #delay: Delay;
  readonly #onWait: ((milliseconds: number) => void) | undefined;
  readonly #onStep: StepListener | undefined;

  constructor(options: {
    origin: string;
    session: Pick<CustodianSession, "authorize" | "learn">;
    fetch: typeof fetch;
    delay: Delay;
    /** Called with how long a request waits because the server asked to retry later. */
    onWait?: ((milliseconds: number) => void) | undefined;
    /** Told of each request. */
    onStep?: StepListener | undefined;
  }) {
    this.#origin = options.origin;
    this.#session = options.session;
    this.#fetch = options.fetch;
    this.#delay = options.delay;
    this.#onWait = options.onWait;
    this.#onStep = options.onStep;
  }

  /** The JSON of a successful answer, if it has the status and the shape that is due. Errors as of `send`. */
  json<T>(method: string, path: string, options: JsonOptions<T>): Promise<T>;
  /** The same of any shape: unknown until somebody looks. */
  json(method: string, path: string, options?: RequestOptions): Promise<unknown>;
  json(method: string, path: string, options: Partial<JsonOptions<unknown>> = {}): Promise<unknown> {
    const { shape, status, ...request } = options;
    const due = shape ? (status ?? 200) : status;
    return this.send(method, path, request, jsonAnswer(due, shape ?? anything));
  }

  /**
   * What `read` makes of a successful response (2xx). A body that breaks off, and one that is not what was due
   * (`unexpected-response`), count as failures of the way and are tried again. What the server refused for the number of
   * requests (429) was not done: it is sent again when the server says, whatever the method. Errors: `CofferError` with the
   * code of the problem document, or `offline`; the signal's reason when it aborts. Unless every try was refused, the error
   * of a request that changes something says `maybeDone`.
   */
  async send<T>(
    method: string,
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const tries = options.tries ?? (method === "POST" ? 1 : 3);
    const patience = new Patience();
    let failures = 0;
    let maybeDone = false;
    for (;;) {
      try {
        const response = await this.#authorized(method, path, options);
        return await read(response).catch((cause: unknown) => {
          throw cause instanceof CofferError ? cause : new CofferError("offline", { cause });
        });
      } catch (error) {
        options.signal?.throwIfAborted();
        maybeDone ||= method !== "GET" && !isUndone(error);
        const told = maybeDone && error instanceof CofferError ? asMaybeDone(error) : error;
        if (isRefusedForNumber(error)) {
          await this.#wait(patience.next(error.retryAfter), told, options);
          continue;
        }
        if (++failures >= tries || !isTransient(error)) throw told;
        if (isOutOfService(error)) await this.#wait(patience.next(error.retryAfter), told, options);
        else await this.#delay(250 * 2 ** failures * (0.5 + Math.random()), options.signal);
      }
    }
  }

  async #wait(wait: number | undefined, told: unknown, { onWait, signal }: RequestOptions): Promise<void> {
    if (wait === undefined) throw told;
    this.#onWait?.(wait);
    onWait?.(wait);
    await this.#delay(wait, signal);
  }

  /** One request; a refused token or a new nonce is answered once with another proof. */
  async #authorized(method: string, path: string, options: RequestOptions): Promise<Response> {
    let renew = false;
    for (let attempt = 0; ; attempt++) {
      const response = await this.#once(method, path, options, renew);
      const renonced = this.#session.learn(response);
      if (response.ok) return response;
      if (response.status !== 401 || attempt > 0) throw await errorFrom(response);
      // Drained so that the connection is free; why it was refused does not matter here.
      await response.body?.cancel();
      renew = !renonced;
    }
  }

  async #once(method: string, path: string, options: RequestOptions, renew: boolean): Promise<Response> {
    const url = new URL(path, this.#origin).href;
    const headers: Record<string, string> = { accept: "application/json", ...options.headers };
    let body = options.body;
    if (options.json !== undefined) {
      headers["content-type"] = "application/json";
      body = JSON.stringify(options.json);
    }
    Object.assign(headers, await this.#session.authorize(method, url, renew));
    const [at, began] = [Date.now(), performance.now()];
    const tell = (status: number, timing: string | null) =>
      this.#onStep?.({
        ...{ step: "server", what: `${method} ${new URL(url).pathname}`, at },
        // The clock may be set back meanwhile.
        ...{ ms: Math.round(performance.now() - began), status, timing: timing ?? "" },
      });
    try {
      const response = await this.#fetch(url, {
        method,
        headers,
        body: body ?? null,
        signal: options.signal ?? null,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      });
      tell(response.status, response.headers.get("server-timing"));
      return response;
    } catch (cause) {
      tell(0, null);
      options.signal?.throwIfAborted();
      throw new CofferError("offline", { cause });
    }
  }
}

function isRefusedForNumber(error: unknown): error is CofferError {
  return error instanceof CofferError && error.status === 429;
}

/** It says itself when to come again. */
function isOutOfService(error: unknown): error is CofferError {
  return error instanceof CofferError && error.status === 503 && error.retryAfter !== undefined;
}
