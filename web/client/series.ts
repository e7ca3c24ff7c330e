/** Versions of a document in a list: each is a document of its own, whose sealed metadata says which version of which it is. */

import type { Document } from "./document-list.ts";
import type { Metadata, Series } from "./metadata.ts";

type Versioned = { id: string; account: string; metadata?: Pick<Metadata, "series"> | undefined };

/** What was sealed once and never again is the first version. */
export function versionOf({
  id,
  metadata,
}: Pick<Versioned, "id" | "metadata">): Pick<Series, "first" | "version"> {
  const { first = id, version = 1 } = metadata?.series ?? {};
  return { first, version };
}

/** All versions of the document that this is one of, the newest first. What is amiss is no version of anything. */
export function ofSeries(all: Iterable<Document>, one: Versioned): Document[] {
  const { first } = versionOf(one);
  return [...all]
    .filter((each) => each.account === one.account && isSound(each) && versionOf(each).first === first)
    .sort(newestFirst);
}

/** All versions of the document that this is one of, the newest first, in a list that is grouped; none where it is not listed. */
export function versionsAmong(
  grouped: Iterable<Document>,
  { id, account }: { id: string; account?: string },
): Document[] {
  for (const { earlier = [], ...newest } of grouped) {
    const versions = [newest, ...earlier];
    if (versions.some((each) => each.id === id && (account ?? each.account) === each.account))
      return versions;
  }
  return [];
}

/** Each document with its earlier versions in `earlier`, which are not listed beside it. The order stays. */
export function grouped(documents: Document[]): Document[] {
  const series = new Map<string, Document[]>();
  for (const document of documents) {
    if (document.earlier) delete document.earlier;
    if (document.metadata?.series && isSound(document)) series.set(keyOf(document), []);
  }
  if (series.size === 0) return documents;
  for (const document of documents) if (isSound(document)) series.get(keyOf(document))?.push(document);
  const earlier = new Set<Document>();
  for (const versions of series.values()) {
    const [newest, ...others] = versions.sort(newestFirst);
    if (newest && others.length > 0) newest.earlier = others;
    for (const other of others) earlier.add(other);
  }
  return documents.filter((document) => !earlier.has(document));
}

function isSound({ metadata, state }: Document): boolean {
  return metadata !== undefined && state === undefined;
}

function keyOf(document: Document): string {
  return `${document.account}/${versionOf(document).first}`;
}

function newestFirst(a: Document, b: Document): number {
  return versionOf(b).version - versionOf(a).version || b.created.getTime() - a.created.getTime();
}
