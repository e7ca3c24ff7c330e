/** What became of the last lot of documents: one line, with a button where it can be taken back, until it is dismissed or the next takes its place. */

import { onPress, part } from "./part.ts";

export class Undo {
  readonly #root: ParentNode;
  #act: () => void = () => {};

  constructor(root: ParentNode) {
    this.#root = root;
    onPress(root, "undo-act", () => {
      const act = this.#act;
      this.clear();
      act();
    });
    onPress(root, "undo-none", () => this.clear());
  }

  offer(words: string, act?: () => void): void {
    this.#act = act ?? (() => {});
    part(this.#root, "undo-act").hidden = act === undefined;
    part(this.#root, "undo-words").textContent = words;
    part(this.#root, "undo").hidden = false;
  }

  clear(): void {
    this.#act = () => {};
    part(this.#root, "undo").hidden = true;
    part(this.#root, "undo-words").textContent = "";
  }
}
