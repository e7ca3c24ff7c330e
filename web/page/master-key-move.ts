/** In the administration's panel: the move of account keys under a new master key (W12), begun here and watched while the panel is open. */

import type { Coffer, RotationProgress } from "#web/browser/index.ts";
import { part } from "./part.ts";
import { t } from "./words.ts";

/** How often the edge is asked. Milliseconds. */
const INTERVAL = 1000;

export class MasterKeyMove {
  readonly #root: HTMLElement;
  readonly #failed: (error: unknown) => void;
  /** Names the last question: what it, or a stop, has overtaken shows nothing. */
  #asking: object | undefined;
  #beginning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `failed` is told why nothing is known any more. */
  constructor(root: HTMLElement, failed: (error: unknown) => void) {
    this.#root = root;
    this.#failed = failed;
  }

  /** Shows how far it is, and goes on to until it is over. While one is begun, what that says is newer. */
  async watch(coffer: Coffer): Promise<void> {
    if (!this.#beginning) await this.#ask(coffer, () => coffer.administer(({ rotation }) => rotation.read()));
  }

  async begin(coffer: Coffer): Promise<void> {
    this.#beginning = true;
    try {
      await this.#ask(coffer, () => coffer.administer(({ rotation }) => rotation.begin()));
    } finally {
      this.#beginning = false;
    }
  }

  stop(): void {
    this.#asking = undefined;
    clearTimeout(this.#timer);
  }

  async #ask(coffer: Coffer, ask: () => Promise<RotationProgress>): Promise<void> {
    this.stop();
    const asking = {};
    this.#asking = asking;
    const { all, moved, failed, master } = await ask();
    if (this.#asking !== asking) return;
    part(this.#root, "move").hidden = master === undefined;
    if (master === undefined) return;
    const bar = part<HTMLProgressElement>(this.#root, "move-bar");
    bar.max = Math.max(1, all);
    bar.value = all === 0 ? 1 : moved;
    const far = { moved, all, failed };
    part(this.#root, "move-words").textContent =
      failed > 0
        ? t("{moved} of {all} accounts have moved; {failed} have failed and are tried again.", far)
        : t("{moved} of {all} accounts have moved.", far);
    if (moved < all) this.#timer = setTimeout(() => this.watch(coffer).catch(this.#failed), INTERVAL);
  }
}
