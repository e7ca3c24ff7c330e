/** Saving a document to this device: straight to a chosen file where the browser can, else by way of a download. */

import type { OpenDocument } from "#web/browser/index.ts";
import { NameNumbers, numbered } from "./free-name.ts";

/** What is saved. */
export type Saved = Pick<OpenDocument, "name" | "stream" | "blob">;
/** A place to save to, chosen while the press that asked for it still counts. */
export type Target = (document: Saved, signal: AbortSignal) => Promise<void>;

/** Documents above this go through the browser's private file system on their way to a download, not through memory. */
const MEMORY = 32e6;
/** How long a download may take to begin reading, milliseconds. */
const GRACE = 60_000;
const FOLDER = "coffer-downloads";

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/**
 * Asks where to save, or decides on a download where the browser cannot ask. Rejects with an `AbortError` when the person
 * changes his mind.
 */
export async function chooseTarget(name: string, size: number): Promise<Target> {
  const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  if (picker) {
    const handle = await picker.call(globalThis, { suggestedName: name });
    // Nothing appears under the chosen name before the stream has ended well: a failed one is thrown away.
    return async (document, signal) => document.stream.pipeTo(await handle.createWritable(), { signal });
  }
  return size > MEMORY && (await hasPrivateFiles()) ? throughDisk : throughMemory;
}

/** A place for each of several documents, by its name, its folder and its bytes. Nothing is made of it before its turn comes. */
export type Targets = (document: { name: string; folder?: string; size: number }) => Target;

type FolderPicker = (options: { mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>;

/**
 * Asks for a folder to save several documents to, in the folders that they came from; where the browser cannot ask, they are downloaded one by
 * one. Rejects with an `AbortError` when the person changes his mind.
 */
export async function chooseTargets(): Promise<Targets> {
  const picker = (globalThis as { showDirectoryPicker?: FolderPicker }).showDirectoryPicker;
  if (!picker) {
    const disk = await hasPrivateFiles();
    return ({ size }) => (size > MEMORY && disk ? throughDisk : throughMemory);
  }
  const top = await picker.call(globalThis, { mode: "readwrite" });
  const numbers = new NameNumbers();
  // One name after the other is looked for: two documents could find the same one free.
  let naming: Promise<unknown> = Promise.resolve();
  return ({ name, folder }) =>
    async (document, signal) => {
      const path = `${folder ?? ""}/${name}`;
      const made = naming.then(async () => {
        let place = top;
        for (const part of folder?.split("/") ?? [])
          place = await place.getDirectoryHandle(part, { create: true });
        return { place, ...(await freshFile(place, name, () => numbers.next(path))) };
      });
      naming = made.catch(() => {});
      const { place, handle, number } = await made;
      try {
        await document.stream.pipeTo(await handle.createWritable(), { signal });
      } catch (error) {
        await place.removeEntry(handle.name).catch(() => {});
        numbers.free(path, number);
        throw error;
      }
    };
}

/** Nothing that is there already is written over. */
async function freshFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  nextNumber: () => number,
): Promise<{ handle: FileSystemFileHandle; number: number }> {
  for (;;) {
    const number = nextNumber();
    const wanted = numbered(name, number);
    const there = await folder.getFileHandle(wanted).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
      throw error;
    });
    if (!there) return { handle: await folder.getFileHandle(wanted, { create: true }), number };
  }
}

/** Safari before 26 has the private file system, and no way to write to it from here; a private window may have none. */
async function hasPrivateFiles(): Promise<boolean> {
  if (!("FileSystemFileHandle" in globalThis && "createWritable" in FileSystemFileHandle.prototype))
    return false;
  return navigator.storage.getDirectory().then(
    () => true,
    () => false,
  );
}

const throughMemory: Target = async (document, signal) => {
  const blob = await document.blob();
  signal.throwIfAborted();
  const url = download(blob, document.name);
  setTimeout(() => URL.revokeObjectURL(url), GRACE);
};

/** The lock says that a download is under way in some tab; `sweepDownloads` waits for a time without any. */
const throughDisk: Target = (document, signal) =>
  new Promise((resolve, reject) => {
    const work = async () => {
      await copyThroughDisk(document, signal).then((removed) => {
        resolve();
        return removed.gone;
      }, reject);
    };
    void navigator.locks.request(FOLDER, { mode: "shared" }, work);
  });

async function copyThroughDisk(document: Saved, signal: AbortSignal): Promise<{ gone: Promise<void> }> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  const handle = await folder.getFileHandle(crypto.randomUUID(), { create: true });
  const remove = () => folder.removeEntry(handle.name).catch(() => {});
  try {
    await document.stream.pipeTo(await handle.createWritable(), { signal });
  } catch (error) {
    await remove();
    throw error;
  }
  const url = download(await handle.getFile(), document.name);
  const gone = new Promise<void>((resolve) => {
    setTimeout(() => {
      URL.revokeObjectURL(url);
      void remove().then(resolve);
    }, GRACE);
  });
  return { gone };
}

/** Removes what a download left in the private file system when its page was closed too early. */
export async function sweepDownloads(): Promise<void> {
  await navigator.locks.request(FOLDER, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    if (!(await hasPrivateFiles())) return;
    const root = await navigator.storage.getDirectory();
    // Not there most of the time.
    await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
  });
}

function download(blob: Blob, name: string): string {
  const link = document.createElement("a");
  // As plain bytes: a type would let some browsers show the content in a tab of the app's own origin.
  const url = URL.createObjectURL(blob.slice(0, blob.size, "application/octet-stream"));
  link.href = url;
  link.download = name;
  link.click();
  return url;
}
