/** The transfers under way: a few at a time, the others wait, each can be cancelled and tried again. */

import { CofferError, isAbort, type Progress } from "#web/browser/index.ts";
import type { Link } from "./chain.ts";
import type { CofferTransfer, Counted, Direction } from "./transfer-row.ts";
import type { CofferWaiting } from "./waiting-row.ts";

/** Documents under way at a time. A large one already keeps several parts under way. */
const AT_ONCE = 4;
/** Rows of those that wait; how many more there are is said in one line. */
const WAITING_ROWS = 4;
/** What is over sooner has no row: it would only flicker. Milliseconds. */
const BRIEF = 400;

/** What is to be done, and how it is called. */
export interface Task {
  direction: Direction;
  name: string;
  type: string;
  run: (signal: AbortSignal, onProgress: (progress: Progress | Counted) => void) => Promise<void>;
  /** Whether it can be tried again after a failure; a save cannot ask for its place without a new press. */
  again: boolean;
  /** Whether what was sent stays when it is paused or fails, and `run` goes on with it. */
  pausable?: boolean;
  /** What was sent is to go: the person does not want to go on. */
  discard?: () => void;
  /** Begun at once, however many wait for their turn. `brief`: its row comes when it takes a while. */
  atOnce?: boolean;
  brief?: boolean;
  /** Letters of its badge, where they are not the kind of its name. */
  kind?: string;
  /** What is said of a failure, where it is not the failure's own sentence. */
  failure?: (error: unknown) => string;
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

type Entry = {
  task: Task;
  cancelled: AbortController;
  row: CofferTransfer | undefined;
  ended: (through: boolean) => void;
};

export class Transfers {
  readonly #list: HTMLElement;
  readonly #changed: (working: Set<Link>) => void;
  /** Those that wait for their turn, in order; the first few have rows. */
  readonly #waiting = new Set<Entry>();
  readonly #rows = new Set<CofferTransfer>();
  readonly #underWay = new Set<AbortController>();
  readonly #more: CofferWaiting;
  #running = 0;

  /** Rows go into `list`; `changed` is told which links of the chain are at work. */
  constructor(list: HTMLElement, changed: (working: Set<Link>) => void) {
    this.#list = list;
    this.#changed = changed;
    this.#more = document.createElement("coffer-waiting") as CofferWaiting;
    this.#more.onCancel = () => this.#cancelWaiting();
  }

  /** Transfers that have not ended. */
  get active(): number {
    return this.#running + this.#waiting.size;
  }

  /** Shows an upload that was stopped before. Returns what takes its row away. */
  stopped({ name, type, sent, total, onChoose, onRemove }: Stopped): () => void {
    const row = this.#row();
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
  add(task: Task): Promise<boolean> {
    return new Promise((ended) => {
      const entry: Entry = { task, cancelled: new AbortController(), row: undefined, ended };
      if (task.atOnce) return void this.#begin(entry);
      this.#waiting.add(entry);
      this.#next();
    });
  }

  /** The server asked this page to come later: said in each row at work, since all share the user's bound. */
  wait(milliseconds: number): void {
    for (const row of this.#rows) row.wait(milliseconds);
  }

  /** Cancels everything, for example when the sign-in ends. */
  cancel(): void {
    this.#cancelWaiting();
    for (const controller of this.#underWay) controller.abort();
    for (const row of [...this.#rows]) this.#drop(row);
  }

  #cancelWaiting(): void {
    for (const entry of [...this.#waiting]) this.#leave(entry);
    this.#showMore();
  }

  /** It has not begun, and will not. */
  #leave(entry: Entry): void {
    this.#waiting.delete(entry);
    entry.cancelled.abort();
    if (entry.row) this.#drop(entry.row);
    entry.ended(false);
  }

  /** Begins what has its turn, and shows the first of those that wait. */
  #next(): void {
    for (const entry of this.#waiting) {
      if (this.#running >= AT_ONCE) break;
      this.#waiting.delete(entry);
      this.#begin(entry);
    }
    let shown = 0;
    for (const entry of this.#waiting) {
      if (++shown > WAITING_ROWS) break;
      this.#show(entry);
    }
    this.#showMore();
  }

  #begin(entry: Entry): void {
    this.#running++;
    void this.#run(entry);
  }

  #show(entry: Entry): CofferTransfer {
    if (entry.row) return entry.row;
    const { task, cancelled } = entry;
    const row = this.#row();
    entry.row = row;
    const { pausable = false, kind } = task;
    row.begin(task.direction, task.name, task.type, { pausable, ...(kind !== undefined && { kind }) });
    row.onPause = () => cancelled.abort(new CofferError("paused"));
    row.onCancel = () => {
      if (this.#waiting.has(entry)) {
        this.#leave(entry);
        return this.#next();
      }
      cancelled.abort();
      this.#drop(row);
    };
    return row;
  }

  async #run(entry: Entry): Promise<void> {
    const { task, cancelled } = entry;
    const shown = task.brief
      ? setTimeout(() => cancelled.signal.aborted || this.#show(entry), BRIEF)
      : undefined;
    if (!task.brief) this.#show(entry);
    this.#underWay.add(cancelled);
    let through = false;
    try {
      await task.run(cancelled.signal, (progress) => {
        if (!cancelled.signal.aborted) entry.row?.progress(progress, performance.now());
        this.#tell();
      });
      if (entry.row) this.#drop(entry.row);
      through = true;
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      clearTimeout(shown);
      this.#underWay.delete(cancelled);
      this.#running--;
      this.#next();
      this.#tell();
      entry.ended(through);
    }
  }

  #failed(entry: Entry, error: unknown): void {
    const { task, cancelled } = entry;
    // To seal once more what may be stored would make two of it.
    const code = error instanceof CofferError ? error.code : undefined;
    const unknown = code === "unknown-whether-stored";
    const paused = code === "paused";
    if (!unknown && !paused && (cancelled.signal.aborted || isAbort(error))) {
      if (entry.row) this.#drop(entry.row);
      return;
    }
    const row = this.#show(entry);
    if (paused) row.pause();
    else row.fail(error, task.again && !unknown && code !== "another-file", task.failure?.(error));
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

  #row(): CofferTransfer {
    const row = document.createElement("coffer-transfer") as CofferTransfer;
    this.#rows.add(row);
    const item = document.createElement("li");
    item.append(row);
    this.#list.insertBefore(item, this.#more.isConnected ? this.#more.closest("li") : null);
    this.#list.hidden = false;
    return row;
  }

  #showMore(): void {
    const more = this.#waiting.size - WAITING_ROWS;
    if (more <= 0) return void this.#more.closest("li")?.remove();
    if (!this.#more.isConnected) {
      const item = document.createElement("li");
      item.append(this.#more);
      this.#list.append(item);
    }
    this.#more.count = more;
  }

  #drop(row: CofferTransfer): void {
    this.#rows.delete(row);
    row.closest("li")?.remove();
    this.#list.hidden = this.#rows.size === 0;
    this.#tell();
  }

  #tell(): void {
    this.#changed(new Set([...this.#rows].flatMap((row) => row.working)));
  }
}
