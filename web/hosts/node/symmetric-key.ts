/**
 * Where an application server keeps a symmetric app-specific key (W1, W15): beside its ciphertext, or apart, by configuration. What is kept
 * is encrypted to the server's RSA key (`app-key.ts`, or a device), so it opens nothing by itself.
 */

import { readIfThere, writeWhole } from "#files/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { base64url, checked, line, literal, object } from "#protocol/shape.ts";
import type { AppKeyStore } from "../../microservice/index.ts";

/** A file, or a record of the server's datastore. JSON, at most one kilobyte. */
export interface SymmetricKeyPlace {
  /** Undefined when there is none yet. */
  read(): Promise<string | undefined>;
  /** In the place of what was there. */
  write(json: string): Promise<void>;
}

const MAX_LENGTH = 1024;
/** The key as RSA encrypts it under 3072 or 4096 bits. */
const form = object({ version: literal(1), id: line(64), wrapped: base64url(384, 512) });

export function symmetricKeyFile(path: string): SymmetricKeyPlace {
  return {
    read: () => readIfThere(path),
    write: (json) => writeWhole(path, json, { mode: 0o600, replace: true }),
  };
}

/** Reads and writes it there. Error: `key-file-damaged` for what is no such record. */
export function keepSymmetricKey(place: SymmetricKeyPlace): AppKeyStore {
  return {
    async read() {
      const json = await place.read();
      if (json === undefined) return undefined;
      try {
        if (json.length > MAX_LENGTH) throw new TypeError("too long");
        const { id, wrapped } = checked(form, JSON.parse(json));
        return { id, wrapped: decodeBase64url(wrapped) };
      } catch (cause) {
        throw new CofferError("key-file-damaged", { cause });
      }
    },
    keep: ({ id, wrapped }) =>
      place.write(`${JSON.stringify({ version: 1, id, wrapped: encodeBase64url(wrapped) })}\n`),
  };
}
