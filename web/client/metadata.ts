/** What is sealed beside a document: its name, media type, size and time. The server stores it and cannot read it. */

import { utf8 } from "#protocol/bytes.ts";
import { putMetadata } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { fits, open, text, whole } from "#protocol/shape.ts";
import type { ContentName } from "./belonging.ts";
import { type DocumentKey, documentKey } from "./document-key.ts";

/** Metadata of a document. */
export interface Metadata {
  /** File name, 1 to 255 characters, without any path. */
  name: string;
  /** Media type in lower case; `application/octet-stream` when unknown. */
  type: string;
  /** Bytes of plaintext. */
  size: number;
  /** Last modification in milliseconds since the epoch, where known. */
  modified?: number;
  /** The folder that it was in, its parts joined by `/`, up to 1,024 characters; none for a file that came alone. */
  folder?: string;
  /** Which version of which document it is; none where it was sealed once and never again. */
  series?: Series;
}

/** A version of a document. Each is sealed as a document of its own. */
export interface Series {
  /** The id of the first version. */
  first: string;
  /** 1, and one more with each that follows. */
  version: number;
  /** The id of the one that it followed; of a version that was sealed again, its own before. */
  after: string;
}

const uuid = /* @__PURE__ */ text(36, 36, /^[0-9a-f-]{36}$/);
const ofSeries = /* @__PURE__ */ open({
  first: uuid,
  version: /* @__PURE__ */ whole(1, 2 ** 31),
  after: uuid,
});

/** Metadata as it was sealed. `content` is present from format 2 on. */
export interface SealedMetadata extends Metadata {
  content?: ContentName;
  /** Which key the document is under: in the copy for the list alone, which is under another one. */
  key?: DocumentKey | undefined;
}

/** Format of what is written today. In format 1, which has no mark, metadata did not name its content. */
const FORMAT = 2;

/** Largest sealed metadata message that the datastore takes, bytes. */
export const METADATA_LIMIT = putMetadata.request.limit;

/** Plaintext is padded to a multiple of this, so that the ciphertext does not reveal the length of a name. */
const BLOCK = 256;
const NAME_LIMIT = 255;
const FOLDER_LIMIT = 1024;
const TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** Metadata as bytes to be sealed: JSON, then spaces up to the block. Error: `name-too-long`. */
export function encodeMetadata({ content, key, ...metadata }: SealedMetadata): Uint8Array<ArrayBuffer> {
  if (metadata.name.length > NAME_LIMIT || (metadata.folder?.length ?? 0) > FOLDER_LIMIT)
    throw new CofferError("name-too-long");
  const json = utf8(JSON.stringify(content ? { format: FORMAT, ...metadata, content, key } : metadata));
  const padded = new Uint8Array(Math.ceil(json.length / BLOCK) * BLOCK).fill(0x20);
  padded.set(json);
  return padded;
}

/** Reads opened metadata. Sealed by another app of the tenant perhaps, so nothing in it is taken on trust. */
export function decodeMetadata(bytes: Uint8Array): SealedMetadata {
  let value: Partial<Record<keyof SealedMetadata | "format", unknown>>;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CofferError("decrypt-failed", { cause });
  }
  const { format, name, type, size, modified, folder, series, content, key } = value ?? {};
  if (typeof name !== "string" || !Number.isSafeInteger(size) || (size as number) < 0) {
    throw new CofferError("decrypt-failed");
  }
  if (Number.isSafeInteger(format) && (format as number) > FORMAT) throw new CofferError("newer-format");
  if (format !== undefined && format !== FORMAT) throw new CofferError("decrypt-failed");
  return {
    name: cleanName(name).slice(0, NAME_LIMIT),
    type: cleanType(typeof type === "string" ? type : ""),
    size: size as number,
    ...(isTime(modified) ? { modified } : {}),
    ...(typeof folder === "string" ? folderOf(folder) : {}),
    ...(fits(ofSeries, series) ? { series: seriesOf(series) } : {}),
    ...(format === FORMAT ? { content: decodeContentName(content) } : {}),
    ...(fits(documentKey, key) ? { key } : {}),
  };
}

/** Nothing else that may be beside it. */
function seriesOf({ first, version, after }: Series): Series {
  return { first, version, after };
}

/** Milliseconds that a Date can be of (ECMA-262, "Time Values and Time Range"). */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= 8.64e15;
}

function decodeContentName(value: unknown): ContentName {
  const { messageId, headerDigest } = Object(value) as Record<string, unknown>;
  if (!isDigest(messageId) || !isDigest(headerDigest)) throw new CofferError("decrypt-failed");
  return { messageId, headerDigest };
}

/** 32 bytes in base64url. */
function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[\w-]{43}$/.test(value);
}

/** Control characters, and those that change a direction. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

/** A name fit to show and to save under: no path, no control or direction-changing characters. */
export function cleanName(name: string): string {
  const base = name
    .replaceAll(CONTROLS, "")
    .replace(/^.*[/\\]/s, "")
    .trim();
  return base === "" || base === "." || base === ".." ? "document" : base;
}

/** A folder fit to show and to save under: relative, and nowhere above itself. Empty where nothing is left of it. */
export function cleanFolder(folder: string): string {
  const parts = folder.replaceAll(CONTROLS, "").split(/[/\\]/);
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "." && part !== "..")
    .join("/");
}

function folderOf(folder: string): Pick<Metadata, "folder"> {
  const clean = cleanFolder(folder.slice(0, FOLDER_LIMIT));
  return clean === "" ? {} : { folder: clean };
}

/** A media type without parameters, in lower case. */
export function cleanType(type: string): string {
  const essence = mediaTypeOf(type);
  return TYPE.test(essence) ? essence : "application/octet-stream";
}
