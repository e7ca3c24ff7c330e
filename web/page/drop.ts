/** Dropping files anywhere on the page. */

export interface DropOptions {
  accepts: () => boolean;
  onFiles: (files: File[]) => void;
  /** A folder was among what was dropped; it is left out. */
  onFolder: () => void;
}

/** Shows `overlay` while files are held over the window, and takes them when they are let go. */
export function dropTarget(overlay: HTMLElement, { accepts, onFiles, onFolder }: DropOptions): void {
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
    const files = items
      .filter((item) => !item.webkitGetAsEntry()?.isDirectory)
      .map((item) => item.getAsFile());
    if (files.length < items.length) onFolder();
    onFiles(files.filter((file) => file !== null));
  });
}
