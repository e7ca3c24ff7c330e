/** Versions of documents, as the page shows them. */

import type { Document } from "#web/browser/index.ts";

/** Its number among the versions of its document, which begin with 1. */
export function numberOf({ metadata }: Pick<Document, "metadata">): number {
  return metadata?.series?.version ?? 1;
}
