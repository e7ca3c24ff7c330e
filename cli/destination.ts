import { close, constants, createWriteStream, fstatSync, open, type Stats, write } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { join, resolve, sep } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { WholeFile } from "#files/index.ts";
import { CommandError } from "./command-error.ts";
import { outputError, print } from "./output.ts";

/** Where a document is written to. After a failure, and in any case where `finish` was not reached, call `discard`. */
export interface Destination {
  /** As the user knows it: what will be there when it is finished. */
  readonly shown: string;
  write(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export interface DestinationOptions {
  /** Whether an existing file or symbolic link is replaced. */
  force: boolean;
  /** The name that the document gets in a folder. */
  name: string;
  signal?: AbortSignal | undefined;
}

/** Between two looks for a reader of a pipe, or for room at a device, milliseconds. */
const LOOK = 50;

/**
 * Decides by what exists. A file appears when it is whole, and replaces a file or a link only with `force`;
 * a link is never followed. Into a folder goes a file of the document's own name. A device, a pipe and an output that is
 * open already are written into, as nothing of theirs can be replaced.
 */
export async function openDestination(path: string, options: DestinationOptions): Promise<Destination> {
  if (path === "-") return standardOutput("standard output");
  if (path === "") throw new CommandError("--to takes a path.", 2);
  const descriptor = descriptorOf(path);
  if (descriptor === 1) return standardOutput(path);
  if (descriptor !== undefined) return openOutput(path, descriptor);
  const there = await lstat(path).catch(absent);
  const behind = there?.isSymbolicLink() ? await stat(path).catch(absent) : there;
  if (behind?.isDirectory()) return newFile(join(path, options.name), options);
  if (behind && isSpecial(behind)) return special(path, behind, options);
  if (path.endsWith("/") || path.endsWith(sep)) throw new CommandError(`${path}: there is no such folder.`);
  return newFile(path, options);
}

/** A file that replaces an existing one only with `force`, and never a folder or a device. */
export async function newFile(
  path: string,
  { force }: Pick<DestinationOptions, "force">,
): Promise<Destination> {
  const there = await lstat(path).catch(absent);
  if (there?.isDirectory() || (there && isSpecial(there)))
    throw new CommandError(`${path} is there already and is no file. Use --to for another name.`);
  if (there && !force) throw taken(path, there);
  const file = await WholeFile.create(resolve(path), { replace: force });
  return {
    shown: path,
    write: (chunk) => file.write(chunk),
    discard: () => file.discard(),
    async finish() {
      await file.finish().catch((error: NodeJS.ErrnoException) => {
        throw error.code === "EEXIST" ? taken(path) : error;
      });
    },
  };
}

function taken(path: string, there?: Stats): CommandError {
  const what = there?.isSymbolicLink() ? "is there already, a symbolic link" : "is there already";
  return new CommandError(`${path} ${what}. Use --to for another name, or --force to replace it.`);
}

async function special(path: string, there: Stats, options: DestinationOptions): Promise<Destination> {
  if (there.isSocket()) throw new CommandError(`${path} is a socket, which cannot be written into.`);
  if (there.isBlockDevice() && !options.force)
    throw new CommandError(`${path} is a disk. --force writes over what is on it.`);
  const fd = await openForWriting(path, options.signal);
  const now = fstatSync(fd);
  if (now.isFIFO()) return through(path, new Socket({ fd, readable: false, writable: true }));
  if (isSpecial(now)) return device(path, fd, options.signal);
  await promisify(close)(fd);
  throw new CommandError(`${path} was changed meanwhile. Try again.`);
}

/** A terminal or a line that is slower than we are says EAGAIN, as it was opened so as not to wait. */
function device(shown: string, fd: number, signal: AbortSignal | undefined): Destination {
  let open = true;
  const end = async () => {
    if (!open) return;
    open = false;
    await promisify(close)(fd);
  };
  return {
    shown,
    async write(chunk) {
      for (let rest = chunk; rest.length > 0; ) {
        signal?.throwIfAborted();
        try {
          const { bytesWritten } = await promisify(write)(fd, rest);
          rest = rest.subarray(bytesWritten);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          await setTimeout(LOOK, undefined, signal ? { signal } : {});
        }
      }
    },
    finish: end,
    discard: () => end().catch(() => {}),
  };
}

/**
 * A pipe that nobody reads yet is waited for, in a way that a signal ends. The bare descriptor: a `FileHandle` that nobody
 * holds is closed when it is collected, and the number is then another file's, into which the document would go.
 */
async function openForWriting(path: string, signal: AbortSignal | undefined): Promise<number> {
  const { O_WRONLY, O_NONBLOCK = 0 } = constants;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await promisify(open)(path, O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO" || !(await stat(path)).isFIFO()) throw error;
    }
    await setTimeout(LOOK, undefined, signal ? { signal } : {});
  }
}

function standardOutput(shown: string): Destination {
  return { shown, write: print, finish: async () => {}, discard: async () => {} };
}

/** An output that the shell has opened: `/dev/fd/63` of a process substitution, for one. */
function openOutput(path: string, fd: number): Destination {
  if (fd === 2) return through(path, process.stderr, false);
  let there: Stats;
  try {
    there = fstatSync(fd);
  } catch {
    throw new CommandError(`${path}: no such output is open.`);
  }
  if (there.isFIFO() || there.isSocket())
    return through(path, new Socket({ fd, readable: false, writable: true }));
  return through(path, createWriteStream(path, { fd }));
}

function through(shown: string, stream: Writable, ends = true): Destination {
  stream.on("error", () => {});
  return {
    shown,
    write: (chunk) =>
      new Promise((done, fail) => {
        stream.write(chunk, (error) => (error ? fail(outputError(error)) : done()));
      }),
    finish: () =>
      new Promise((done, fail) => {
        if (!ends) return done();
        stream.once("error", (error) => fail(outputError(error)));
        stream.end(done);
      }),
    discard: async () => {
      if (ends) stream.destroy();
    },
  };
}

/** The number of an output that is open already. By name, as Linux shows it as a link and others as a device. */
function descriptorOf(path: string): number | undefined {
  if (process.platform === "win32") return undefined;
  const named = { "/dev/stdout": 1, "/dev/stderr": 2 }[path];
  const [, number] = /^\/(?:dev|proc\/self)\/fd\/(\d{1,6})$/.exec(path) ?? [];
  return named ?? (number === undefined ? undefined : Number(number));
}

function isSpecial(stats: Stats): boolean {
  return stats.isCharacterDevice() || stats.isBlockDevice() || stats.isFIFO() || stats.isSocket();
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
