/** Patience with a server that asks to come again later: 429, or 503 with Retry-After (RFC 9110 §15.6.4, §10.2.3). */

/** How long a request that is asked to retry does so in all, before it fails. Milliseconds. */
const PATIENCE = 180_000;
/** A server that is out of service is asked so often again: it may have ended for good. */
const MAX_OUTAGES = 2;
/** Spread of those who were refused together, at most. Milliseconds. */
const SPREAD = 10_000;

/** Waits; rejects with the signal's reason when it aborts. Tests give one that does not wait. */
export type Delay = (milliseconds: number, signal?: AbortSignal) => Promise<void>;
/** Called with how long a request waits because the server asked to retry later. */
export type WaitListener = (milliseconds: number) => void;

/** How long one request has waited so far, and how long it should wait next. */
export class Patience {
  #waited = 0;
  #refusals = 0;
  #outages = 0;

  /** Milliseconds to wait after a refusal that asks for `asked`, never less than that; undefined when it lasts no longer. */
  next(asked?: number): number | undefined {
    const min = asked ?? 1000 * ++this.#refusals;
    const wait = min + Math.random() * Math.min(min / 2, SPREAD) + 250 * Math.random();
    this.#waited += wait;
    return this.#waited <= PATIENCE ? wait : undefined;
  }

  /**
   * The same for an answer; undefined also for one that does not ask to come again. What was refused for its number was not
   * done; a server out of service may have done a part, so `repeatable` says whether the request can be repeated.
   */
  after(response: Response, repeatable: boolean, now: number = Date.now()): number | undefined {
    const asked = retryAfter(response, now);
    if (response.status === 429) return this.next(asked);
    if (response.status !== 503 || asked === undefined || !repeatable) return undefined;
    return ++this.#outages <= MAX_OUTAGES ? this.next(asked) : undefined;
  }
}

/** Sends until the answer does not ask to come again, or patience ends: then that answer is the result. */
export async function patiently(
  send: () => Promise<Response>,
  options: { repeatable: boolean; delay: Delay; onWait?: WaitListener | undefined; signal?: AbortSignal },
): Promise<Response> {
  const { repeatable, delay, onWait, signal } = options;
  const patience = new Patience();
  for (;;) {
    const response = await send();
    const wait = patience.after(response, repeatable);
    if (wait === undefined) return response;
    await response.body?.cancel();
    onWait?.(wait);
    await delay(wait, signal);
  }
}

/** The delay of a clock. */
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

/** Milliseconds of a Retry-After header (RFC 9110 §10.2.3: seconds, or a date); undefined where there is none. */
export function retryAfter(response: Response, now: number): number | undefined {
  const text = response.headers.get("retry-after");
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const until = httpDate(text);
  // By the server's own clock where it sends it.
  const from = httpDate(response.headers.get("date"));
  return Number.isFinite(until) ? Math.max(0, until - (Number.isFinite(from) ? from : now)) : undefined;
}

/** Milliseconds of an HTTP date (RFC 9110 §5.6.7); NaN for anything else, and for a moment that does not exist. */
export function httpDate(text: string | null): number {
  const moment = Date.parse(text ?? "");
  return Number.isFinite(moment) && new Date(moment).toUTCString() === text ? moment : Number.NaN;
}
