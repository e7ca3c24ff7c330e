/**
 * Files on this machine: written whole or not at all, and folders that one process alone may use. Node only. May import:
 * protocol/*.ts, node:. Imported by emulator, cli, web/hosts/node, test, bench.
 */
export { type FolderLock, lockFolder, whileLocked } from "./folder-lock.ts";
export { makeFolder } from "./make-folder.ts";
export { readIfThere } from "./read-if-there.ts";
export { isSystemError, sentenceOf } from "./system-error.ts";
export { moveWhole, WholeFile, type WholeFileOptions, writeWhole } from "./whole-file.ts";
