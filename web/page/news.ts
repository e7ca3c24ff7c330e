/** What makes the list of documents old: a change in another tab of this browser, and a time without a network. */

/** Changes that come within this time of the first are listed together. Milliseconds. */
const QUIET = 1000;

export class News {
  readonly #channel = new BroadcastChannel("coffer-documents");
  readonly #list: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #old = false;

  /** `list` is called when the list is old: at once where it is seen, else when it is seen again. */
  constructor(list: () => void) {
    this.#list = list;
    this.#channel.addEventListener("message", () => this.#came());
    addEventListener("online", () => this.#came());
    document.addEventListener("visibilitychange", () => this.#old && this.#came());
  }

  /** Tells other tabs that something has changed, and not what: each asks the server for itself. */
  tell(): void {
    this.#channel.postMessage("changed");
  }

  #came(): void {
    this.#old = true;
    if (document.hidden || this.#timer !== undefined) return;
    // Not put off by what comes meanwhile: changes without a pause are listed too.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#old = false;
      this.#list();
    }, QUIET);
  }
}
