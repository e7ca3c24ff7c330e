/** Which documents of a list are shown, and in which order. */

import type { Document } from "#web/browser/index.ts";
import { comparableName } from "./names.ts";

export const ORDERS = ["newest", "oldest", "name", "name-back", "largest", "smallest", "shared"] as const;
export type Order = (typeof ORDERS)[number];

type Metadata = NonNullable<Document["metadata"]>;

/** What documents are found by, made once: their names, and their names with the folder before them. */
type Comparable = { name: string; whole: string };
const comparables = new WeakMap<Metadata, Comparable>();
const collators = new Map<string | undefined, Intl.Collator>();

function comparableOf({ metadata }: Document): Comparable | undefined {
  if (!metadata) return undefined;
  let made = comparables.get(metadata);
  if (made === undefined) {
    const name = comparableName(metadata.name);
    made = { name, whole: metadata.folder ? `${comparableName(metadata.folder)}/${name}` : name };
    comparables.set(metadata, made);
  }
  return made;
}

/** The next place, from this one on and around, whose name begins so. */
export function beginsWith(documents: readonly Document[], typed: string, from: number): number | undefined {
  const wanted = comparableName(typed);
  const count = documents.length;
  for (let step = 0; step < count; step++) {
    const at = (from + step) % count;
    const document = documents[at];
    if (document && comparableOf(document)?.name.startsWith(wanted)) return at;
  }
  return undefined;
}

/** Those whose names have every word of `wanted` in them, in any order. */
export function found(documents: readonly Document[], wanted: string): readonly Document[] {
  const words = comparableName(wanted).split(/\s+/).filter(Boolean);
  if (words.length === 0) return documents;
  return documents.filter((document) => {
    const name = comparableOf(document)?.whole;
    return name !== undefined && words.every((word) => name.includes(word));
  });
}

/** `shares`: with how many others a document is shared. */
export type Means = { locale?: string | undefined; shares?: (document: Document) => number };

/** In this order; `documents` are the newest first. What has no name yet comes last where names or sizes count. */
export function ordered(
  documents: readonly Document[],
  order: Order,
  { locale, shares = () => 0 }: Means = {},
): readonly Document[] {
  switch (order) {
    case "newest":
      return documents;
    case "oldest":
      return documents.toReversed();
    case "largest":
    case "smallest": {
      const sign = order === "largest" ? -1 : 1;
      return documents.toSorted((a, b) => sign * (sizeOf(a) - sizeOf(b)));
    }
    case "shared":
      return documents.toSorted((a, b) => shares(b) - shares(a));
    default: {
      const sign = order === "name" ? 1 : -1;
      const { compare } = collatorOf(locale);
      return documents.toSorted(({ metadata: a }, { metadata: b }) =>
        a && b ? sign * compare(a.name, b.name) : Number(!a) - Number(!b),
      );
    }
  }
}

function sizeOf({ metadata, sealedSize }: Document): number {
  return metadata?.size ?? sealedSize;
}

/** Numbers in names by their value; composed and decomposed letters are the same to it. */
function collatorOf(locale: string | undefined): Intl.Collator {
  const made = collators.get(locale) ?? new Intl.Collator(locale, { numeric: true });
  collators.set(locale, made);
  return made;
}
