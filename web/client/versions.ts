/** The versions of a document: saving another one, looking back, and going back. */

import { CofferError } from "#protocol/error.ts";
import type { Document } from "./document-list.ts";
import type { Documents, OpenOptions, ReplaceOptions, Source } from "./documents.ts";
import { versionOf, versionsAmong } from "./series.ts";
import type { Sharing } from "./sharing.ts";

/** Earlier versions that stay, unless it is said. */
const KEPT = 20;

export interface SaveOptions extends ReplaceOptions {
  /** How many earlier versions stay, 0 to 100; those before them are deleted for good. Default: 20. */
  keep?: number;
}

type Of = Pick<OpenOptions, "account" | "signal">;

type Means = {
  documents: Pick<Documents, "list" | "open" | "remove" | "replace">;
  sharing: Pick<Sharing, "shares" | "withdraw">;
  accounts: () => string[];
};

export class Versions {
  readonly #means: Means;

  constructor(means: Means) {
    this.#means = means;
  }

  /**
   * All versions of the document that this is one of, the newest first. Each has an id of its own, by which it is opened, and which deletes it
   * alone; by the id of the newest all are deleted. Errors: `not-found`, and as of `Coffer.list`.
   */
  async list(id: string, { account, signal }: Of = {}): Promise<Document[]> {
    const accounts = account === undefined ? this.#means.accounts() : [account];
    const all = await this.#means.documents.list(accounts, signal && { signal });
    const versions = versionsAmong(all, { id });
    if (versions.length === 0) throw new CofferError("not-found");
    return versions;
  }

  /**
   * Seals a source as the next version of a document, under the name that it has. The one before stays as an earlier version, and whom it was
   * shared with has it no more. Errors: `document-replaced` where somebody else has saved a version meanwhile, of whose content nothing is lost; and
   * as of `Coffer.open` and `Coffer.seal`.
   */
  async save(id: string, source: Source, { keep = KEPT, ...options }: SaveOptions = {}): Promise<Document> {
    if (!(Number.isInteger(keep) && keep >= 0 && keep <= 100)) throw new RangeError("keep: 0 to 100");
    const { documents, sharing } = this.#means;
    const account = options.account ?? (await this.list(id)).at(0)?.account ?? "";
    const of = { account, ...(options.signal && { signal: options.signal }) };
    const shares = await sharing.shares({ account, document: id });
    const saved = await documents.replace(id, source, { ...options, account });
    if (saved.state) return saved;
    // With the version the KMS has ended them: what fails here is a row that opens nothing any more.
    for (const share of shares) await sharing.withdraw(share, account).catch(() => {});
    if (versionOf(saved).version > keep + 1) await this.#drop(saved.id, keep, of).catch(() => {});
    return saved;
  }

  /** What fails here goes with the next version. */
  async #drop(id: string, keep: number, of: Of): Promise<void> {
    const versions = await this.list(id, of);
    for (const version of versions.slice(keep + 1).reverse())
      await this.#means.documents.remove(version.id, of);
  }

  /**
   * Makes an earlier version the newest: it is sealed again, as `save` does it, and what was the newest is an earlier one. Errors as of `save`;
   * `not-found` where no such version is there.
   */
  async restore(
    id: string,
    { account, signal, ...options }: Omit<SaveOptions, "key"> = {},
  ): Promise<Document> {
    const of = { ...(account !== undefined && { account }), ...(signal && { signal }) };
    const [newest] = await this.list(id, of);
    if (!newest || newest.id === id) throw new CofferError("not-found");
    const at = { ...of, account: newest.account };
    const { stream, size, type, modified } = await this.#means.documents.open(id, at);
    const described = { size, type, ...(modified !== undefined && { modified }) };
    return this.save(newest.id, stream, { ...described, ...options, ...at });
  }
}
