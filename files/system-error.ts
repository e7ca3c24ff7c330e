/** What the system refuses, in a sentence for the person at the terminal. */

/** By the system's code; `%` stands for what it is about. */
const SENTENCES: Readonly<Record<string, string>> = {
  EACCES: "%: you have no permission for it.",
  EADDRINUSE: "% is in use: stop what uses it, or choose another port.",
  EADDRNOTAVAIL: "%: this machine does not have that address.",
  EAGAIN: "%: it is busy. Try again.",
  EBUSY: "%: something else uses it. Close that and try again.",
  ECONNREFUSED: "%: nothing answers there. Start the server, or name another with its port.",
  ECONNRESET: "%: the connection was broken off.",
  EDQUOT: "%: your quota on this disk is used up. Make room and try again.",
  EEXIST: "%: something of that name is there already.",
  EFBIG: "%: the file system does not take a file of that size.",
  EIO: "%: the disk reports an error.",
  EISDIR: "%: it is a folder, and a file is needed.",
  ELOOP: "%: its symbolic links lead in a circle, or a link stands where none is followed.",
  EMFILE: "%: too many files are open. Raise the limit (ulimit -n) and try again.",
  ENAMETOOLONG: "%: the name is too long for this file system. Choose a shorter one.",
  ENFILE: "%: too many files are open on this machine. Close programs and try again.",
  ENODEV: "%: there is no such device.",
  ENOENT: "%: there is no such file or folder.",
  ENOSPC: "%: the disk is full. Make room and try again.",
  ENOTDIR: "%: a part of the path is a file, and a folder is needed.",
  ENOTEMPTY: "%: the folder is not empty.",
  ENOTFOUND: "%: there is no machine of that name.",
  ENXIO: "%: it cannot be opened: there is nothing behind it.",
  EPERM: "%: the system does not allow it.",
  EPIPE: "%: what reads it has ended.",
  EROFS: "%: the file system is read-only.",
  ETIMEDOUT: "%: no answer came in time.",
  ETXTBSY: "%: it is a program that runs. Stop it and try again.",
  EXDEV: "%: it is on another file system.",
};

/** SQLite's primary result codes (https://sqlite.org/rescode.html). */
const SQLITE: Readonly<Record<number, string>> = {
  5: "the database is in use by another process. Stop that one and try again.",
  8: "the database cannot be written. Check the permissions of its folder.",
  10: "the disk reports an error.",
  11: "the database is damaged. Restore it from a backup.",
  13: "the disk is full. Make room and try again.",
  14: "the database cannot be opened. Check the permissions of its folder.",
  26: "the database is damaged. Restore it from a backup.",
};

const GONE = "The folder that you are in is not there any more: change to another one.";

type SystemError = NodeJS.ErrnoException & { code: string; address?: string; port?: number; dest?: string };

/** Whether the system, and no fault of the program, is what failed. */
export function isSystemError(error: unknown): error is SystemError {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && error.code in SENTENCES
  );
}

/** The sentence for an error of the system, or for one that it caused; undefined for anything else. */
export function sentenceOf(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    const sqlite = sqliteSentence(cause);
    if (sqlite) return sqlite;
    if (isSystemError(cause) && cause.syscall === "uv_cwd") return GONE;
    if (isSystemError(cause)) return SENTENCES[cause.code]?.replace("%", () => subject(cause));
    // Happy Eyeballs: one error for each address that was tried.
    if (cause instanceof AggregateError && isSystemError(cause.errors[0])) return sentenceOf(cause.errors[0]);
  }
  return undefined;
}

/** What of the error names the thing. */
function subject({ path, dest, port, address, syscall = "the system" }: SystemError): string {
  if (port !== undefined && port > 0) return `Port ${port}${address ? ` on ${address}` : ""}`;
  return dest ?? path ?? (syscall === "write" ? "The output" : `On this machine (${syscall})`);
}

function sqliteSentence(error: Error): string | undefined {
  if (!("code" in error) || error.code !== "ERR_SQLITE_ERROR" || !("errcode" in error)) return undefined;
  const reason = SQLITE[Number(error.errcode) & 0xff];
  return reason && `The HSM's store: ${reason}`;
}
