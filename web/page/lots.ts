/** What is done with documents of the list, one or thousands: deleted, brought back, saved. What it came to is said in one sentence. */

import { type Coffer, CofferError, type Document, type ErrorCode } from "#web/browser/index.ts";
import { nameOf as placeOf } from "./desk.ts";
import { messageInWords } from "./error-words.ts";
import { formatNumber } from "./format.ts";
import { Lot, type Work } from "./lot.ts";
import { nameInWords } from "./names.ts";
import type { Targets } from "./save.ts";
import { SHARING } from "./sharing-words.ts";
import type { Counted, Direction, Failed } from "./transfer-row.ts";
import type { Task, Transfers } from "./transfers.ts";
import { t, type Words } from "./words.ts";
import { isNamed } from "./zip.ts";

/** The page around them. */
export interface LotsHost {
  coffer(): Coffer;
  transfers: Transfers;
  /** Takes one out of the list, when it is deleted. */
  takeOut(document: Document): void;
  /** The list is another one, here and in other tabs. */
  changed(): void;
  /** Documents are shared with others than before. */
  shared(): void;
  /** Says what became of it; `undo` takes it back. */
  outcome(words: string, undo?: () => void): void;
}

type Kind = {
  direction: Direction;
  step: Counted["step"];
  one: Words;
  many: Words;
  some: Words;
  /** Codes that mean something of their own here. Then each document says what became of it. */
  sentences?: Readonly<Partial<Record<ErrorCode, Words>>>;
};

const DELETE: Kind = {
  ...{ direction: "delete", step: "deleting" },
  ...{ one: "{name} is deleted.", many: "{name} are deleted." },
  some: "{done} of {count} documents are deleted. The others stay.",
};
const RESTORE: Kind = {
  ...{ direction: "restore", step: "restoring" },
  ...{ one: "{name} is restored.", many: "{name} are restored." },
  some: "{done} of {count} documents are restored. The others are under Deleted.",
};
const SAVE: Kind = {
  ...{ direction: "save", step: "saving" },
  ...{ one: "{name} is saved.", many: "{name} are saved." },
  some: "{done} of {count} documents are saved.",
};

const SHARE: Kind = {
  ...{ direction: "share", step: "sharing" },
  ...{ one: "{account} may open {name} now.", many: "{account} may open {name} now." },
  some: "{account} may open {done} of {count} documents now.",
  sentences: SHARING,
};

export class Lots {
  readonly #host: LotsHost;

  constructor(host: LotsHost) {
    this.#host = host;
  }

  /** So that they can be brought back for so many days. */
  delete(documents: readonly Document[], days: number): void {
    const host = this.#host;
    const restorable: Document[] = [];
    // With their versions as they are now, listed once: another device may have saved one since.
    let listing: Promise<ReturnType<typeof seriesOf>> | undefined;
    const list = () => {
      listing ??= host.coffer().list().then(seriesOf);
      listing.catch(() => (listing = undefined));
      return listing;
    };
    const work: Work = async (document) => {
      const { id, account } = document;
      const among = (await list())(document);
      await host
        .coffer()
        .remove(id, { account, days, among })
        .then(
          () => restorable.push(among.find((each) => placeOf(each) === placeOf(document)) ?? document),
          (error: unknown) => {
            const code = error instanceof CofferError && error.code;
            if (code === "document-replaced") {
              listing = undefined;
              host.changed();
            }
            // Somebody else was faster.
            if (code !== "not-found") throw error;
          },
        );
      host.takeOut(document);
    };
    this.#begin(DELETE, documents, work, () => restorable.length > 0 && (() => this.restore(restorable)));
  }

  restore(documents: readonly Document[]): void {
    const coffer = this.#host.coffer();
    this.#begin(
      RESTORE,
      documents,
      (document) => coffer.restore(document.id, { account: document.account, among: [document] }),
      () => {
        this.#host.changed();
        return false;
      },
    );
  }

  /** Each into a file of its own. */
  save(documents: readonly Document[], targets: Targets): void {
    const coffer = this.#host.coffer();
    const work: Work = async ({ id, account, metadata }, { signal, onBytes }) => {
      if (!metadata) return;
      const onProgress = ({ bytes }: { bytes: number }) => onBytes(bytes);
      await targets(metadata)(await coffer.open(id, { account, signal, onProgress }), signal);
    };
    this.#begin(SAVE, documents.filter(isNamed), work, () => false);
  }

  /** With the account of this id, until then: each under a record of its own. */
  share(documents: readonly Document[], to: string, expires: Date): void {
    const host = this.#host;
    const coffer = host.coffer();
    let account = to;
    const work: Work = async ({ id, account: from }) => {
      const shared = await coffer.sharing((sharing) => sharing.share(id, to, { account: from, expires }));
      account = nameInWords(shared.to.name);
    };
    const end = () => {
      host.shared();
      return false as const;
    };
    this.#begin(SHARE, documents, work, end, () => ({ account }));
  }

  /** `end`: when no more of it is under way; answers what takes it back. `more`: what its sentences say besides. */
  #begin(
    { direction, step, one, many, some, sentences }: Kind,
    documents: readonly Document[],
    work: Work,
    end: () => (() => void) | false,
    more: () => Readonly<Record<string, string>> = () => ({}),
  ): void {
    const [first] = documents;
    if (!first) return;
    const { transfers } = this.#host;
    const lot = new Lot(step, documents, work);
    const { count } = lot;
    const name =
      count > 1
        ? t("{count} documents", { count: formatNumber(count) })
        : (first.metadata?.name ?? t("A document that cannot be opened"));
    const finish = () => {
      const done = lot.done.length;
      const undo = end();
      if (done === 0) return;
      const numbers = { done: formatNumber(done), count: formatNumber(count) };
      const said = { ...more(), name: nameInWords(name), ...numbers };
      this.#host.outcome(t(done < count ? some : count > 1 ? many : one, said), undo || undefined);
    };
    const task: Task = {
      ...{ direction, name, type: first.metadata?.type ?? "", again: true, atOnce: true, brief: count === 1 },
      ...(count > 1 && { kind: formatNumber(count) }),
      ...(lot.size !== undefined && { size: lot.size }),
      run: (signal, onProgress) => lot.run(signal, onProgress).finally(finish),
      failure: (error) => {
        const left = count - lot.done.length;
        const why = wordsOf(error, sentences);
        if (count === 1) return why;
        if (sentences && !alike(lot, sentences))
          return left === 1
            ? t("1 is left, for the reason below.")
            : t("{count} are left, each for the reason below.", { count: formatNumber(left) });
        return t("{count} are left. {why}", { count: formatNumber(left), why });
      },
      ...(sentences && { each: () => (alike(lot, sentences) ? [] : failuresOf(lot, sentences)) }),
    };
    void transfers.add(task);
  }
}

/** Of a list, for each document: the one with versions that it is in, and those whose names did not come, which may be earlier ones. */
function seriesOf(listed: readonly Document[]): (document: Document) => Document[] {
  const unread = listed.filter(({ error }) => error !== undefined);
  const series = new Map<string, Document>();
  for (const newest of listed)
    for (const version of [newest, ...(newest.earlier ?? [])]) series.set(placeOf(version), newest);
  return (document) => {
    const newest = series.get(placeOf(document));
    return newest && newest.error === undefined ? [newest, ...unread] : unread;
  };
}

function wordsOf(error: unknown, sentences: Kind["sentences"]): string {
  const words = error instanceof CofferError && sentences?.[error.code];
  return words ? t(words) : messageInWords(error);
}

function failuresOf({ failed }: Lot, sentences: Kind["sentences"]): Failed[] {
  return [...failed].map(([{ metadata }, error]) => ({
    name: metadata?.name ?? t("A document that cannot be opened"),
    words: wordsOf(error, sentences),
  }));
}

/** Whether one sentence says it all: none went through, and all for the same reason. */
function alike(lot: Lot, sentences: Kind["sentences"]): boolean {
  const reasons = new Set([...lot.failed.values()].map((error) => wordsOf(error, sentences)));
  return lot.done.length === 0 && reasons.size === 1;
}
