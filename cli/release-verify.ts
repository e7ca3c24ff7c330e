import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { writeWhole } from "#files/index.ts";
import { utf8 } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { type Release, verifyRelease } from "#protocol/evidence/index.ts";
import {
  consistencyProof,
  inclusionProof,
  type LogCheckpoint,
  leafHash,
  type NoteKey,
  parseNoteKey,
  type TimedCheckpoint,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from "#protocol/log/index.ts";
import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";
import { print } from "./output.ts";
import { readPublicKey } from "./registered-key.ts";
import { entriesOf, logAt, nodesOf, type ReadLog, readCheckpoint, readOnce } from "./release-log.ts";
import { shown } from "./shown.ts";
import { checkVault } from "./vault-check.ts";
import type { Finding } from "./vault-file.ts";
import { isOriginFor } from "./vault-rules.ts";

/** What can be wrong beside the vault's files. */
type Reason =
  | Finding["kind"]
  | "log-forked"
  | "log-old"
  | "log-unsigned"
  | "log-broken"
  | "release-unsigned"
  | "release-order";

class LogFault extends Error {
  readonly kind: Reason;
  constructor(kind: Reason, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** `coffer release verify VAULT` (M21): 0 where the vault is what the newest release in the log says, 1 where it is not. */
export async function releaseVerify(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      log: { type: "string" },
      "log-key": { type: "string" },
      key: { type: "string" },
      app: { type: "string", multiple: true, default: [] },
      checkpoint: { type: "string" },
      "max-age": { type: "string" },
      json: { type: "boolean" },
    },
  });
  const [vault, ...more] = positionals;
  const { log, key } = values;
  if (vault === undefined || more.length > 0 || !URL.canParse(vault))
    throw new CommandError("coffer release verify: name the vault's origin. Try --help.", 2);
  if (log === undefined || key === undefined || values["log-key"] === undefined)
    throw new CommandError("--log, --log-key and --key say which log and whose releases.", 2);
  const logKey = await parseNoteKey(values["log-key"]).catch((error: Error) => {
    throw new CommandError(
      "--log-key takes the key of a log, as `coffer release --log` prints it.",
      2,
      error,
    );
  });
  const notOne = values.app.find((app) => !isOriginFor(vault, app));
  if (notOne !== undefined)
    throw new CommandError(`--app takes one origin with the vault's scheme, and ${notOne} is none.`, 2);
  const maxAge = values["max-age"];
  if (maxAge !== undefined && !/^[1-9]\d{0,3}$/.test(maxAge))
    throw new CommandError("--max-age takes a number of days from 1 up.", 2);
  const publicKey = await readPublicKey("--key", key);
  const read = readOnce(logAt(log));
  let found: { kind: Reason; path: string; says: string }[];
  let release: Release | undefined;
  let framedBy: string[] = [];
  let since: number | null = null;
  try {
    const { tree, before } = await knownTree(read, logKey, values.checkpoint);
    since = before;
    if (maxAge !== undefined) checkAge(tree, Number(maxAge), Date.now() / 1000);
    const releases = await releasesOf(read, tree, (token) => verifyRelease(token, publicKey));
    release = releases.at(-1);
    if (release === undefined) throw new LogFault("log-broken", "the log has no release");
    ({ found, framedBy } = await checkVault(new URL(vault).origin, release, {
      older: releases.slice(0, -1),
      apps: values.app,
    }));
    // Kept when the log was found good: a later one has to go on from it.
    if (values.checkpoint !== undefined)
      await writeWhole(values.checkpoint, utf8(tree.note), { replace: true, mode: 0o644 });
  } catch (error) {
    if (!(error instanceof LogFault)) throw error;
    found = [{ kind: error.kind, path: "", says: error.message }];
  }
  if (values.json) {
    await print(jsonLine({ vault, release: release?.release ?? null, found, framedBy, since }));
  } else if (found.length === 0 && release !== undefined) {
    await print(
      `${shown(vault)} is release ${release.release}: ${release.files.length} files in the log's manifest.\n`,
    );
    if (values.app.length === 0)
      await print(
        `It may be framed by ${shown(framedBy.join(", "))}: whether these are its apps was not checked (--app).\n`,
      );
    if (since === null)
      await print(
        "Whether the log is as new as it was at an earlier run was not checked: there was no checkpoint (--checkpoint).\n",
      );
  } else {
    for (const { kind, path, says } of found)
      await print(`${kind}: ${shown(path)}${path === "" ? "" : " "}${shown(says)}\n`);
  }
  return found.length === 0 ? 0 : 1;
}

/** The log's tree, which must go on from the one that was kept earlier, and how many entries that had: null where none was kept, and any older state of the log would do. */
async function knownTree(read: ReadLog, key: NoteKey, kept: string | undefined) {
  const unsigned = (error: Error) => {
    throw new LogFault("log-unsigned", error.message);
  };
  const tree = await readCheckpoint(read, key).catch(unsigned);
  if (tree === null) throw new LogFault("log-broken", "the log has no checkpoint");
  const note = kept === undefined ? null : await readFile(kept, "utf8").catch(orNone);
  if (note === null) return { tree, before: null };
  const before = await verifyCheckpoint(note, key).catch(unsigned);
  if (before.size > tree.size) throw new LogFault("log-forked", "the log is shorter than it was");
  const proof = await consistencyProof(before.size, tree.size, nodesOf(read, tree.size)).catch(broken);
  if (!(await verifyConsistency(before, tree, proof)))
    throw new LogFault("log-forked", "the log does not go on from the checkpoint that was kept");
  return { tree, before: before.size };
}

/** Throws where the log has not said within so many days that this is its tree. A clock of ours that is a little behind will do. */
function checkAge({ time }: TimedCheckpoint, days: number, now: number): void {
  if (time === null) throw new LogFault("log-old", "the log does not say when it signed its checkpoint");
  if (time > now + CLOCK_TOLERANCE)
    throw new LogFault("log-old", "the log's checkpoint is of a time to come");
  if (time < now - days * 24 * 3600)
    throw new LogFault("log-old", `the log's checkpoint is of ${new Date(time * 1000).toISOString()}`);
}

/** All releases, each of which the log has and its key has signed, and whose numbers only grow. */
async function releasesOf(
  read: ReadLog,
  tree: LogCheckpoint,
  verify: (token: string) => Promise<Release>,
): Promise<Release[]> {
  const node = nodesOf(read, tree.size);
  const releases: Release[] = [];
  for (const [index, entry] of (await entriesOf(read, tree.size).catch(broken)).entries()) {
    const proof = await inclusionProof(index, tree.size, node).catch(broken);
    if (!(await verifyInclusion({ index, hash: await leafHash(entry) }, tree, proof)))
      throw new LogFault("log-broken", `entry ${index} is not in the tree that is signed`);
    const release = await verify(new TextDecoder().decode(entry)).catch(() => {
      throw new LogFault("release-unsigned", `entry ${index} is no release by this key`);
    });
    if (release.release <= (releases.at(-1)?.release ?? 0))
      throw new LogFault("release-order", `release ${release.release} comes after a later one`);
    releases.push(release);
  }
  return releases;
}

function broken(error: Error): never {
  throw new LogFault("log-broken", error.message);
}

function orNone(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
