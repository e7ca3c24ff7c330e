/** What makes the list of documents old: a change in another tab of this browser, and a time without a network. */

/** Changes that come sooner after each other than this are listed together. Milliseconds. */
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
    clearTimeout(this.#timer);
    if (document.hidden) return;
    this.#timer = setTimeout(() => {
      this.#old = false;
      this.#list();
    }, QUIET);
  }
}
