import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { constants, type FileHandle, link, lstat, open, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface WholeFileOptions {
  /** Whether a file or a symbolic link of that name gives way. A link is replaced, never followed. */
  replace?: boolean;
  /** Permissions from the moment the file has its name; 0600 by default, and always 0600 until then. */
  mode?: number;
}

/** Not on every platform; where it is missing, exclusive creation does not follow links either. */
const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW = 0 } = constants;

/** What file systems without hard links say: FAT, some network shares. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "EISDIR"];

/**
 * A file that gets its name when all of it is there and on the disk. Until then it has a random name of its own in the
 * same folder, which nobody else can read, and which is gone after `discard` and when the process ends, by whatever but
 * SIGKILL. What was there before is replaced only when that was asked for, however late it came.
 */
export class WholeFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #replace: boolean;
  readonly #mode: number;
  readonly #removeAtExit: () => void;

  private constructor(
    path: string,
    temporary: string,
    file: FileHandle,
    { replace = false, mode = 0o600 }: WholeFileOptions,
  ) {
    this.path = path;
    this.#temporary = temporary;
    this.#file = file;
    this.#replace = replace;
    this.#mode = mode;
    this.#removeAtExit = () => rmSync(temporary, { force: true });
    process.on("exit", this.#removeAtExit);
  }

  static async create(path: string, options: WholeFileOptions = {}): Promise<WholeFile> {
    // Short, so that a name of any length that the file system takes can be written.
    const temporary = join(dirname(path), `.coffer-${randomBytes(9).toString("base64url")}`);
    const file = await open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    return new WholeFile(path, temporary, file, options);
  }

  async write(chunk: Uint8Array | string): Promise<void> {
    await this.#file.writeFile(chunk);
  }

  /** Gives the file its name. When that fails, or anything did before, `discard` is still to be called. */
  async finish(): Promise<void> {
    if (this.#mode !== 0o600) await this.#file.chmod(this.#mode);
    await this.#file.sync();
    await this.#file.close();
    if (this.#replace) await rename(this.#temporary, this.path);
    else await this.#name();
    process.off("exit", this.#removeAtExit);
    await syncFolder(dirname(this.path));
  }

  /** Leaves nothing. Never throws. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
    process.off("exit", this.#removeAtExit);
  }

  /** A link fails where the name is taken, which a renaming does not. */
  async #name(): Promise<void> {
    try {
      await link(this.#temporary, this.path);
    } catch (error) {
      if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      return this.#claim();
    }
    await unlink(this.#temporary);
  }

  /** Without links: an empty file takes the name, which fails where it is taken, and gives way at once. */
  async #claim(): Promise<void> {
    await (await open(this.path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, this.#mode)).close();
    try {
      await rename(this.#temporary, this.path);
    } catch (error) {
      await rm(this.path, { force: true }).catch(() => {});
      throw error;
    }
  }
}

/** Writes a short file, whole or not at all. Errors are the system's own: `EEXIST` where the name is taken. */
export async function writeWhole(
  path: string,
  content: Uint8Array | string,
  options: WholeFileOptions = {},
): Promise<void> {
  if (options.replace) await refuseSpecial(path);
  const file = await WholeFile.create(path, options);
  try {
    await file.write(content);
    await file.finish();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Gives a file that is whole another name, in the place of what has that one, so that it survives a loss of power. In one folder. */
export async function moveWhole(from: string, to: string): Promise<void> {
  await refuseSpecial(to);
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** A device, pipe or socket is never replaced by a file. */
async function refuseSpecial(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (!there || there.isFile() || there.isSymbolicLink()) return;
  const code = there.isDirectory() ? "EISDIR" : "EEXIST";
  throw Object.assign(new Error(`${code}: ${path} is no file`), { code, syscall: "rename", path });
}

/** So that the name survives a loss of power; not every platform and file system can. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  if (!folder) return;
  await folder.sync().catch(() => {});
  await folder.close();
}
