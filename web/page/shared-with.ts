/** Whom the documents of the list are shared with: asked for once an account, and for no document by itself. */

import type { Coffer, Document, Share } from "#web/browser/index.ts";

type Given = Pick<Share, "document" | "to" | "expires">;

export class SharedWith {
  /** Names of accounts, by account and document. */
  readonly #names = new Map<string, ReadonlyMap<string, readonly string[]>>();

  /** Of each of these accounts; what nobody may read there is shared with nobody. Throws the first failure in the end. */
  async read(coffer: Coffer, accounts: readonly string[]): Promise<void> {
    const results = await Promise.allSettled(
      accounts.map(async (account) =>
        this.take(account, await coffer.sharing((sharing) => sharing.shares({ account }))),
      ),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** All that there are of an account. */
  take(account: string, shares: readonly Given[], now = Date.now()): void {
    const names = new Map<string, string[]>();
    for (const { document, to, expires } of shares) {
      if (expires.getTime() <= now) continue;
      const known = names.get(document) ?? [];
      known.push(to.name);
      names.set(document, known);
    }
    this.#names.set(account, names);
  }

  of({ account, id }: Pick<Document, "account" | "id">): readonly string[] {
    return this.#names.get(account)?.get(id) ?? NOBODY;
  }

  clear(): void {
    this.#names.clear();
  }
}

const NOBODY: readonly string[] = [];
