/** One load for all that wait for it. */

type Loading<T> = { value: Promise<T>; settled: boolean; waiting: number; abort: AbortController };

/** Loads when it is first asked, and keeps what came; after a failure the next one who asks begins again. */
export class SharedLoad<T> {
  readonly #load: (signal: AbortSignal) => Promise<T>;
  #loading: Loading<T> | undefined;

  constructor(load: (signal: AbortSignal) => Promise<T>) {
    this.#load = load;
  }

  /** A waiter's signal ends its waiting, with the signal's reason; the load ends when nobody waits for it any more. */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#loading ??= this.#begin();
    const loading = this.#loading;
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    loading.waiting++;
    try {
      return await Promise.race([loading.value, givenUp]);
    } finally {
      signal.removeEventListener("abort", giveUp);
      loading.waiting--;
      if (loading.waiting === 0 && !loading.settled) {
        this.#drop(loading);
        loading.abort.abort(signal.reason);
      }
    }
  }

  #begin(): Loading<T> {
    const abort = new AbortController();
    const loading = { value: this.#load(abort.signal), settled: false, waiting: 0, abort };
    loading.value.then(
      () => {
        loading.settled = true;
      },
      () => {
        loading.settled = true;
        this.#drop(loading);
      },
    );
    return loading;
  }

  #drop(loading: Loading<T>): void {
    if (this.#loading === loading) this.#loading = undefined;
  }
}
