/** Several large transfers in one row: how much of all of them is done, how fast that goes, and the time left. */

import { calmly } from "./calm.ts";
import { formatNumber } from "./format.ts";
import { Pace } from "./pace.ts";
import type { CofferTransfer } from "./transfer-row.ts";
import { t } from "./words.ts";

/** Fewer are told by their own rows. */
const SEVERAL = 2;
/** For what is over sooner the row would only flicker. Milliseconds. */
const BRIEF = 1000;
/** Between two changes of the row. Milliseconds. */
const CALM = 250;

/** `moved`: whether it has said how far it is; what it begins with was done before. Bytes. */
type Part = { size: number; done: number; moved: boolean };

/** Where its row stands. */
export interface SumHost {
  row(): CofferTransfer;
  drop(row: CofferTransfer): void;
}

export class Sum {
  readonly #host: SumHost;
  readonly #open = new Map<object, Part>();
  /** Those that have gone through since there was none. What was cancelled or has failed does not count. */
  #through = { count: 0, size: 0 };
  /** Bytes done while this was looking. It never goes back, whatever is cancelled. */
  #moved = 0;
  #pace = new Pace();
  #row: CofferTransfer | undefined;
  #coming: ReturnType<typeof setTimeout> | undefined;
  readonly #show = calmly(CALM, () => this.#draw());

  constructor(host: SumHost) {
    this.#host = host;
  }

  /** One more, under way or waiting. `size` in bytes. */
  begin(transfer: object, size: number): void {
    this.#open.set(transfer, { size, done: 0, moved: false });
    if (this.#row) this.#show();
    else if (this.#open.size >= SEVERAL) this.#coming ??= setTimeout(() => this.#come(), BRIEF);
  }

  far(transfer: object, bytes: number): void {
    const part = this.#open.get(transfer);
    if (!part) return;
    const done = Math.min(bytes, part.size);
    if (part.moved) this.#moved += Math.max(0, done - part.done);
    part.done = done;
    part.moved = true;
    if (this.#row) this.#show();
  }

  /** It is over. `through`: and done. */
  end(transfer: object, through: boolean): void {
    const part = this.#open.get(transfer);
    if (!part) return;
    if (through) {
      this.far(transfer, part.size);
      this.#through.count++;
      this.#through.size += part.size;
    }
    this.#open.delete(transfer);
    if (this.#open.size === 0) this.clear();
    else if (this.#row) this.#show();
  }

  /** None is under way any more. */
  clear(): void {
    clearTimeout(this.#coming);
    this.#coming = undefined;
    this.#open.clear();
    this.#through = { count: 0, size: 0 };
    this.#moved = 0;
    this.#pace = new Pace();
    const row = this.#row;
    this.#row = undefined;
    if (row) this.#host.drop(row);
  }

  #come(): void {
    this.#coming = undefined;
    if (this.#open.size < SEVERAL) return;
    this.#row = this.#host.row();
    this.#row.cancellable = false;
    this.#draw();
  }

  #draw(): void {
    const row = this.#row;
    if (!row) return;
    let { count, size: bytes } = this.#through;
    let total = bytes;
    for (const { size, done } of this.#open.values()) {
      count++;
      bytes += done;
      total += size;
    }
    const kind = formatNumber(count);
    row.begin("all", t("{count} transfers", { count: kind }), "", { kind });
    const left = this.#pace.left(this.#moved, this.#moved + total - bytes, performance.now());
    row.sum({ bytes, total, rate: this.#pace.rate, left });
  }
}
