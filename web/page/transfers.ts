/** The transfers under way: a few at a time, the others wait, each can be cancelled and tried again. */

import { CofferError, type Progress } from "#web/browser/index.ts";
import { calmly } from "./calm.ts";
import type { Link } from "./chain.ts";
import { formatNumber } from "./format.ts";
import { asFailure, NOT_AGAIN } from "./lot.ts";
import { Sum } from "./sum.ts";
import { type Came, emptyTally, sealedOf, type Tally } from "./tally.ts";
import { type CofferTransfer, type Counted, type Direction, type Failed, LINKS } from "./transfer-row.ts";
import { Trials } from "./trials.ts";
import type { CofferWaiting } from "./waiting-row.ts";
import { t } from "./words.ts";

/** Documents under way at a time that are not short. A large one already keeps several parts under way. */
const AT_ONCE = 4;
/** Documents of any size that are under way when no more short one begins: those wait for answers most of the time. */
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
  /** What became of a short one, once `run` has gone through. */
  came?: () => Came;
  /** Letters of its badge, where they are not the kind of its name. */
  kind?: string;
  /** Bytes of it, where they are what takes the time: several such ones are told together too. */
  size?: number;
  /** What is said of a failure, where it is not the failure's own sentence; and of each document, where there are several. */
  failure?: (error: unknown) => string | undefined;
  each?: () => readonly Failed[];
}

/** The page around them. */
export interface TransfersHost {
  /** Which links of the chain are at work. */
  changed(working: Set<Link>): void;
  /** All short ones that one row stood for have ended. */
  counted(tally: Tally): void;
  /** What had the focus is gone. */
  unfocused(): void;
}

/** An upload of before that can be gone on with. `again`: by a press, or by the file, which has to be chosen. */
export interface Stopped {
  name: string;
  type: string;
  sent: number;
  total: number;
  again: "on" | "choose";
  onAgain: () => void;
  onRemove: () => void;
}

type Entry = {
  task: Task;
  cancelled: AbortController;
  row: CofferTransfer | undefined;
  /** How far it is, said or not. */
  far?: Progress | Counted;
  /** Until when the server has it wait, of a steady clock; gone with the next progress. Milliseconds. */
  later?: number | undefined;
  /** Where a short one is counted. */
  among: Tally;
  /** All were cancelled: whose it was may be gone, so it is shown no more, whatever becomes of it. */
  gone?: true;
  ended: (through: boolean) => void;
};

export class Transfers {
  readonly #list: HTMLElement;
  readonly #host: TransfersHost;
  /** Those that wait for their turn, in order; of those that are not short the first few have rows. */
  readonly #waiting = new Set<Entry>();
  readonly #waitingShort = new Set<Entry>();
  readonly #rows = new Set<CofferTransfer>();
  /** Rows of what was sent in part and found no server any more. */
  readonly #offline = new Set<CofferTransfer>();
  readonly #trials = new Trials(() => {
    for (const row of [...this.#offline]) row.onRetry();
  });
  readonly #underWay = new Set<Entry>();
  #shortUnderWay = 0;
  /** Short ones since there was none. */
  #tally = emptyTally();
  #countedRow: CofferTransfer | undefined;
  readonly #sum = new Sum({ row: () => this.#row(true), drop: (row) => this.#drop(row) });
  readonly #tell: () => void;
  readonly #count = calmly(CALM, () => this.#showCounted());
  readonly #more: CofferWaiting;

  /** Rows go into `list`. */
  constructor(list: HTMLElement, host: TransfersHost) {
    this.#list = list;
    this.#host = host;
    this.#tell = calmly(CALM, () => host.changed(new Set([...this.#working()])));
    this.#more = document.createElement("coffer-waiting") as CofferWaiting;
    this.#more.onCancel = () => {
      this.#cancelWaiting(this.#waiting);
      this.#next();
    };
  }

  /** Transfers that have not ended. */
  get active(): number {
    return this.#underWay.size + this.#waiting.size + this.#waitingShort.size;
  }

  /** Whether one row stands for many short ones. */
  get counts(): boolean {
    return this.#countedRow !== undefined;
  }

  /** Shows an upload that was stopped before. Returns what takes its row away. */
  stopped({ name, type, sent, total, again, onAgain, onRemove }: Stopped): () => void {
    const row = this.#row();
    row.begin("seal", name, type);
    row.stopped({ sent, total, again });
    row.onRetry = onAgain;
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
        ...{ task, cancelled: new AbortController(), row: undefined, ended, among: this.#tally },
      };
      if (task.short) this.#tally.all++;
      else if (task.size) this.#sum.begin(entry, task.size);
      if (task.atOnce) return void this.#run(entry);
      this.#line(entry).add(entry);
      this.#next();
    });
  }

  /** The server asked this page to come later: said in each row at work, since all share the user's bound. */
  wait(milliseconds: number): void {
    const later = performance.now() + milliseconds;
    for (const row of this.#rows) row.wait(milliseconds);
    // The row of a short one may come while it lasts.
    for (const entry of this.#underWay) entry.later = later;
  }

  /** The network may be back: what was sent in part goes on. Where it never went, and the server did, it is tried now and then. */
  goOn(): void {
    this.#trials.now();
  }

  /** Cancels everything, for example when the sign-in ends. */
  cancel(): void {
    this.#setCountedRow(undefined);
    this.#tally = emptyTally();
    this.#trials.stop();
    this.#sum.clear();
    for (const line of [this.#waiting, this.#waitingShort]) this.#cancelWaiting(line);
    for (const entry of this.#underWay) {
      entry.gone = true;
      entry.cancelled.abort();
    }
    for (const row of [...this.#rows]) this.#drop(row);
  }

  #cancelWaiting(line: Set<Entry>): void {
    for (const entry of [...line]) this.#leave(entry);
    this.#showMore();
  }

  #line({ task }: Entry): Set<Entry> {
    return task.short ? this.#waitingShort : this.#waiting;
  }

  /** It has not begun, and will not. */
  #leave(entry: Entry): void {
    this.#line(entry).delete(entry);
    entry.cancelled.abort();
    this.#sum.end(entry, false);
    if (entry.row) this.#drop(entry.row);
    if (entry.task.short) {
      entry.among.all--;
      this.#count();
    }
    entry.ended(false);
  }

  /** Begins what has its turn, and shows the first of those that wait. */
  #next(): void {
    for (const entry of this.#waiting) {
      if (this.#underWay.size - this.#shortUnderWay >= AT_ONCE) break;
      this.#waiting.delete(entry);
      void this.#run(entry);
    }
    for (const entry of this.#waitingShort) {
      if (this.#underWay.size >= SHORT_AT_ONCE) break;
      this.#waitingShort.delete(entry);
      void this.#run(entry);
    }
    let shown = 0;
    for (const entry of this.#waiting) {
      if (++shown > WAITING_ROWS) break;
      this.#show(entry);
    }
    if (this.#countedRow || this.#waitingShort.size > 0) this.#count();
    this.#showMore();
  }

  /** One row for all short ones, from when some of several have to wait until none is left. */
  #showCounted(): void {
    const tally = this.#tally;
    const { all, failed } = tally;
    const done = sealedOf(tally);
    if (done + failed >= all) {
      this.#tally = emptyTally();
      const row = this.#countedRow;
      this.#setCountedRow(undefined);
      if (!row) return;
      this.#drop(row);
      this.#host.counted(tally);
      return;
    }
    const waits = this.#waitingShort.size > 0;
    if (!this.#countedRow && !waits) return;
    if (!this.#countedRow && all === 1) {
      for (const entry of this.#waitingShort) this.#show(entry);
      return;
    }
    const row = this.#countedRow ?? this.#setCountedRow(this.#row());
    const kind = formatNumber(all);
    row.begin("seal", all === 1 ? t("1 document") : t("{count} documents", { count: kind }), "", { kind });
    row.progress({ step: "sealing", done, count: all }, performance.now());
    // What has begun is over soon.
    if (!waits && row.contains(document.activeElement)) this.#host.unfocused();
    row.cancellable = waits;
    row.onCancel = () => {
      this.#cancelWaiting(this.#waitingShort);
      this.#showCounted();
    };
  }

  #setCountedRow<R extends CofferTransfer | undefined>(row: R): R {
    this.#countedRow = row;
    // Nothing moves without an end while many are sealed.
    this.#list.toggleAttribute("data-many", row !== undefined);
    return row;
  }

  #show(entry: Entry): CofferTransfer {
    if (entry.row) return entry.row;
    const { task, cancelled } = entry;
    const row = this.#row();
    entry.row = row;
    const { pausable = false, kind } = task;
    row.begin(task.direction, task.name, task.type, { pausable, ...(kind !== undefined && { kind }) });
    const now = performance.now();
    if (entry.far) row.progress(entry.far, now);
    if (entry.later !== undefined && entry.later > now) row.wait(entry.later - now);
    row.onPause = () => cancelled.abort(new CofferError("paused"));
    row.onCancel = () => {
      if (this.#line(entry).has(entry)) {
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
    if (task.short) this.#shortUnderWay++;
    let came: Came | "failed" | undefined;
    try {
      await task.run(cancelled.signal, (progress) => {
        if (!cancelled.signal.aborted) entry.row?.progress(progress, performance.now());
        entry.far = progress;
        entry.later = undefined;
        if (task.pausable && progress.step === "finishing") this.#trials.reached();
        if (progress.step !== "key" && progress.bytes !== undefined) this.#sum.far(entry, progress.bytes);
        this.#tell();
      });
      if (entry.row) this.#drop(entry.row);
      came = task.came?.() ?? "stored";
    } catch (error) {
      if (this.#failed(entry, error)) came = "failed";
    } finally {
      clearTimeout(shown);
      this.#underWay.delete(entry);
      this.#sum.end(entry, came !== undefined && came !== "failed");
      if (task.short) {
        this.#shortUnderWay--;
        if (came) entry.among[came]++;
        else entry.among.all--;
        this.#count();
      }
      this.#next();
      this.#tell();
      entry.ended(came !== undefined && came !== "failed");
    }
  }

  /** Answers whether it is a failure, and not the person's own end. */
  #failed(entry: Entry, error: unknown): boolean {
    if (entry.gone) return false;
    const { task, cancelled } = entry;
    const failure = asFailure(error);
    const code = failure instanceof CofferError ? failure.code : undefined;
    const paused = code === "paused";
    if (cancelled.signal.aborted && code !== "unknown-whether-stored" && !paused) {
      if (entry.row) this.#drop(entry.row);
      return false;
    }
    const row = this.#show(entry);
    if (paused) row.pause();
    else {
      const again = task.again && !(code !== undefined && NOT_AGAIN.has(code));
      row.fail(failure, again, task.failure?.(failure), task.each?.());
      if (code === "offline" && task.pausable) {
        this.#offline.add(row);
        this.#trials.failed();
      }
    }
    row.onRetry = () => {
      this.#drop(row);
      if (task.short) {
        entry.among.failed--;
        entry.among.all--;
      }
      void this.add(task);
    };
    row.onCancel = () => {
      this.#drop(row);
      // A failure is dismissed, and what was sent can be gone on with after a reload; what was paused is removed.
      if (paused) task.discard?.();
    };
    return true;
  }

  #row(first = false): CofferTransfer {
    const row = document.createElement("coffer-transfer") as CofferTransfer;
    this.#rows.add(row);
    const item = document.createElement("li");
    item.append(row);
    if (first) this.#list.prepend(item);
    else this.#list.insertBefore(item, this.#more.isConnected ? this.#more.closest("li") : null);
    this.#list.hidden = false;
    return row;
  }

  #showMore(): void {
    const more = this.#waiting.size - WAITING_ROWS;
    if (more <= 0) {
      this.#take(this.#more);
      return;
    }
    if (!this.#more.isConnected) {
      const item = document.createElement("li");
      item.append(this.#more);
      this.#list.append(item);
    }
    this.#more.count = more;
  }

  #drop(row: CofferTransfer): void {
    this.#rows.delete(row);
    this.#offline.delete(row);
    this.#take(row);
    this.#list.hidden = this.#rows.size === 0;
    this.#tell();
  }

  #take(row: HTMLElement): void {
    const focused = row.contains(document.activeElement);
    row.closest("li")?.remove();
    if (focused) this.#host.unfocused();
  }

  *#working(): Generator<Link, void> {
    for (const row of this.#rows) yield* row.working;
    for (const { row, far } of this.#underWay) if (!row) yield* LINKS[far?.step ?? "waiting"];
  }
}
