/** Saves an opened document to the device. */

import type { OpenDocument } from "#web/browser/index.ts";

/** Bytes above which a browser that can asks for a file to write into; others hold all of it in memory. */
const MEMORY = 32e6;
/** How long a download may take to begin reading, milliseconds. */
const GRACE = 60_000;

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Saves a document once it is open. */
export type Target = (opened: OpenDocument) => Promise<void>;

/**
 * Asks where to save, where it has to be asked: while the press that it answers still counts. Rejects with an `AbortError` when the person
 * changes their mind.
 */
export async function chooseTarget(name: string, size: number): Promise<Target> {
  const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  if (!picker || size <= MEMORY) return download;
  const handle = await picker.call(globalThis, { suggestedName: name });
  return async (opened) => opened.stream.pipeTo(await handle.createWritable());
}

/** Nothing of it is saved before all of it has been verified. */
async function download(opened: OpenDocument): Promise<void> {
  // As plain bytes: a type would let some browsers show the content in a tab of the app's own origin.
  const blob = new Blob([await opened.blob()], { type: "application/octet-stream" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = opened.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), GRACE);
}
