/**
 * Whose turn it is in groups of objects (KMIP, Object Group Member: which object is a group's default one is the server's
 * policy). Here they take turns: the default one is the next after that which its client (each session by itself) got last. In memory only.
 */
export class Groups {
  /** The object that was got last, by client and group; of groups that were asked for, the latest last. */
  #last = new Map<string, string | undefined>();

  /** The members, oldest first, beginning with the default one. */
  inTurn(holder: string, group: string, members: readonly string[]): string[] {
    const name = nameOf(holder, group);
    const last = this.#last.get(name);
    this.#last.delete(name);
    this.#last.set(name, last);
    const [oldest] = this.#last.keys();
    if (oldest !== undefined && this.#last.size > MAX_GROUPS) this.#last.delete(oldest);
    const next = last === undefined ? 0 : members.indexOf(last) + 1;
    return [...members.slice(next), ...members.slice(0, next)];
  }

  served(holder: string, group: string, uid: string): void {
    const name = nameOf(holder, group);
    if (this.#last.has(name)) this.#last.set(name, uid);
  }
}

const MAX_GROUPS = 1024;

const nameOf = (holder: string, group: string) => JSON.stringify([holder, group]);
