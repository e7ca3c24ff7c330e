import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { CofferError } from "#protocol/error.ts";

const LENGTH = 32;

/**
 * The 32-byte key under which the store is encrypted, from a file that only its owner can read. Made from
 * `random` when there is none; a file of another length or mode is refused, since a store sealed under a
 * wrong key could never be read again.
 */
export function readKeyFile(path: string, random: (length: number) => Uint8Array): Uint8Array {
  try {
    return read(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  make(path, random(LENGTH));
  return read(path);
}

function read(path: string): Uint8Array {
  const { mode } = statSync(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new CofferError("key-file-open", {
      message: `The HSM's key file can be read by others: chmod 0600 ${path}`,
    });
  const key = readFileSync(path);
  if (key.length !== LENGTH)
    throw new CofferError("key-file-damaged", {
      message: `The HSM's key file is damaged: restore ${path} from a backup.`,
    });
  return new Uint8Array(key);
}

/** Whole or not at all: written and synced under another name, then linked to a name that must be free. */
function make(path: string, key: Uint8Array): void {
  const next = `${path}.${randomBytes(9).toString("base64url")}`;
  const file = openSync(next, "wx", 0o600);
  try {
    writeSync(file, key);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(next, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    unlinkSync(next);
  }
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
