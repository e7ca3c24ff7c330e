/** The transfers under way: a few at a time, the others wait, each can be cancelled and tried again. */

import { CofferError, isAbort, type Progress } from "#web/browser/index.ts";
import { calmly } from "./calm.ts";
import type { Link } from "./chain.ts";
import { formatNumber } from "./format.ts";
import { NOT_AGAIN } from "./lot.ts";
import { type CofferTransfer, type Counted, type Direction, LINKS } from "./transfer-row.ts";
import type { CofferWaiting } from "./waiting-row.ts";
import { t } from "./words.ts";

/** Documents under way at a time. A large one already keeps several parts under way. */
const AT_ONCE = 4;
/** The same of short ones, which wait for answers most of the time. */
const SHORT_AT_ONCE = 8;
/** Rows of those that wait; how many more there are is said in one line. */
const WAITING_ROWS = 4;
/** What is over sooner has no row: it would only flicker. Milliseconds. */
const BRIEF = 1000;
/** Between two changes of what stands for many. Milliseconds. */
const CALM = 250;

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
  /** Of a short document that is sealed: `brief`, and where many of them wait one row counts them. */
  short?: boolean;
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
  /** How far it is, said or not. */
  far?: Progress | Counted;
  ended: (through: boolean) => void;
};

export class Transfers {
  readonly #list: HTMLElement;
  readonly #short: (sealed: number) => void;
  /** Those that wait for their turn, in order; the first few have rows. */
  readonly #waiting = new Set<Entry>();
  readonly #rows = new Set<CofferTransfer>();
  readonly #underWay = new Set<Entry>();
  /** Short ones since there was none: those that went through, and all that are not cancelled. */
  #counted = { sealed: 0, ended: 0, all: 0 };
  #countedRow: CofferTransfer | undefined;
  readonly #tell: () => void;
  readonly #count = calmly(CALM, () => this.#showCounted());
  readonly #more: CofferWaiting;
  #running = 0;

  /** Rows go into `list`; `changed` is told which links of the chain are at work, and `short` how many short ones that had one row are sealed. */
  constructor(
    list: HTMLElement,
    { changed, short }: { changed: (working: Set<Link>) => void; short: (sealed: number) => void },
  ) {
    this.#list = list;
    this.#short = short;
    this.#tell = calmly(CALM, () => changed(new Set([...this.#working()])));
    this.#more = document.createElement("coffer-waiting") as CofferWaiting;
    this.#more.onCancel = () => this.#cancelWaiting();
  }

  /** Transfers that have not ended. */
  get active(): number {
    return this.#running + this.#waiting.size;
  }

  /** Whether one row stands for many short ones. */
  get counts(): boolean {
    return this.#countedRow !== undefined;
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
      const entry: Entry = {
        ...{ task, cancelled: new AbortController(), row: undefined, ended },
      };
      if (task.short) this.#counted.all++;
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
    for (const { cancelled } of this.#underWay) cancelled.abort();
    for (const row of [...this.#rows]) this.#drop(row);
  }

  #cancelWaiting(which: (entry: Entry) => boolean = () => true): void {
    for (const entry of [...this.#waiting].filter(which)) this.#leave(entry);
    this.#showMore();
  }

  /** It has not begun, and will not. */
  #leave(entry: Entry): void {
    this.#waiting.delete(entry);
    entry.cancelled.abort();
    if (entry.row) this.#drop(entry.row);
    if (entry.task.short) {
      this.#counted.all--;
      this.#count();
    }
    entry.ended(false);
  }

  /** Begins what has its turn, and shows the first of those that wait. */
  #next(): void {
    for (const entry of this.#waiting) {
      if (this.#running >= (entry.task.short ? SHORT_AT_ONCE : AT_ONCE)) break;
      this.#waiting.delete(entry);
      this.#begin(entry);
    }
    let shown = 0;
    for (const entry of this.#waiting) {
      if (entry.task.short) this.#count();
      else if (++shown > WAITING_ROWS) break;
      else this.#show(entry);
    }
    this.#showMore();
  }

  /** One row for all short ones, from when some of them have to wait until none is left. */
  #showCounted(): void {
    const { sealed, ended, all } = this.#counted;
    const waits = [...this.#waiting].some(({ task }) => task.short);
    if (ended >= all) {
      this.#counted = { sealed: 0, ended: 0, all: 0 };
      if (!this.#countedRow) return;
      this.#drop(this.#countedRow);
      this.#countedRow = undefined;
      this.#short(sealed);
      return;
    }
    if (!this.#countedRow && !waits) return;
    this.#countedRow ??= this.#row();
    const count = formatNumber(all);
    this.#countedRow.begin("seal", t("{count} documents", { count }), "", { kind: count });
    this.#countedRow.progress({ step: "sealing", done: ended, count: all }, performance.now());
    // What has begun is over soon.
    this.#countedRow.onCancel = () => this.#cancelWaiting(({ task }) => task.short === true);
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
    if (entry.far) row.progress(entry.far, performance.now());
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
    const brief = task.brief || task.short;
    const shown = brief ? setTimeout(() => cancelled.signal.aborted || this.#show(entry), BRIEF) : undefined;
    if (!brief) this.#show(entry);
    this.#underWay.add(entry);
    let through = false;
    try {
      await task.run(cancelled.signal, (progress) => {
        if (!cancelled.signal.aborted) entry.row?.progress(progress, performance.now());
        entry.far = progress;
        this.#tell();
      });
      if (entry.row) this.#drop(entry.row);
      through = true;
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      clearTimeout(shown);
      this.#underWay.delete(entry);
      this.#running--;
      if (task.short) {
        this.#counted.ended++;
        if (through) this.#counted.sealed++;
        this.#count();
      }
      this.#next();
      this.#tell();
      entry.ended(through);
    }
  }

  #failed(entry: Entry, error: unknown): void {
    const { task, cancelled } = entry;
    // Not the person's own end: a browser refuses a file in this way, say.
    const failure = isAbort(error) ? new CofferError("internal", { cause: error }) : error;
    const code = failure instanceof CofferError ? failure.code : undefined;
    const paused = code === "paused";
    if (cancelled.signal.aborted && code !== "unknown-whether-stored" && !paused) {
      if (entry.row) this.#drop(entry.row);
      return;
    }
    const row = this.#show(entry);
    if (paused) row.pause();
    else {
      const again = task.again && !(code !== undefined && NOT_AGAIN.has(code));
      row.fail(failure, again, task.failure?.(failure));
    }
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
    const more = [...this.#waiting].filter(({ task }) => !task.short).length - WAITING_ROWS;
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

  *#working(): Generator<Link, void> {
    for (const row of this.#rows) yield* row.working;
    for (const { row, far } of this.#underWay) if (!row) yield* LINKS[far?.step ?? "waiting"];
  }
}
