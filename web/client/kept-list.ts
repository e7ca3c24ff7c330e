/**
 * What a browser keeps of an account's list over a reload: one message under the metadata key, which opens for whoever is given that key and
 * for nobody else. It is the list of before: what has changed since is asked for by the version index, and where it does not open, the list is read as if it were not there.
 */

import { utf8 } from "#protocol/bytes.ts";
import { readAll } from "#protocol/chunks.ts";
import type { EncryptionContext } from "#protocol/port/index.ts";
import type { ContentName } from "./belonging.ts";
import { type DocumentKey, purposeOf } from "./document-key.ts";
import { type DataKeys, findsKeys } from "./keys.ts";
import type { Metadata } from "./metadata.ts";
import type { Microservice } from "./microservice.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a message at most; a list that is longer than half of it is not kept. */
const LIMIT = 64 << 20;
/** Bytes of its header at most. */
const HEAD = 64 << 10;
const FORMAT = 1;

/** Where a host keeps lists, by account. */
export interface ListStore {
  read(account: string): Promise<Bytes | undefined>;
  /** Asks for the bytes and keeps them, unless somebody else is just doing that. */
  write(account: string, bytes: () => Promise<Bytes | undefined>): Promise<void>;
  /** Does what one page of this host is to do for an account, unless somebody else is just doing it. */
  alone(account: string, work: () => Promise<void>): Promise<void>;
}

/** A document of a list that is kept. `created`: milliseconds since 1970. */
export interface Entry {
  id: string;
  created: number;
  sealedSize: number;
  metadata: Metadata;
  key?: DocumentKey | undefined;
  content: ContentName;
}

/** `read`: when all of it was read last, milliseconds since 1970. */
export interface KeptList {
  read: number;
  entries: Entry[];
}

type Means = {
  microservice: Pick<Microservice, "use">;
  keys: Pick<DataKeys, "ensureAll" | "listing">;
  context(account: string, document: string, purpose: string): EncryptionContext;
};

const contextOf = ({ context }: Means, account: string) => context(account, "list", "index");

/** Undefined where there is none, or none that opens here: another's, of another account, or altered. */
export async function readKept(
  store: ListStore,
  means: Means,
  account: string,
): Promise<KeptList | undefined> {
  try {
    const message = await store.read(account);
    if (!message) return undefined;
    const enrolled = await means.microservice.use();
    const { port } = enrolled;
    const { edk } = await port.inspect(message.slice(0, HEAD));
    if (!findsKeys(enrolled) && purposeOf(edk) !== "metadata") return undefined;
    if (!(await means.keys.ensureAll([edk], undefined, enrolled)).has(edk)) return undefined;
    const plain = await readAll(port.open({ context: contextOf(means, account) }, message), LIMIT);
    const { format, read, entries } = JSON.parse(new TextDecoder().decode(plain));
    return format === FORMAT ? { read, entries } : undefined;
  } catch {
    return undefined;
  }
}

/** One writer at a time, over all tabs. */
export function writeKept(store: ListStore, means: Means, account: string, kept: KeptList): Promise<void> {
  return store.write(account, async () => {
    const plain = utf8(JSON.stringify({ format: FORMAT, ...kept }));
    if (plain.length > LIMIT / 2) return undefined;
    const enrolled = await means.microservice.use();
    const edk = await means.keys.listing(account, enrolled);
    return readAll(enrolled.port.seal({ edk, context: contextOf(means, account) }, plain), LIMIT);
  });
}
