/** A version of a document, by the number that a command line says. */

import type { Document } from "#web/client/document-list.ts";
import { versionOf } from "#web/client/series.ts";
import { CommandError } from "./command-error.ts";
import { numberIn } from "./number-in.ts";
import { COFFER } from "./parts/index.ts";

/** The version of this number, of a document as the list has it; the document itself where no number is said. */
export function versionNamed(document: Document, said: string | undefined): Document {
  if (said === undefined) return document;
  const number = numberIn("--version", said, 1, 2 ** 31);
  const found = [document, ...(document.earlier ?? [])].find((one) => versionOf(one).version === number);
  if (!found)
    throw new CommandError(
      `There is no version ${number} of it. \`${COFFER} versions\` lists those that there are.`,
    );
  return found;
}
