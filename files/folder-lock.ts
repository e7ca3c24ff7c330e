import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { CofferError } from "#protocol/error.ts";
import { makeFolder } from "./make-folder.ts";

/** A folder that is this process's own until it is released, or until the process ends in whatever way. */
export interface FolderLock {
  release(): void;
}

/** SQLITE_BUSY */
const BUSY = 5;
/** Between two tries of one that waits, and how long it waits in all, milliseconds. */
const AGAIN = 50;
const PATIENCE = 20_000;

/**
 * Takes a folder for this process alone. The lock is one of the operating system's (that of an SQLite database which is
 * never written), so it ends with its process, and nothing has to guess whether a holder still lives. The holder's
 * number stands beside it, for the sentence. Error: `folder-in-use`.
 */
export function lockFolder(dir: string, name = "coffer"): FolderLock {
  makeFolder(dir);
  const pidFile = join(dir, `${name}.pid`);
  const database = new DatabaseSync(join(dir, `${name}.lock`), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw new CofferError("folder-in-use", {
      message: `${dir} is in use by ${holder(pidFile)}: stop that one, or name another folder with --dir.`,
      cause: error,
    });
  }
  try {
    rmSync(pidFile, { force: true });
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    database.close();
    throw error;
  }
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    process.off("exit", release);
    // Before the lock goes, while the file is still our own.
    rmSync(pidFile, { force: true });
    database.close();
  };
  // It also keeps the database alive: what is collected is closed, and the lock gone, though nobody released it.
  process.on("exit", release);
  return { release };
}

/** Runs `work` while the folder is this process's own; waits for another one that has it. */
export async function whileLocked<T>(dir: string, name: string, work: () => Promise<T>): Promise<T> {
  const until = Date.now() + PATIENCE;
  for (;;) {
    let lock: FolderLock;
    try {
      lock = lockFolder(dir, name);
    } catch (error) {
      const wait = error instanceof CofferError && error.code === "folder-in-use" && Date.now() < until;
      if (!wait) throw error;
      await setTimeout(AGAIN);
      continue;
    }
    try {
      return await work();
    } finally {
      lock.release();
    }
  }
}

function holder(pidFile: string): string {
  try {
    const pid = Number(readFileSync(pidFile, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? `process ${pid}` : "another process";
  } catch {
    return "another process";
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === BUSY;
}
