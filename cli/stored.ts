/** What a command says of a document that it has stored, where that is not all of it. */

import type { Document } from "#web/client/document-list.ts";
import { COFFER } from "./parts/index.ts";

/** The exit code: 1, with a sentence on standard error, for one that is stored and that the KMS has not entered in its index. */
export function storedCode({ id, state }: Pick<Document, "id" | "state">): number {
  if (state === undefined) return 0;
  process.stderr.write(
    `It is stored, and stands in no index of versions yet: \`${COFFER} finish ${id}\` enters it.\n`,
  );
  return 1;
}
