/**
 * Signed notes (c2sp.org/signed-note), the checkpoint that a log signs as one (c2sp.org/tlog-checkpoint), and when it did (c2sp.org/tlog-cosignature): Ed25519 alone, by WebCrypto.
 * Bytes of a key identifier: 4; of a signature: 64; of a key: 32.
 */

import { compareBytes } from "../byte-order.ts";
import { concat, encodeHex, utf8 } from "../bytes.ts";
import { sha256 } from "../digest.ts";

const ED25519 = 1;
/** Of a signature that has a time in it; the same key may make both. */
const COSIGNATURE = 4;
/** Bytes of the time in one, before the signature. */
const TIME = 8;
/** Characters of a checkpoint with its signatures. */
const MAX_NOTE = 4096;
const NAME = /^[^\s+]{1,128}$/;

/** Who signs: `name` says which log it is, `key` its public key. */
export type NoteKey = { name: string; key: Uint8Array<ArrayBuffer> };
export type NoteSigner = NoteKey & { sign(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> };

/** A tree as its log has signed it. */
export type LogCheckpoint = { size: number; root: Uint8Array };
/** `time`: when its log has said last that this is its tree, seconds since 1970; null where it does not say. */
export type TimedCheckpoint = LogCheckpoint & { time: number | null };

/** The checkpoint of a log whose name is the signer's; of now, in seconds since 1970, where that is given. */
export async function signCheckpoint(
  { size, root }: LogCheckpoint,
  signer: NoteSigner,
  now?: number,
): Promise<string> {
  const text = `${signer.name}\n${size}\n${base64(root)}\n`;
  const line = (...parts: Uint8Array[]) => `\u2014 ${signer.name} ${base64(concat(...parts))}\n`;
  const plain = line(await identifierOf(signer), await signer.sign(utf8(text)));
  if (now === undefined) return `${text}\n${plain}`;
  const time = new Uint8Array(TIME);
  new DataView(time.buffer).setBigUint64(0, BigInt(now));
  const timed = await signer.sign(timedInput(now, text));
  return `${text}\n${plain}${line(await identifierOf(signer, COSIGNATURE), time, timed)}`;
}

function timedInput(time: number | bigint, text: string): Uint8Array<ArrayBuffer> {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`);
}

/** Reads a checkpoint that this key has signed, whoever signed it besides. Throws `TypeError` with the reason. */
export async function verifyCheckpoint(note: string, by: NoteKey): Promise<TimedCheckpoint> {
  const [, text = "", lines = ""] =
    note.length > MAX_NOTE ? [] : (/^((?:[^\n]+\n)+)\n((?:\u2014 [^\n]+\n)+)$/.exec(note) ?? []);
  const own = lines
    .split("\n")
    .map((line) => /^\u2014 (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line))
    .filter((line) => line?.[1] === by.name)
    .map((line) => bytesOf(line?.[2] ?? ""));
  const of = (identifier: Uint8Array, length: number) =>
    own.filter((bytes) => bytes.length === length && compareBytes(bytes.subarray(0, 4), identifier) === 0);
  const signatures = of(await identifierOf(by), 68);
  const key = await crypto.subtle.importKey("raw", by.key, "Ed25519", false, ["verify"]);
  const verified = await Promise.all(
    signatures.map((bytes) => crypto.subtle.verify("Ed25519", key, bytes.slice(4), utf8(text))),
  );
  if (!verified.includes(true)) throw new TypeError("the checkpoint is not signed by the log's key");
  const [origin, size = "", root = "", ...more] = text.split("\n");
  if (origin !== by.name || more.some((line) => line !== ""))
    throw new TypeError("a checkpoint of another log");
  if (!/^(0|[1-9]\d{0,14})$/.test(size) || !/^[A-Za-z0-9+/]{43}=$/.test(root))
    throw new TypeError("not a checkpoint");
  const times = await Promise.all(
    of(await identifierOf(by, COSIGNATURE), 68 + TIME).map(async (bytes) => {
      const time = new DataView(bytes.buffer).getBigUint64(4);
      const signed = timedInput(time, text);
      return (await crypto.subtle.verify("Ed25519", key, bytes.slice(4 + TIME), signed))
        ? Number(time)
        : null;
    }),
  );
  const known = times.flatMap((time) => (time !== null && Number.isSafeInteger(time) ? [time] : []));
  return { size: Number(size), root: bytesOf(root), time: known.length === 0 ? null : Math.max(...known) };
}

/** The key as one text: name, identifier, algorithm and key (c2sp.org/signed-note). */
export async function noteKeyText(of: NoteKey): Promise<string> {
  const identifier = encodeHex(await identifierOf(of));
  return `${of.name}+${identifier}+${base64(concat(Uint8Array.of(ED25519), of.key))}`;
}

/** Reads what `noteKeyText` writes. Throws `TypeError` for anything else. */
export async function parseNoteKey(text: string): Promise<NoteKey> {
  const [, name = "", , encoded = ""] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const [algorithm, ...key] = bytesOf(encoded);
  const parsed = { name, key: Uint8Array.from(key) };
  if (algorithm !== ED25519 || key.length !== 32 || !NAME.test(name) || (await noteKeyText(parsed)) !== text)
    throw new TypeError("not the key of a log");
  return parsed;
}

async function identifierOf({ name, key }: NoteKey, kind = ED25519): Promise<Uint8Array<ArrayBuffer>> {
  if (!NAME.test(name)) throw new TypeError("not the name of a log");
  const hashed = await sha256(concat(utf8(name), Uint8Array.of(0x0a, kind), key));
  return hashed.slice(0, 4);
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** None for what is no base64, or is another text than that of its bytes: its last character may have bits that belong to none. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return base64(bytes) === text ? bytes : new Uint8Array();
  } catch {
    return new Uint8Array();
  }
}
