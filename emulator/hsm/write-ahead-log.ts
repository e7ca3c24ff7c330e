import { close, fdatasync, fstatSync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";

const FIRST = 256 * 1024;
const STEP = 4 * 1024 * 1024;
/** SQLite begins anew at the log's start when it has been copied to the database, before it is this long. */
const LONGEST = 32 * 1024 * 1024;

/**
 * Brings SQLite's write-ahead log to the disk, off the thread that serves: one sync covers all transactions that were
 * written before it began, whichever connection they came from.
 *
 * The file is made longer ahead of time, with zeros, which are no valid frames (SQLite file format §4.1): a sync that only
 * overwrites needs no change of the file system's own records, and is several times as fast. A length is kept
 * until the last connection closes.
 */
export class WriteAheadLog {
  #path: string;
  #file: number | undefined;
  #allocated = 0;
  #written = 0;
  #synced = 0;
  #running: Promise<void> | undefined;
  #failed: Error | undefined;

  /** `path` is the log's; it is there when the first transaction was written. */
  constructor(path: string) {
    this.#path = path;
  }

  /** To be called after each transaction, before the next. Throws when an earlier sync failed: what is on the disk is unknown. */
  written(): void {
    if (this.#failed) throw new Error("The HSM's store can no longer be written", { cause: this.#failed });
    this.#file ??= openSync(this.#path, "r+");
    this.#written++;
    const { size } = fstatSync(this.#file);
    if (size <= this.#allocated || size > LONGEST) return;
    // No transaction is under way, so nothing is written over.
    const length = Math.min(Math.max(size, FIRST), STEP);
    writeSync(this.#file, new Uint8Array(length), 0, length, size);
    this.#allocated = size + length;
  }

  /** Resolves when all that was written before the call is on the disk. */
  async synced(): Promise<void> {
    const wanted = this.#written;
    while (this.#synced < wanted) {
      this.#running ??= this.#sync();
      await this.#running;
    }
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    // A file that is being synced must not be closed under it.
    if (file !== undefined) void Promise.resolve(this.#running).finally(() => close(file));
  }

  async #sync(): Promise<void> {
    const covered = this.#written;
    try {
      await promisify(fdatasync)(this.#file!);
      this.#synced = covered;
    } catch (error) {
      this.#failed = error as Error;
      throw error;
    } finally {
      this.#running = undefined;
    }
  }
}
