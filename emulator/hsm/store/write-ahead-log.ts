import { close, fdatasync, fdatasyncSync, fstatSync, openSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";

const fdatasyncAsync = promisify(fdatasync);
/** A disk that takes less (ms) is waited for when one change waits: another thread would take longer. With several, more come. */
const QUICK = 1;

const FIRST = 256 * 1024;
const STEP = 4 * 1024 * 1024;
/** SQLite starts over at the log's start when it has been copied to the database, before it is this long. */
const MAX_LOG_BYTES = 32 * 1024 * 1024;

/**
 * Brings SQLite's write-ahead log to the disk: one sync covers all changes that were made before it began, whichever
 * connection they came from. While a slow disk works, others are served.
 *
 * The file is made longer ahead of time, with zeros, which are no valid frames (SQLite file format §4.1): a sync that only
 * overwrites needs no change of the file system's own records, and is several times as fast. A length is kept
 * until the last connection closes.
 */
export class WriteAheadLog {
  #path: string;
  #write: () => boolean;
  #file: number | undefined;
  #allocated = 0;
  #changed = 0;
  #synced = 0;
  #running: Promise<void> | undefined;
  #failed: Error | undefined;
  /** What a sync has taken lately (ms). */
  #usual = 0;

  /** `path` is the log's; `write` ends the transaction that is open, which writes what changed to the log, and says whether anything did. */
  constructor(path: string, write: () => boolean) {
    this.#path = path;
    this.#write = write;
  }

  /** Throws when something failed before: what is on the disk is unknown. */
  check(): void {
    if (this.#failed) throw new Error("The HSM's store can no longer be written", { cause: this.#failed });
  }

  get hasFailed(): boolean {
    return this.#failed !== undefined;
  }

  /** To be called with each change. */
  changed(): void {
    this.#changed++;
  }

  /** To be called when changes were lost: nothing that waits for them, or comes after, is durable. */
  fail(error: Error): void {
    this.#failed ??= error;
  }

  /** Resolves when all that was changed before the call is on the disk. */
  async synced(): Promise<void> {
    const wanted = this.#changed;
    while (this.#synced < wanted) {
      this.check();
      this.#running ??= this.#sync();
      await this.#running;
    }
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    // A file that is being synced must not be closed under it.
    if (file === undefined) return;
    const end = () => close(file);
    void Promise.resolve(this.#running).then(end, end);
  }

  async #sync(): Promise<void> {
    try {
      // Requests that have arrived are executed first and share the sync.
      await setImmediate();
      const covered = this.#changed;
      if (this.#write()) {
        const file = this.#lengthened();
        const began = performance.now();
        if (this.#usual < QUICK && covered - this.#synced === 1) fdatasyncSync(file);
        else await fdatasyncAsync(file);
        this.#usual += (performance.now() - began - this.#usual) / 8;
      }
      this.check();
      this.#synced = covered;
    } catch (error) {
      this.fail(error as Error);
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  /** No transaction is under way, so nothing is written over. */
  #lengthened(): number {
    this.#file ??= openSync(this.#path, "r+");
    const { size } = fstatSync(this.#file);
    if (size <= this.#allocated || size > MAX_LOG_BYTES) return this.#file;
    const length = Math.min(Math.max(size, FIRST), STEP);
    writeSync(this.#file, new Uint8Array(length), 0, length, size);
    this.#allocated = size + length;
    return this.#file;
  }
}
