import type { KeyObject } from "node:crypto";
import type { ManagedObject } from "./managed-object.ts";

/** An object as its row has it, in clear. `version` is the nonce that the row is sealed with. */
export interface OpenedObject {
  plain: Buffer;
  version: Uint8Array;
  /** Where it is a private key that was used: to read one takes OpenSSL longer than to sign. */
  privateKey?: KeyObject;
  /** Where somebody has looked at it: the one copy for all who change nothing. */
  shared?: Readonly<ManagedObject>;
}

/** Bytes of all, and of one that is kept. Keys and certificates have a few hundred to some thousand. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_LENGTH = 64 * 1024;

/**
 * Rows that were opened lately, in clear as the store's own key is in memory beside them: a wrapped Get looks at five that hardly ever change. Only what a
 * row says: states, dates, chains and limits are looked at each time. What is written goes from here and is filled with zeros.
 */
export class Opened {
  /** The one that was used last is the last. */
  readonly #rows = new Map<string, OpenedObject>();
  #bytes = 0;

  get(uid: string): OpenedObject | undefined {
    const row = this.#rows.get(uid);
    if (!row) return undefined;
    this.#rows.delete(uid);
    this.#rows.set(uid, row);
    return row;
  }

  /** In place of an earlier one. One that is long is not kept. */
  keep(uid: string, row: OpenedObject): void {
    this.drop(uid);
    if (row.plain.length > MAX_LENGTH) return;
    this.#rows.set(uid, row);
    this.#bytes += row.plain.length;
    for (const oldest of this.#rows.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.drop(oldest);
    }
  }

  drop(uid: string): void {
    const row = this.#rows.get(uid);
    if (!row) return;
    this.#rows.delete(uid);
    this.#bytes -= row.plain.length;
    row.plain.fill(0);
    delete row.privateKey;
    delete row.shared;
  }

  clear(): void {
    for (const uid of this.#rows.keys()) this.drop(uid);
  }
}
