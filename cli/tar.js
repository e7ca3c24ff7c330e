// Reads tar archives (POSIX ustar, and GNU's long names), so that nothing but Node is needed to unpack one.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * @typedef {{ name: string, mode: number, bytes: Buffer }} TarFile a regular file; name with its folders
 */

/**
 * Writes the regular files of an archive below a folder, with their modes, writable by nobody but their owner.
 *
 * @param {Buffer} archive not compressed
 * @param {string} folder
 * @param {{ strip?: string }} [options] `strip`: what is taken off the beginning of the names
 */
export function unpackTar(archive, folder, { strip = "" } = {}) {
  for (const { name, mode, bytes } of tarFiles(archive)) {
    const path = join(folder, name.startsWith(strip) ? name.slice(strip.length) : name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { mode: mode & 0o755 });
  }
}

const BLOCK = 512;
/** The name of the next entry, which is longer than a header has room for (GNU). */
const LONG_NAME = "L";

/**
 * The regular files of an archive, in its order. Links, devices and folders are left out.
 *
 * @param {Buffer} archive not compressed
 * @returns {Generator<TarFile>}
 * @throws {Error} where it ends within an entry, or a name leads out of the folder that it is unpacked into
 */
export function* tarFiles(archive) {
  let long = "";
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = octal(header, 124, 12);
    const bytes = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (bytes.length < size) throw new Error("The archive ends within a file.");
    const type = String.fromCharCode(header[156] ?? 0);
    const prefix = text(header, 345, 155);
    const name = long || (prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100));
    long = type === LONG_NAME ? text(bytes, 0, size) : "";
    if (type === "0" || type === "\0") {
      if (name.startsWith("/") || name.split("/").includes("..")) throw new Error(`${name} leads out.`);
      yield { name, mode: octal(header, 100, 8), bytes };
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} length
 */
function text(bytes, start, length) {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString("utf8");
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} length
 */
function octal(bytes, start, length) {
  const digits = text(bytes, start, length).trim();
  if (!/^[0-7]+$/.test(digits)) throw new Error("The archive is damaged.");
  return Number.parseInt(digits, 8);
}
