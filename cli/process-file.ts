/** The settings of a process that stands beside an app: a JSON file, read once, and what its paths lead to. */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sentenceOf } from "#files/index.ts";
import { parseJson } from "#protocol/json.ts";
import { checked, object, type Shape, text, whole } from "#protocol/shape.ts";
import type { Place, TlsIdentity } from "#web/hosts/node/index.ts";
import { CommandError } from "./command-error.ts";
import { INPUT } from "./input.ts";

const path = text(1, 4096);

/** The one file of such a command, and whether it is to say in JSON what happens. Throws `CommandError` for another command line. */
export function processLine(command: string, args: string[]): { file: string; json: boolean } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: "boolean", default: false } },
  });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0) throw new CommandError(`${command} takes one file.`, 2);
  return { file, json: values.json };
}

/** One of the two: a Unix socket, or a port of 127.0.0.1. */
export const place = object({}, { socket: path, port: whole(0, 65535) });
/** Paths of PEM files: private key, certificate, and the authority whose clients are let in. */
export const identity = object({ key: path, cert: path, ca: path });

/** Paths in it count from the file's own folder; of `-`, standard input, from the one that we are in. */
export function readProcessFile<T>(
  file: string,
  shape: Shape<T>,
): { settings: T; pathTo(path: string): string } {
  try {
    const settings = checked(shape, parseJson(readFileSync(file === INPUT ? 0 : file, "utf8")));
    return { settings, pathTo: (path) => resolve(dirname(file), path) };
  } catch (error) {
    throw new CommandError(
      `${file} cannot be used. ${sentenceOf(error) ?? (error instanceof Error ? error.message : "")}`,
      1,
      error,
    );
  }
}

export function placeOf(given: { socket?: string; port?: number }, pathTo: (path: string) => string): Place {
  if (given.socket !== undefined && given.port === undefined) return { socket: pathTo(given.socket) };
  if (given.port !== undefined && given.socket === undefined) return { port: given.port };
  throw new CommandError("A process listens on a socket or on a port: name one of them.", 1);
}

export function identityOf(given: TlsIdentity, pathTo: (path: string) => string): TlsIdentity {
  const read = (path: string) => readFileSync(pathTo(path), "utf8");
  return { key: read(given.key), cert: read(given.cert), ca: read(given.ca) };
}
