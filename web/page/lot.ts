/** Many documents as one transfer: a few of them at a time, one row that says how many are done, and one press that ends it. */

import { CofferError, type Document, type ErrorCode, isAbort } from "#web/browser/index.ts";
import type { Counted } from "./transfer-row.ts";

/** Documents of one lot under way at a time. */
const AT_ONCE = 4;
/** What the next document would meet as well. */
const FOR_ALL: ReadonlySet<ErrorCode> = new Set([
  ...(["signed-out", "no-session", "invalid-token", "offline", "pending-deletion"] as const),
  ...(["too-many-requests", "vault-unreachable", "port-closed", "hsm-unavailable"] as const),
]);

/** What is no better tried again: to seal once more what may be stored would make two of it, and what has been replaced is to be looked at first. */
export const NOT_AGAIN: ReadonlySet<ErrorCode> = new Set([
  ...(["unknown-whether-stored", "another-file", "document-replaced"] as const),
]);

/** What failed, where it is not the person's own end: a browser refuses a file by an `AbortError`, say. */
export function asFailure(error: unknown): unknown {
  return isAbort(error) ? new CofferError("internal", { cause: error }) : error;
}

/** What is done with each document. `onBytes` takes how many bytes of it are done; what does not look at `signal` ends by itself. */
export type Work = (
  document: Document,
  means: { signal: AbortSignal; onBytes: (bytes: number) => void },
) => Promise<void>;

export class Lot {
  readonly #step: Counted["step"];
  readonly #work: Work;
  readonly #left: Set<Document>;
  readonly #done: Document[] = [];
  readonly #failed = new Map<Document, unknown>();
  /** Bytes of the whole, where the work counts them. */
  readonly #total: number | undefined;
  readonly count: number;

  constructor(step: Counted["step"], documents: readonly Document[], work: Work) {
    this.#step = step;
    this.#work = work;
    this.#left = new Set(documents);
    this.count = this.#left.size;
    this.#total =
      step === "saving" ? documents.reduce((sum, { metadata }) => sum + (metadata?.size ?? 0), 0) : undefined;
  }

  /** Those that are done, in the order in which they were. */
  get done(): readonly Document[] {
    return this.#done;
  }

  /** Those that failed when it was run last, each with why. */
  get failed(): ReadonlyMap<Document, unknown> {
    return this.#failed;
  }

  /** Bytes of all of them, where they are what takes the time. */
  get size(): number | undefined {
    return this.#total;
  }

  /**
   * Works through those that are not done yet; `signal` has no more begun. A document that fails keeps none of the others, unless they would fail
   * alike. Throws the first failure in the end; asked again, it goes on with what is left.
   */
  async run(signal: AbortSignal, tell: (counted: Counted) => void): Promise<void> {
    const failed = this.#failed;
    failed.clear();
    let stopped = false;
    let ended = this.#done.reduce((sum, { metadata }) => sum + (metadata?.size ?? 0), 0);
    const underWay = new Map<Document, number>();
    const say = () => {
      let bytes = ended;
      for (const each of underWay.values()) bytes += each;
      const far = this.#total === undefined ? {} : { bytes, total: this.#total };
      tell({ step: this.#step, done: this.#done.length, count: this.count, ...far });
    };
    const next = [...this.#left].values();
    const work = async () => {
      for (const document of next) {
        if (stopped || signal.aborted) return;
        try {
          const onBytes = (bytes: number) => {
            underWay.set(document, bytes);
            say();
          };
          await this.#work(document, { signal, onBytes });
          this.#left.delete(document);
          this.#done.push(document);
          ended += document.metadata?.size ?? 0;
        } catch (error) {
          if (signal.aborted) return;
          failed.set(document, asFailure(error));
          stopped ||= error instanceof CofferError && FOR_ALL.has(error.code);
        } finally {
          underWay.delete(document);
          say();
        }
      }
    };
    say();
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    signal.throwIfAborted();
    // One that can be tried again has the others tried again too.
    const failures = [...failed.values()];
    const [first] = failures;
    if (failures.length > 0)
      throw failures.find((each) => !(each instanceof CofferError && NOT_AGAIN.has(each.code))) ?? first;
  }
}
