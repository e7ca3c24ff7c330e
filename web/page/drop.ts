/** Files and folders that come in: dropped anywhere on the page, or chosen. A file of a folder brings with it where in it it was. */

/** A file, and the folder that it was in, its parts joined by `/`; empty for one that came alone. */
export interface Incoming {
  file: File;
  folder: string;
}

export interface DropOptions {
  accepts: () => boolean;
  onFiles: (files: Incoming[]) => void;
  /** Something of what was dropped could not be read. */
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
    const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
    void read(dropped).then(onFiles, onFailure);
  });
}

async function read(
  dropped: readonly { entry: FileSystemEntry | null; file: File | null }[],
): Promise<Incoming[]> {
  const files: Incoming[] = [];
  for (const { entry, file } of dropped) {
    if (entry?.isDirectory) files.push(...(await filesOf(entry as FileSystemDirectoryEntry)));
    else if (file) files.push({ file, folder: "" });
  }
  return files;
}

/** All files below a folder, whatever its depth. */
async function filesOf(top: FileSystemDirectoryEntry): Promise<Incoming[]> {
  const files: Incoming[] = [];
  const waiting = [{ entry: top, folder: top.name }];
  for (const { entry, folder } of waiting) {
    const reader = entry.createReader();
    for (;;) {
      // A hundred or so at a time, and none at the end.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) break;
      for (const each of some) {
        if (each.isDirectory)
          waiting.push({ entry: each as FileSystemDirectoryEntry, folder: `${folder}/${each.name}` });
        else {
          const file = await new Promise<File>((resolve, reject) =>
            (each as FileSystemFileEntry).file(resolve, reject),
          );
          files.push({ file, folder });
        }
      }
    }
  }
  return files;
}
