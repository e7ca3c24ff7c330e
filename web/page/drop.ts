/** Files and folders that come in: dropped anywhere on the page, or chosen. A file of a folder brings with it where in it it was. */

import { CofferError } from "#web/browser/index.ts";
import { type FileHandle, handleOf, PAUSABLE } from "./handles.ts";
import { t } from "./words.ts";

/** A file, and the folder that it was in, its parts joined by `/`; empty for one that came alone. */
export interface Incoming {
  file: File;
  folder: string;
  /** By which it can be had again after a reload: of one that was dropped alone, and is long enough to be stopped on its way. */
  handle?: Promise<FileHandle | undefined>;
}

export interface DropOptions {
  accepts: () => boolean;
  onFiles: (files: Incoming[]) => void;
  /** Something of what was dropped could not be read; told once a drop. */
  onFailure: (error: unknown) => void;
}

/** Files of an input; one that takes folders says of each where it was. */
export function chosenFiles({ files }: HTMLInputElement): Incoming[] {
  return [...(files ?? [])].map((file) => {
    return { file, folder: file.webkitRelativePath.split("/").slice(0, -1).join("/") };
  });
}

/** Shows `overlay` while files are held over the window, and takes them when they are let go. */
export function dropTarget(overlay: HTMLElement, { accepts, onFiles, onFailure }: DropOptions): void {
  // Enter and leave come for every element that is crossed; the window is left when they balance.
  let depth = 0;
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth++;
    overlay.hidden = !accepts();
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) overlay.hidden = true;
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = accepts() ? "copy" : "none";
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    // Without this the browser would leave the page to show the file.
    event.preventDefault();
    depth = 0;
    overlay.hidden = true;
    if (!accepts()) return;
    const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
    // Taken now: after the event there is nothing in it any more.
    const dropped = items.map((item) => {
      const file = item.getAsFile();
      const handle = file && file.size > PAUSABLE ? { handle: handleOf(item) } : {};
      return { entry: item.webkitGetAsEntry(), file, ...handle };
    });
    void filesIn(dropped).then(({ files, failures }) => {
      onFiles(files);
      if (failures.length > 0) onFailure(unreadable(failures));
    });
  });
}

/** What was dropped: a folder has an entry, a file itself. */
export type Dropped = { entry: FileSystemEntry | null; file: File | null } & Pick<Incoming, "handle">;

/** All files of what was dropped, whatever their depth. What cannot be read is left out, and told. */
export async function filesIn(
  dropped: readonly Dropped[],
): Promise<{ files: Incoming[]; failures: unknown[] }> {
  const files: Incoming[] = [];
  const failures: unknown[] = [];
  const waiting: { entry: FileSystemDirectoryEntry; folder: string }[] = [];
  for (const { entry, file, ...handle } of dropped) {
    if (entry && isFolder(entry)) waiting.push({ entry, folder: entry.name });
    else if (file) files.push({ file, folder: "", ...handle });
  }
  for (const { entry, folder } of waiting) {
    try {
      for await (const each of entriesOf(entry)) {
        if (isFolder(each)) waiting.push({ entry: each, folder: `${folder}/${each.name}` });
        else await fileOf(each as FileSystemFileEntry).then((file) => files.push({ file, folder }), fail);
      }
    } catch (error) {
      fail(error);
    }
  }
  return { files, failures };

  function fail(error: unknown): void {
    failures.push(error);
  }
}

/** One error for all of them: how many there were, and by what name the browser refused the first. */
export function unreadable(failures: readonly unknown[]): CofferError {
  const [cause] = failures;
  const reason = cause instanceof Error || cause instanceof DOMException ? cause.name : "Error";
  const count = failures.length;
  const message =
    count === 1
      ? t("A file or folder could not be read ({reason}). Nothing of it was sealed.", { reason })
      : t("{count} files or folders could not be read ({reason}). Nothing of them was sealed.", {
          count,
          reason,
        });
  return new CofferError("source-changed", { message, cause });
}

async function* entriesOf(folder: FileSystemDirectoryEntry): AsyncGenerator<FileSystemEntry> {
  const reader = folder.createReader();
  for (;;) {
    // A hundred or so at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    yield* some;
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
