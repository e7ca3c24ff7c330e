/** Those who wait: of one identity in the order in which they came, identities by turns. */
export class Line<T extends object> {
  /** By identity; the identity whose turn is next comes first. */
  #waiting = new Map<string, T[]>();

  add(identity: string, one: T): void {
    const own = this.#waiting.get(identity) ?? [];
    own.push(one);
    this.#waiting.set(identity, own);
  }

  /** Takes the next one, if anyone waits. Its identity goes to the end of the line, where it has more. */
  take(): T | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const [identity, own] = first;
    const next = own.shift();
    this.#waiting.delete(identity);
    if (own.length > 0) this.#waiting.set(identity, own);
    return next;
  }
}
