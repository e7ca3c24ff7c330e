/** Uploads in several parts: what is kept of each until it is stored, and a row for each that a reload or a lost connection has stopped. */

import { type Coffer, CofferError, type Document } from "#web/browser/index.ts";
import { nameOf } from "./desk.ts";
import { type FileHandle, fileOf, forgetHandle, forgetHandles, keepHandle, keptHandles } from "./handles.ts";
import type { Task, Transfers } from "./transfers.ts";
import { t } from "./words.ts";

/** An upload that has begun. */
export type Begun = { id: string; account: string };
type Upload = Awaited<ReturnType<Coffer["unfinishedUploads"]>>[number];

/** The page around them. */
export interface StoppedHost {
  coffer(): Coffer;
  transfers: Transfers;
  /** It is a document of the list now. */
  stored(document: Document): void;
  attempt(work: () => Promise<unknown>): Promise<void>;
}

export class StoppedUploads {
  readonly #host: StoppedHost;
  /** Those that have a row. */
  readonly #shown = new Set<string>();

  constructor(host: StoppedHost) {
    this.#host = host;
  }

  /** Shows those of an earlier page. What is kept of any other is of one that is over. */
  async start(): Promise<void> {
    const kept = await keptHandles().catch(() => new Map<string, FileHandle>());
    const uploads = await this.#host.coffer().unfinishedUploads();
    const names = new Set(uploads.map(nameOf));
    for (const name of kept.keys()) if (!names.has(name)) this.#forget(name);
    this.#show(uploads, kept);
  }

  /** Nobody is signed in. */
  clear(): void {
    this.#shown.clear();
    forgetHandles();
  }

  /** One has begun: where its file can be had again, it goes on without being asked for it. */
  keep(upload: Begun, handle: FileHandle | undefined): void {
    // Without it the file is chosen again.
    if (handle) void keepHandle(nameOf(upload), handle).catch(() => {});
  }

  /** It is stored. */
  end(upload: Begun): void {
    this.#forget(nameOf(upload));
  }

  /** The person does not want to go on. */
  discard(upload: Begun): void {
    this.end(upload);
    void this.#host.attempt(() =>
      this.#host
        .coffer()
        .remove(upload.id, { account: upload.account })
        .catch((error: unknown) => {
          if (!(error instanceof CofferError && error.code === "not-found")) throw error;
        }),
    );
  }

  #forget(name: string): void {
    void forgetHandle(name).catch(() => {});
  }

  #show(uploads: readonly Upload[], kept: ReadonlyMap<string, FileHandle> = new Map()): void {
    for (const upload of uploads) {
      const of = nameOf(upload);
      if (this.#shown.has(of)) continue;
      this.#shown.add(of);
      this.#row(upload, kept.get(of));
    }
  }

  #row(upload: Upload, handle: FileHandle | undefined): void {
    const { sent, metadata } = upload;
    const { name, type, size: total } = metadata;
    const away = this.#host.transfers.stopped({
      ...{ name, type, sent, total, again: handle ? "on" : "choose" },
      onRemove: () => this.discard(upload),
      onAgain: () => void (handle ? byHandle(handle) : byChoice()),
    });
    const goOn = (file: File) => {
      away();
      void this.#host.transfers.add(this.#task(upload, file));
    };
    const byHandle = async (handle: FileHandle) => {
      const file = await fileOf(handle);
      if (file) return goOn(file);
      away();
      this.end(upload);
      this.#row(upload, undefined);
    };
    const byChoice = () => {
      const input = document.createElement("input");
      input.type = "file";
      input.addEventListener("change", () => {
        const [file] = input.files ?? [];
        if (file) goOn(file);
      });
      input.click();
    };
  }

  #task(upload: Upload, file: File): Task {
    const { id, account, metadata } = upload;
    const { name, type } = metadata;
    return {
      ...{ direction: "seal", name, type, again: true, pausable: true, size: metadata.size },
      discard: () => this.discard(upload),
      failure: whyStopped,
      run: async (signal, onProgress) => {
        const coffer = this.#host.coffer();
        try {
          this.#host.stored(await coffer.resumeUpload(id, file, { account, signal, onProgress }));
          this.end(upload);
        } catch (error) {
          // Its row comes back, to choose another file.
          if (error instanceof CofferError && error.code === "another-file") this.#choose(upload);
          throw error;
        }
      },
    };
  }

  #choose(upload: Upload): void {
    this.end(upload);
    this.#shown.delete(nameOf(upload));
    // As far as it has come by now.
    void this.#host.attempt(async () => this.#show(await this.#host.coffer().unfinishedUploads()));
  }
}

/** What is said of an upload that has begun, where the failure's own sentence does not say what becomes of it. */
export function whyStopped(error: unknown): string | undefined {
  return error instanceof CofferError && error.code === "offline"
    ? t(
        "The server cannot be reached. What was sent is kept for a day, and it goes on by itself when the server is there again.",
      )
    : undefined;
}
