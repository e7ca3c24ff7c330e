/** The transfers under way: a few at a time, the others wait, each can be cancelled and tried again. */

import { CofferError, isAbort, type ProgressListener } from "#web/browser/index.ts";
import type { Link } from "./chain.ts";
import type { CofferTransfer, Direction } from "./transfer-row.ts";

/** Documents under way at a time. Each already keeps several parts under way. */
const AT_ONCE = 2;

/** What is to be done, and how it is called. */
export interface Task {
  direction: Direction;
  name: string;
  type: string;
  run: (signal: AbortSignal, onProgress: ProgressListener) => Promise<void>;
  /** Whether it can be tried again after a failure; a save cannot ask for its place without a new press. */
  again: boolean;
  /** Whether what was sent stays when it is paused or fails, and `run` goes on with it. */
  pausable?: boolean;
  /** What was sent is to go: the person does not want to go on. */
  discard?: () => void;
}

/** An upload of before that can be gone on with. */
export interface Stopped {
  name: string;
  type: string;
  sent: number;
  total: number;
  onChoose: () => void;
  onRemove: () => void;
}

export class Transfers {
  readonly #list: HTMLElement;
  readonly #changed: (working: Set<Link>) => void;
  readonly #waiting: (() => void)[] = [];
  readonly #rows = new Map<CofferTransfer, AbortController>();
  #running = 0;

  /** Rows go into `list`; `changed` is told which links of the chain are at work. */
  constructor(list: HTMLElement, changed: (working: Set<Link>) => void) {
    this.#list = list;
    this.#changed = changed;
  }

  /** Transfers that have not ended. */
  get active(): number {
    return this.#running + this.#waiting.length;
  }

  /** Shows an upload that was stopped before. Returns what takes its row away. */
  stopped({ name, type, sent, total, onChoose, onRemove }: Stopped): () => void {
    const row = this.#row(new AbortController());
    row.begin("seal", name, type);
    row.stopped({ sent, total });
    row.onRetry = onChoose;
    row.onCancel = () => {
      this.#drop(row);
      onRemove();
    };
    return () => this.#drop(row);
  }

  /** Runs a task when its turn comes. Resolves to whether it went through; failures are shown in its row. */
  async add(task: Task): Promise<boolean> {
    const cancelled = new AbortController();
    const row = this.#row(cancelled);
    row.begin(task.direction, task.name, task.type, { pausable: task.pausable ?? false });
    row.onPause = () => cancelled.abort(new CofferError("paused"));
    row.onCancel = () => {
      cancelled.abort();
      this.#drop(row);
    };
    await this.#turn();
    try {
      cancelled.signal.throwIfAborted();
      await task.run(cancelled.signal, (progress) => {
        if (!cancelled.signal.aborted) row.progress(progress, performance.now());
        this.#tell();
      });
      this.#drop(row);
      return true;
    } catch (error) {
      // To seal once more what may be stored would make two of it.
      const code = error instanceof CofferError ? error.code : undefined;
      const unknown = code === "unknown-whether-stored";
      const paused = code === "paused";
      if (!unknown && !paused && (cancelled.signal.aborted || isAbort(error))) this.#drop(row);
      else {
        if (paused) row.pause();
        else row.fail(error, task.again && !unknown && code !== "another-file");
        row.onRetry = () => {
          this.#drop(row);
          void this.add(task);
        };
        row.onCancel = () => {
          this.#drop(row);
          // A failure is dismissed, and what was sent can be gone on with after a reload; what was paused is removed.
          if (paused) task.discard?.();
        };
      }
      return false;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
      this.#tell();
    }
  }

  /** The server asked this page to come later: said in each row at work, since all share the user's bound. */
  wait(milliseconds: number): void {
    for (const row of this.#rows.keys()) row.wait(milliseconds);
  }

  /** Cancels everything, for example when the sign-in ends. */
  cancel(): void {
    for (const [row, controller] of this.#rows) {
      controller.abort();
      this.#drop(row);
    }
  }

  #row(cancelled: AbortController): CofferTransfer {
    const row = document.createElement("coffer-transfer") as CofferTransfer;
    this.#rows.set(row, cancelled);
    const item = document.createElement("li");
    item.append(row);
    this.#list.append(item);
    this.#list.hidden = false;
    return row;
  }

  async #turn(): Promise<void> {
    if (this.#running >= AT_ONCE) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#running++;
  }

  #drop(row: CofferTransfer): void {
    this.#rows.delete(row);
    row.closest("li")?.remove();
    this.#list.hidden = this.#rows.size === 0;
    this.#tell();
  }

  #tell(): void {
    this.#changed(new Set([...this.#rows.keys()].flatMap((row) => row.working)));
  }
}
