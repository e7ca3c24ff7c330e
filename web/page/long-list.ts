/** A list of any length, of which only what is near the screen is drawn: in blocks, each of which stands for its rows by its height until it comes near. */

/** Rows of one block. */
const ROWS = 40;
/** How far beyond the screen blocks are drawn. */
const MARGIN = "1000px";
/** Until a row was measured. Pixels. */
const ROW_HEIGHT = 69;

export interface Rows<T> {
  key(item: T): string;
  make(): HTMLElement;
  /** Shows an item in a row; called again for each change, so it does nothing where there is none. */
  fill(row: HTMLElement, item: T): void;
}

export class LongList<T> {
  readonly #list: HTMLElement;
  readonly #rows: Rows<T>;
  readonly #blocks: HTMLElement[] = [];
  readonly #near = new WeakSet<Element>();
  /** Rows that are drawn, by the key of their item. */
  readonly #drawn = new Map<string, HTMLElement>();
  readonly #observer: IntersectionObserver;
  #items: readonly T[] = [];
  #rowHeight = ROW_HEIGHT;

  /** `scrolls`: by itself, and not with the page. */
  constructor(list: HTMLElement, label: string, rows: Rows<T>, { scrolls = false } = {}) {
    this.#list = list;
    list.role = "list";
    list.ariaLabel = label;
    this.#rows = rows;
    this.#observer = new IntersectionObserver((entries) => this.#moved(entries), {
      root: scrolls ? list : null,
      rootMargin: `${MARGIN} 0px`,
    });
  }

  show(items: readonly T[]): void {
    this.#items = items;
    const count = Math.ceil(items.length / ROWS);
    for (const block of this.#blocks.splice(count)) {
      this.#observer.unobserve(block);
      block.remove();
    }
    while (this.#blocks.length < count) {
      const block = document.createElement("div");
      block.role = "none";
      // Nobody has said yet where it is; the first is where the eye is.
      if (this.#blocks.length === 0) this.#near.add(block);
      this.#blocks.push(block);
      this.#list.append(block);
      this.#observer.observe(block);
    }
    const focused = document.activeElement;
    for (const at of this.#blocks.keys()) this.#draw(at);
    this.#forget();
    // A row that has another place now was taken out for a moment.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#list.contains(focused))
      focused.focus({ preventScroll: true });
  }

  /** The row at this place, drawn wherever it is. */
  reach(at: number): HTMLElement | undefined {
    const block = this.#blocks[Math.floor(at / ROWS)];
    if (!block) return undefined;
    if (!this.#near.has(block)) {
      this.#near.add(block);
      this.#draw(Math.floor(at / ROWS));
    }
    const row = block.children[at % ROWS];
    return row instanceof HTMLElement ? row : undefined;
  }

  #moved(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      const at = this.#blocks.indexOf(target as HTMLElement);
      if (at < 0) continue;
      if (isIntersecting) this.#near.add(target);
      // Whoever works with a row by keyboard keeps it.
      else if (!target.contains(document.activeElement)) {
        this.#near.delete(target);
        if (target.childElementCount > 0 && boundingClientRect.height > 0)
          this.#rowHeight = boundingClientRect.height / target.childElementCount;
      }
      this.#draw(at);
    }
    this.#forget();
  }

  #draw(at: number): void {
    const block = this.#blocks[at];
    if (!block) return;
    const items = this.#items.slice(at * ROWS, (at + 1) * ROWS);
    if (!this.#near.has(block)) {
      block.replaceChildren();
      block.style.blockSize = `${Math.round(items.length * this.#rowHeight)}px`;
      return;
    }
    const wanted = items.map((item, index) => {
      const key = this.#rows.key(item);
      const row = this.#drawn.get(key) ?? this.#rows.make();
      this.#drawn.set(key, row);
      row.ariaPosInSet = String(at * ROWS + index + 1);
      row.ariaSetSize = String(this.#items.length);
      return { row, item };
    });
    // Only what has another place is touched: a row put where it stands already would be laid out anew, and all after it.
    const rows = wanted.map(({ row }) => row);
    const staying = new Set<Element>(rows);
    for (const child of [...block.children]) if (!staying.has(child)) child.remove();
    for (const [index, row] of rows.entries())
      if (block.children[index] !== row) block.insertBefore(row, block.children[index] ?? null);
    block.style.blockSize = "";
    for (const { row, item } of wanted) this.#rows.fill(row, item);
  }

  /** Rows that are drawn no more: what they show stays nowhere in the page. */
  #forget(): void {
    for (const [key, row] of this.#drawn) if (!this.#list.contains(row)) this.#drawn.delete(key);
  }
}
