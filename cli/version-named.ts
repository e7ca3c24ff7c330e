/** A version of a document, by the number that a command line says. */

import type { Document } from "#web/client/document-list.ts";
import { versionOf, versionsAmong } from "#web/client/series.ts";
import { CommandError } from "./command-error.ts";
import { numberIn } from "./number-in.ts";
import { COFFER } from "./parts/index.ts";

/**
 * Of a list: the version of this number of the document that `document` is a version of, and the newest of them. Without a number it is
 * `document` itself.
 */
export function versionNamed(
  listed: readonly Document[],
  document: Document,
  said: string | undefined,
): { found: Document; newest: Document } {
  const versions = versionsAmong(listed, document);
  const [newest = document] = versions;
  if (said === undefined) return { found: document, newest };
  const number = numberIn("--version", said, 1, 2 ** 31);
  const found = [document, ...versions].find((one) => versionOf(one).version === number);
  if (!found)
    throw new CommandError(
      `There is no version ${number} of it. \`${COFFER} versions\` lists those that there are.`,
    );
  return { found, newest };
}
