/** Whom the documents of the list are shared with: asked for once an account, and for no document by itself. */

import { type Coffer, CofferError, type Document, type Share } from "#web/browser/index.ts";

type Given = Pick<Share, "document" | "to" | "expires">;

export class SharedWith {
  /** Names of accounts, by account and document. */
  readonly #names = new Map<string, ReadonlyMap<string, readonly string[]>>();
  /** Accounts of which it could not be read when it was asked for last. */
  readonly #unknown = new Set<string>();
  /** Which question was the last, and of which one the answer is, by account: an older answer tells nothing. */
  #asked = 0;
  #cleared = 0;
  readonly #answered = new Map<string, number>();

  /** Before a question: its number, for `take`. */
  ask(): number {
    return ++this.#asked;
  }

  /** Of each of these accounts. What fails leaves what was known, and is unknown from then on. */
  async read(coffer: Coffer, accounts: readonly string[]): Promise<void> {
    const asked = this.ask();
    for (const account of this.#unknown) if (!accounts.includes(account)) this.#unknown.delete(account);
    await Promise.all(
      accounts.map(async (account) => {
        try {
          this.take(account, await coffer.sharing((sharing) => sharing.shares({ account })), asked);
        } catch (error) {
          if (!this.#isNews(account, asked)) return;
          // What nobody may read there is shared with nobody.
          if (error instanceof CofferError && error.code === "forbidden") this.take(account, [], asked);
          else this.#unknown.add(account);
        }
      }),
    );
  }

  /** All that there are of an account, as answered to the question of this number. */
  take(account: string, shares: readonly Given[], asked: number, now = Date.now()): void {
    if (!this.#isNews(account, asked)) return;
    const names = new Map<string, string[]>();
    for (const { document, to, expires } of shares) {
      if (expires.getTime() <= now) continue;
      const known = names.get(document) ?? [];
      known.push(to.name);
      names.set(document, known);
    }
    this.#names.set(account, names);
    this.#unknown.delete(account);
  }

  of({ account, id }: Pick<Document, "account" | "id">): readonly string[] {
    return this.#names.get(account)?.get(id) ?? NOBODY;
  }

  /** Whether what `of` tells of some account is not what it is now, as far as can be known. */
  get unknown(): boolean {
    return this.#unknown.size > 0;
  }

  clear(): void {
    this.#names.clear();
    this.#unknown.clear();
    this.#answered.clear();
    this.#cleared = this.#asked;
  }

  #isNews(account: string, asked: number): boolean {
    if (asked <= this.#cleared || asked < (this.#answered.get(account) ?? 0)) return false;
    this.#answered.set(account, asked);
    return true;
  }
}

const NOBODY: readonly string[] = [];
