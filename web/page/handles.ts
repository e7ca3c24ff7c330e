/**
 * Files on this device by which uploads go on after a reload, without being chosen again: the handles that a browser gives with what is
 * dropped (Chromium), in IndexedDB. A handle has the file's place on the disk in it, so it goes as soon as the upload does.
 */

/** Bytes from which a file is sent in several parts, and can be paused. */
export const PAUSABLE = 8 << 20;

/** Database of the app's origin, version 1. */
const NAME = "coffer-files";
const STORE = "handles";
/** `upload`: account and document. */
type Kept = { upload: string; handle: FileHandle };

export type FileHandle = FileSystemFileHandle & {
  /** Asks the person where the browser has to; only as the answer to a press. */
  requestPermission?(options: { mode: "read" }): Promise<PermissionState>;
};

/** The handle of what is dropped; undefined where the browser has none to give. To be called while the drop is told. */
export async function handleOf(item: DataTransferItem): Promise<FileHandle | undefined> {
  const from = item as DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };
  // A browser gives none to files of its own, or of the system.
  const handle = await from.getAsFileSystemHandle?.().catch(() => null);
  return handle?.kind === "file" ? (handle as FileHandle) : undefined;
}

/** The file as it is now; undefined where the person does not allow it, or it is not there any more. */
export async function fileOf(handle: FileHandle): Promise<File | undefined> {
  try {
    const allowed = (await handle.requestPermission?.({ mode: "read" })) ?? "granted";
    return allowed === "granted" ? await handle.getFile() : undefined;
  } catch {
    return undefined;
  }
}

export async function keepHandle(upload: string, handle: FileHandle): Promise<void> {
  await within("readwrite", (handles) => handles.put({ upload, handle } satisfies Kept));
}

export async function forgetHandle(upload: string): Promise<void> {
  await within("readwrite", (handles) => handles.delete(upload));
}

/** Forgets all: nobody is signed in. */
export function forgetHandles(): void {
  indexedDB.deleteDatabase(NAME);
}

/** By upload. */
export async function keptHandles(): Promise<Map<string, FileHandle>> {
  const kept = await within("readonly", (handles): IDBRequest<Kept[]> => handles.getAll());
  return new Map(kept.map(({ upload, handle }) => [upload, handle]));
}

/** Opened for one act: it can be deleted at any other time. */
async function within<T>(
  mode: IDBTransactionMode,
  act: (handles: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => void opening.result.createObjectStore(STORE, { keyPath: "upload" });
  const database = await settled(opening);
  database.onversionchange = () => database.close();
  try {
    return await settled(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
