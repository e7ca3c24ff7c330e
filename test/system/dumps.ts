/**
 * Whoever has dumps of stores, knows the formats and has keys of the hierarchy to try: what they make of it. Nothing here asks
 * the system that runs.
 */

import { createDecipheriv, createPrivateKey, type KeyObject, privateDecrypt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { utf8 } from "#protocol/bytes.ts";
import { type Header, open, parseHeader } from "#protocol/envelope/index.ts";
import { CEK_LABEL, DATA_LABEL } from "#protocol/oaep-labels.ts";
import { edgeDatabases } from "./databases.ts";

const PRIVATE_KEY = /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----/g;
const JWS = /eyJ[\w-]{20,}\.[\w-]{40,}\.[\w-]{86}/g;
const MAXIMUM_LONG = 8192;
/** Bytes of a key of 32 that is wrapped by RFC 3394. */
const WRAPPED = 40;

/** What dumps give away: documents, and bytes that may be a key or a wrapped one. */
export class Loot {
  readonly #keys = new Map<string, Buffer>();
  readonly #wrapped = new Map<string, Buffer>();
  /** As long as the private half of a pair of 3072 bits (PKCS#8) with nonce and tag of AES-GCM. */
  readonly #sealed = new Map<string, Buffer>();
  /** As long as what is encrypted to an app-specific key, or to an account key that is a pair (RSA of 3072 bits). */
  readonly #encrypted = new Map<string, Buffer>();
  /** As long as a private half with the content-encryption key that it is under: Enc(account) or Enc(master), of pairs both. */
  readonly #enveloped = new Map<string, Buffer>();
  /** Private keys that lie there in the clear. */
  readonly #found: KeyObject[] = [];
  /** Values of rows that are longer than a key: one may stand anywhere in them. */
  readonly #long: Uint8Array[] = [];
  readonly documents: Buffer[] = [];
  /** Signed records that stand there, EDKs among them. */
  readonly records = new Set<string>();

  /** All files below a folder; the databases row by row, deleted pages and logs as they lie there. */
  folder(path: string): this {
    for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = this.file(readFileSync(join(entry.parentPath, entry.name)));
      for (const [pem] of text.matchAll(PRIVATE_KEY)) this.found(createPrivateKey(pem));
    }
    for (const database of edgeDatabases(path)) this.#rows(database);
    return this;
  }

  /** A file, or what was downloaded: a document, and whatever stands in it. Its bytes as text. */
  file(bytes: Buffer): string {
    if (isDocument(bytes)) this.documents.push(bytes);
    const text = bytes.toString("latin1");
    this.text(text);
    return text;
  }

  /** A private key that lay somewhere in the clear. */
  found(key: KeyObject): this {
    this.#found.push(key);
    return this;
  }

  key(bytes: Uint8Array): this {
    const value = Buffer.from(bytes);
    if (value.length === 32) this.#keys.set(value.toString("hex"), value);
    if (value.length === 40) this.#wrapped.set(value.toString("hex"), value);
    if (value.length > 1700 && value.length < 1900) this.#sealed.set(value.toString("hex"), value);
    if (value.length === 384) this.#encrypted.set(value.toString("hex"), value);
    if (value.length > 2084 && value.length < 2284) {
      this.#enveloped.set(value.toString("hex"), value);
      this.key(value.subarray(0, 384)).key(value.subarray(384));
    }
    return this;
  }

  get wrapped(): Buffer[] {
    return [...this.#wrapped.values()];
  }

  get sealed(): Buffer[] {
    return [...this.#sealed.values()];
  }

  get enveloped(): Buffer[] {
    return [...this.#enveloped.values()];
  }

  get encrypted(): Buffer[] {
    return [...this.#encrypted.values()];
  }

  /** What stands in a text as base64url or hex, and in the texts that such text holds. */
  text(text: string, depth = 0): void {
    for (const [record] of text.matchAll(JWS)) this.records.add(record);
    for (const [token] of text.matchAll(/[\w-]{43,}/g)) {
      const decoded = Buffer.from(token, /^([0-9a-f]{64}|[0-9a-f]{80})$/.test(token) ? "hex" : "base64url");
      this.key(decoded);
      if (depth < 3 && decoded.length > 40) this.text(decoded.toString("latin1"), depth + 1);
    }
  }

  /** Decrypts what is encrypted to an app-specific key, or under a pair of the hierarchy. */
  decryptBy(key: KeyObject): this {
    for (const encrypted of this.#encrypted.values())
      for (const label of [undefined, DATA_LABEL, CEK_LABEL])
        try {
          const oaepLabel = label === undefined ? {} : { oaepLabel: utf8(label) };
          this.key(privateDecrypt({ key, oaepHash: "sha256", ...oaepLabel }, encrypted));
        } catch {
          // It is encrypted to another key, or is something else.
        }
    return this;
  }

  /** Looks in long values for keys, by what they unwrap. */
  searchLong(): this {
    for (const value of this.#long)
      for (let at = 0; at + 32 <= value.length; at++)
        for (const wrapped of this.wrapped) {
          const unwrapped = unwrap(wrapped, value.subarray(at, at + 32));
          if (unwrapped) this.key(unwrapped);
        }
    return this;
  }

  /** Looks for wrapped keys where rows were deleted: at any place of the databases below a folder, once their logs are written back, by what these keys unwrap. */
  searchDeleted(folder: string, keys: readonly Uint8Array[]): this {
    for (const path of edgeDatabases(folder)) {
      const database = new DatabaseSync(path);
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      database.close();
      const bytes = readFileSync(path);
      for (let at = 0; at + WRAPPED <= bytes.length; at++) {
        const wrapped = bytes.subarray(at, at + WRAPPED);
        // Pages are mostly empty.
        if (wrapped[0] === 0 && wrapped[1] === 0) continue;
        for (const key of keys) if (unwrap(wrapped, key)) this.key(wrapped);
      }
    }
    return this;
  }

  /** The plaintexts that come out, by every key that is there or can be unwrapped. */
  async open(): Promise<string[]> {
    for (const key of this.#found) this.decryptBy(key);
    // App-specific, master, account and data keys: the fourth round finds nothing that the third did not.
    for (let round = 0; round < 4; round++) {
      for (const wrapped of this.wrapped)
        for (const key of [...this.#keys.values()]) {
          const unwrapped = unwrap(wrapped, key);
          if (unwrapped) this.key(unwrapped);
        }
      for (const sealed of this.sealed)
        for (const key of this.#keys.values()) {
          const pair = unseal(sealed, key);
          if (pair) this.decryptBy(pair);
        }
    }
    const opened: string[] = [];
    for (const document of this.documents)
      for (const key of this.#keys.values()) {
        const text = await openWith(document, key);
        if (text !== null) opened.push(text);
      }
    return opened;
  }

  #rows(path: string): void {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
      for (const { name } of tables)
        for (const row of rowsOf(database, String(name)))
          for (const value of Object.values(row)) {
            if (value instanceof Uint8Array) {
              this.key(value);
              if (value.length > 40 && value.length <= MAXIMUM_LONG) this.#long.push(value);
            }
            if (typeof value === "string") this.text(value);
          }
    } finally {
      database.close();
    }
  }
}

function isDocument(bytes: Uint8Array): boolean {
  return headerOf(bytes) !== null;
}

function headerOf(bytes: Uint8Array): Header | null {
  try {
    return parseHeader(bytes);
  } catch {
    return null;
  }
}

/** RFC 3394; null where the key is another. */
function unwrap(wrapped: Uint8Array, key: Uint8Array): Buffer | null {
  try {
    const cipher = createDecipheriv("id-aes256-wrap", key, Buffer.alloc(8, 0xa6));
    return Buffer.concat([cipher.update(wrapped), cipher.final()]);
  } catch {
    return null;
  }
}

/** PKCS#8 under AES-GCM; null where the key is another. */
function unseal(sealed: Uint8Array, key: Uint8Array): KeyObject | null {
  try {
    const cipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
    cipher.setAuthTag(sealed.subarray(-16));
    const der = Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]);
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    return null;
  }
}

async function openWith(document: Buffer, key: Buffer): Promise<string | null> {
  const header = headerOf(document);
  if (header === null) return null;
  const { subtle } = crypto;
  const dataKey = await subtle.importKey("raw", new Uint8Array(key), "HKDF", false, ["deriveKey"]);
  const plain = open(new Blob([new Uint8Array(document)]).stream(), {
    subtle,
    dataKey: () => dataKey,
    context: header.context,
  });
  return new Response(plain).text().catch(() => null);
}

/** Times in nanoseconds are no numbers. */
function rowsOf(database: DatabaseSync, table: string) {
  const statement = database.prepare(`SELECT * FROM "${table}"`);
  statement.setReadBigInts(true);
  return statement.all();
}
