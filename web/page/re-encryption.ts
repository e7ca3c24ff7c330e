/** Re-encryption of all of an account in the background of the page: goes on after a reload, in one tab at a time. */

import { type Coffer, isAbort, type ReEncryptProgress } from "#web/browser/index.ts";

export type ReEncryptionState = { account: string; progress: ReEncryptProgress | undefined; error?: unknown };

export class ReEncryption {
  readonly #coffer: Coffer;
  readonly #changed: (state: ReEncryptionState | undefined) => void;
  #stop: AbortController | undefined;
  state: ReEncryptionState | undefined;

  /** `changed` is told of every step, and with undefined of the end. */
  constructor(coffer: Coffer, changed: (state: ReEncryptionState | undefined) => void) {
    this.#coffer = coffer;
    this.#changed = changed;
  }

  /** What an earlier load of the page had begun. */
  resume(accounts: readonly string[]): void {
    const account = accounts.find((id) => localStorage.getItem(keyOf(id)) !== null);
    if (account !== undefined) void this.#run(account, true);
  }

  start(account: string): Promise<void> {
    return this.#run(account, false);
  }

  async #run(account: string, begun: boolean): Promise<void> {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#tell({ account, progress: undefined });
    try {
      // Another tab that is at it already goes on alone. What was begun waits for it: the page that was left by a reload may hold the
      // lock for a moment more, and then nobody would go on.
      const how = begun ? { signal: stop.signal } : { ifAvailable: true };
      await navigator.locks.request(`coffer-re-encrypt ${account}`, how, async (lock) => {
        const finished = begun && localStorage.getItem(keyOf(account)) === null;
        if (lock && !finished) await this.#work(account, stop.signal);
      });
      this.#tell(undefined);
    } catch (error) {
      if (isAbort(error)) this.#tell(undefined);
      else this.#tell({ account, progress: this.state?.progress, error });
    } finally {
      this.#stop = undefined;
    }
  }

  /** For good: a reload does not go on with it. What was sealed again stays so. */
  stop(): void {
    if (this.state) localStorage.removeItem(keyOf(this.state.account));
    this.#stop?.abort();
  }

  /** Until the page is loaded again, or somebody signs in again. */
  halt(): void {
    this.#stop?.abort();
  }

  async #work(account: string, signal: AbortSignal): Promise<void> {
    const kept = Date.parse(localStorage.getItem(keyOf(account)) ?? "");
    await this.#coffer.reEncryptAll(account, {
      ...(Number.isNaN(kept) ? {} : { before: new Date(kept) }),
      signal,
      onProgress: (progress) => {
        if (signal.aborted) return;
        localStorage.setItem(keyOf(account), progress.before.toISOString());
        this.#tell({ account, progress: { ...progress } });
      },
    });
    localStorage.removeItem(keyOf(account));
  }

  #tell(state: ReEncryptionState | undefined): void {
    this.state = state;
    this.#changed(state);
  }
}

/** Where the time is kept up to which documents are sealed again; nothing of them. */
function keyOf(account: string): string {
  return `coffer-re-encrypt ${account}`;
}
