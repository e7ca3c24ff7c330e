/** The REST client: every request carries a DPoP proof, and is tried again where that is safe. */

import { CofferError, isTransient } from "./error.ts";
import { errorFrom } from "./problem.ts";
import type { Session } from "./session.ts";

/** What a request may carry. `json` and `body` exclude each other. */
export interface RequestOptions {
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Tries in all after failures that may pass. Default 3 for GET, PUT and DELETE, 1 for POST, which may not be repeated. */
  tries?: number;
}

/** Waits; rejects with the signal's reason when it aborts. Tests give one that does not wait. */
export type Delay = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

/** Sends authorized requests to the app's own origin. */
export class RestClient {
  readonly #origin: string;
  readonly #session: Pick<Session, "authorize" | "learn">;
  readonly #fetch: typeof fetch;
  readonly #delay: Delay;

  constructor(options: {
    origin: string;
    session: Pick<Session, "authorize" | "learn">;
    fetch: typeof fetch;
    delay: Delay;
  }) {
    this.#origin = options.origin;
    this.#session = options.session;
    this.#fetch = options.fetch;
    this.#delay = options.delay;
  }

  /** The JSON of a successful answer. */
  json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return this.send(method, path, options, async (response) => {
      const text = await response.text();
      try {
        return JSON.parse(text) as T;
      } catch (cause) {
        throw new CofferError("unexpected-response", { cause });
      }
    });
  }

  /**
   * What `read` makes of a successful response (2xx); a body that breaks off counts as a failure of the way and is tried
   * again. Errors: `CofferError` with the code of the problem document, or `offline`; the signal's reason when it aborts.
   */
  async send<T>(
    method: string,
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const tries = options.tries ?? (method === "POST" ? 1 : 3);
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#authorized(method, path, options);
        return await read(response).catch((cause: unknown) => {
          throw cause instanceof CofferError ? cause : new CofferError("offline", { cause });
        });
      } catch (error) {
        options.signal?.throwIfAborted();
        if (attempt >= tries || !isTransient(error)) throw error;
        await this.#delay(250 * 2 ** attempt * (0.5 + Math.random()), options.signal);
      }
    }
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
    try {
      return await this.#fetch(url, {
        method,
        headers,
        body: body ?? null,
        signal: options.signal ?? null,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      });
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new CofferError("offline", { cause });
    }
  }
}

/** The delay of a browser. */
export const delay: Delay = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
