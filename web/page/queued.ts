/** The documents that wait for the network: a row for each, how many more may wait, and what this browser promises of them. */

import {
  type Coffer,
  CofferError,
  type Document,
  type OpenDocument,
  type OpenOptions,
  QUEUE_BYTES,
  QUEUE_COUNT,
  type Queued,
} from "#web/browser/index.ts";
import type { Question } from "./confirm.ts";
import { formatBytes } from "./format.ts";
import { part } from "./part.ts";
import type { CofferQueued } from "./queued-row.ts";
import { t } from "./words.ts";

export interface QueuedActs {
  open(document: Document): void;
  save(document: Document): void;
  /** It has been sent; without a name where it could not be read. */
  sent(name: string | undefined): void;
  ask(question: Question): Promise<boolean>;
  attempt(work: () => Promise<unknown>): Promise<void>;
}

export class QueuedUploads {
  readonly #root: ParentNode;
  readonly #acts: QueuedActs;
  readonly #rows = new Map<string, CofferQueued>();
  /** Names of those that were shown and are not known to be sent. */
  readonly #names = new Map<string, string | undefined>();
  #coffer: Coffer | undefined;
  #uploads: readonly Queued[] = [];
  #reading: Promise<void> | undefined;
  #old = false;
  #kept: Promise<boolean> | undefined;

  constructor(root: ParentNode, acts: QueuedActs) {
    this.#root = root;
    this.#acts = acts;
  }

  /** Shows what waits, and has it sent: what an earlier page has left as well. */
  start(coffer: Coffer): Promise<void> {
    this.#coffer = coffer;
    coffer.addEventListener("queue", this.#onQueue);
    return this.refresh();
  }

  /** Has keys ready for what is sealed without the network. */
  async prepare(account: string | undefined): Promise<void> {
    if (account !== undefined) await this.#coffer?.queue((queue) => queue.prepare(account));
  }

  /** Opens a document wherever it is by now. */
  async open(id: string, options: OpenOptions): Promise<OpenDocument> {
    const coffer = this.#coffer;
    if (!coffer) throw new CofferError("signed-out");
    if (!this.has(id)) return coffer.open(id, options);
    return coffer
      .queue((queue) => queue.open(id, options))
      .catch((error: unknown) => {
        if (!isGone(error)) throw error;
        return coffer.open(id, options);
      });
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  /** Whether the person may be signed out: asked where something would be lost. */
  async mayLeave(): Promise<boolean> {
    await this.refresh().catch(() => {});
    const [first] = this.#uploads;
    const count = this.#uploads.length;
    if (!first) return true;
    return this.#acts.ask({
      title: t("Sign out, and lose what waits?"),
      name: count > 1 ? t("{count} documents", { count }) : nameOf(first),
      text:
        count > 1
          ? t("wait for the network and are kept in this browser alone. If you sign out, they are lost.")
          : t("waits for the network and is kept in this browser alone. If you sign out, it is lost."),
      yes: t("Sign out"),
      no: t("Stay signed in"),
    });
  }

  /** Nobody is signed in: nothing of what was shown stays. */
  clear(): void {
    this.#coffer = undefined;
    this.#uploads = [];
    this.#rows.clear();
    this.#names.clear();
    part(this.#root, "queued-list").replaceChildren();
    part(this.#root, "queued").hidden = true;
  }

  /** Reads what waits; once more where something has changed meanwhile. */
  refresh(): Promise<void> {
    this.#old = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#old && this.#coffer) {
      this.#old = false;
      const coffer = this.#coffer;
      const uploads = await coffer.queue((queue) => queue.list());
      // Signed out meanwhile.
      if (this.#coffer === coffer) this.#show(uploads);
    }
  }

  #show(uploads: readonly Queued[]): void {
    const ids = new Set(uploads.map(({ id }) => id));
    const gone = this.#uploads.filter(({ id }) => !ids.has(id));
    this.#uploads = uploads;
    const section = part(this.#root, "queued");
    const focused = section.contains(document.activeElement);
    for (const { id } of gone) {
      this.#rows.get(id)?.closest("li")?.remove();
      this.#rows.delete(id);
    }
    for (const upload of uploads) {
      this.#row(upload).upload = upload;
      this.#names.set(upload.id, upload.metadata?.name);
    }
    section.hidden = uploads.length === 0;
    if (uploads.length > 0) void this.#say(uploads);
    // The row that had the focus is gone.
    if (focused && !section.contains(document.activeElement))
      part(this.#root, section.hidden ? "heading" : "queued-title").focus();
  }

  readonly #onQueue = (event: Event): void => {
    const { detail: sent } = event as CustomEvent<unknown>;
    if (typeof sent === "string" && this.#coffer) this.#sent(sent);
    void this.refresh().catch(() => {});
  };

  /** What is gone otherwise was given up, here or in another tab. */
  #sent(id: string): void {
    const name = this.#names.get(id);
    this.#names.delete(id);
    this.#acts.sent(name);
  }

  #row(upload: Queued): CofferQueued {
    const known = this.#rows.get(upload.id);
    if (known) return known;
    const row = document.createElement("coffer-queued") as CofferQueued;
    this.#rows.set(upload.id, row);
    row.onAct = (act) => {
      // As it is by now: its name may have been read since.
      const now = this.#uploads.find(({ id }) => id === upload.id) ?? upload;
      if (act === "cancel") void this.#cancel(now);
      else if (act === "retry")
        void this.#acts.attempt(async () => this.#coffer?.queue((queue) => queue.send()));
      else this.#acts[act](documentOf(now));
    };
    const item = document.createElement("li");
    item.append(row);
    part(this.#root, "queued-list").append(item);
    return row;
  }

  async #say(uploads: readonly Queued[]): Promise<void> {
    const said = part(this.#root, "queued-words");
    const bytes = uploads.reduce((sum, { size }) => sum + size, 0);
    const words = t("Sealed, and kept in this browser alone: {count} of {most}, {bytes} of {mostBytes}.", {
      ...{ count: uploads.length, most: QUEUE_COUNT },
      ...{ bytes: formatBytes(bytes), mostBytes: formatBytes(QUEUE_BYTES) },
    });
    this.#kept ??= persistent();
    const promised = (await this.#kept)
      ? t("This browser keeps them until they are sent.")
      : t("This browser may delete them when it runs out of room: connect soon.");
    said.textContent = `${words} ${promised}`;
  }

  async #cancel(upload: Queued): Promise<void> {
    const question = {
      ...{ title: t("Give this document up?"), name: nameOf(upload) },
      text: t("is kept in this browser alone. It goes from here, and is not sent."),
      ...{ yes: t("Give it up"), no: t("Keep it") },
    };
    if (!(await this.#acts.ask(question))) return;
    await this.#acts.attempt(async () => {
      await this.#coffer
        ?.queue((queue) => queue.cancel(upload.id))
        .catch((error: unknown) => {
          // It was sent meanwhile.
          if (!isGone(error)) throw error;
        });
      await this.refresh();
    });
  }
}

/** Asked for when something waits, and not before: some browsers ask the person. */
async function persistent(): Promise<boolean> {
  const { storage } = navigator as { storage?: StorageManager };
  return (await storage?.persist?.().catch(() => false)) ?? false;
}

function nameOf({ metadata }: Queued): string {
  return metadata?.name ?? t("A document whose name cannot be read now");
}

/** Why a document could not be kept here to be sent later, and what can be done. */
export function whyNotKept(error: unknown): unknown {
  if (!(error instanceof CofferError)) return error;
  const { code, cause } = error;
  // The browser's own refusal.
  const message =
    code === "queue-full" && cause
      ? t(
          "There is no room on this device to keep it until it is sent. Free some, or connect to the network, and try again.",
        )
      : code === "offline"
        ? t(
            "There is no key here to seal with while the server cannot be reached. Connect to the network, and try again.",
          )
        : undefined;
  return message === undefined ? error : new CofferError(code, { message, cause });
}

/** As the list has it. */
function documentOf({ id, account, created, size, metadata }: Queued): Document {
  return { id, account, created, sealedSize: size, metadata };
}

function isGone(error: unknown): boolean {
  return error instanceof CofferError && error.code === "not-found";
}
