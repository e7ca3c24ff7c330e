/** A list as the datastore gives it, held against the version index: what is hidden, was changed or deleted, or was never finished. */

import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
import type { Result } from "#protocol/port/index.ts";
import { inWords, said } from "./amiss.ts";
import type { ContentName } from "./belonging.ts";
import { isTransient } from "./error.ts";
import type { VersionIndex } from "./version-index.ts";

/** What came of reading the index. */
export type Synced = { founded: boolean } | { error: unknown };

/** Why an index may not be read for a time. With anything else a list would be held against nothing for good, and nobody would hear of it. */
const PASSES: ReadonlySet<ErrorCode> = new Set([
  ...(["offline", "too-many-requests", "busy", "hsm-unavailable", "verifier-unavailable"] as const),
  ...(["no-microservice", "port-closed", "vault-unreachable"] as const),
]);

/** What is amiss with a document of a list. */
export type Amiss = "hidden" | "changed" | "deleted" | "unfinished";

/** A document of a list, as far as it is looked at here. */
export interface HeldDocument {
  id: string;
  account: string;
  created: Date;
  sealedSize: number;
  metadata?: object | undefined;
  error?: unknown;
  state?: Amiss;
}

export interface HeldList {
  account: string;
  /** Of all accounts that are listed. */
  documents: HeldDocument[];
  /** The content that a document's metadata names, as far as it is open. */
  content(document: HeldDocument): ContentName | undefined;
  /** Lists the account again: what has come since is among `documents` then, and what is gone is not. */
  again(): Promise<void>;
}

export async function sync(
  index: Pick<VersionIndex, "sync">,
  account: string,
  fresh = false,
): Promise<Synced> {
  return index.sync(account, fresh).catch((error: unknown) => ({ error }));
}

/** Marks what is amiss. Errors: `index-refused`, `index-superseded`, and whatever keeps the index from being read and does not pass. */
export async function holdAgainst(
  index: Pick<VersionIndex, "sync" | "compare" | "found">,
  synced: Synced,
  list: HeldList,
): Promise<void> {
  if ("error" in synced) return requirePassing(synced.error, list);
  const { account, documents } = list;
  const first = await compare(index, list);
  const { hidden, changed, deleted, unknown } = first;
  const waiting = synced.founded ? unknown : [];
  let amiss = { ...first, unknown: waiting };
  let then: Synced = synced;
  if (hidden.length + changed.length + deleted.length + waiting.length > 0) {
    // Others work on it too: nothing is said that has passed when list and index have been read again, in this order.
    if (hidden.length + deleted.length > 0) await list.again();
    then = await sync(index, account, true);
    // Where the index cannot be read again, what was found stands.
    if (!("error" in then)) amiss = both(amiss, await compare(index, list));
  }
  mark(list, amiss);
  const listed = new Set(own(list).map(({ id }) => id));
  for (const id of amiss.hidden.filter((id) => !listed.has(id))) {
    const error = said("document-hidden");
    documents.push({ id, account, created: new Date(0), sealedSize: 0, error, state: "hidden" });
  }
  if ("error" in then) requirePassing(then.error, list);
  else if (!synced.founded) found(index, list);
}

function requirePassing(error: unknown, list: HeldList): void {
  const code = codeOf(error);
  // The edge's own fault, not one of this page.
  const itsFault = code === "internal" && error instanceof CofferError && (error.status ?? 0) >= 500;
  // `http-…`: somebody on the way has answered.
  if (itsFault || PASSES.has(code) || code.startsWith("http-")) return;
  // Of an account that is scheduled for deletion nothing is listed.
  if (code === "pending-deletion" && own(list).length === 0) return;
  throw inWords(error);
}

type Told = Result<"compare">;

/** What is told of all of it. */
export function compare(
  index: Pick<VersionIndex, "compare">,
  list: Pick<HeldList, "account" | "documents" | "content">,
): Promise<Told> {
  const served = own(list).map((document) => {
    const content = list.content(document);
    return { document: document.id, ...(content && { headerDigest: content.headerDigest }) };
  });
  return index.compare(list.account, served, true);
}

/** What was amiss the first time and still is. */
function both(a: Told, b: Told): Told {
  const still = (which: keyof Told) => {
    const before = new Set(a[which]);
    return b[which].filter((id) => before.has(id));
  };
  return {
    hidden: still("hidden"),
    changed: still("changed"),
    deleted: still("deleted"),
    unknown: still("unknown"),
  };
}

function mark(list: HeldList, { changed, deleted, unknown }: Told): void {
  const [other, gone, open] = [new Set(changed), new Set(deleted), new Set(unknown)];
  for (const document of own(list)) {
    // Its own metadata may have been read, and was not what it should be.
    const code = codeOf(document.error);
    if (other.has(document.id) || code === "document-changed") refuse(document, "changed");
    else if (gone.has(document.id) || code === "document-deleted") refuse(document, "deleted");
    else if (open.has(document.id)) document.state = "unfinished";
  }
}

function refuse(document: HeldDocument, state: "changed" | "deleted"): void {
  document.state = state;
  document.metadata = undefined;
  document.error = said(`document-${state}`);
}

/**
 * Documents of releases without an index are taken over as they are. Not waited for, and by whoever may write; unless nobody knows now what
 * one of them is.
 */
function found(index: Pick<VersionIndex, "found">, list: HeldList): void {
  const all = own(list);
  if (all.some(({ error }) => isTransient(error))) return;
  void index
    .found(
      list.account,
      all.map((document) => ({ document: document.id, ...list.content(document) })),
    )
    .catch(() => {});
}

function own({ account, documents }: Pick<HeldList, "account" | "documents">): HeldDocument[] {
  return documents.filter((document) => document.account === account);
}
