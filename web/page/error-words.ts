/** What went wrong, in the reader's language. */

import { messageOf } from "#web/browser/index.ts";
import { translated } from "./words.ts";

/** A sentence for a person, of any thrown value: the kit's own, whose codes have one each. */
export function messageInWords(thrown: unknown): string {
  return translated(messageOf(thrown));
}
