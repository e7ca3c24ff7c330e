/** What is amiss with documents or their index, in sentences. */

import { CofferError, codeOf } from "#protocol/error.ts";

/** What somebody has to hear of, in a sentence. Here, since nothing of this is loaded at the start. */
const SENTENCES = {
  "document-changed":
    "The server gives something else than was sealed last: an earlier state, perhaps. Tell your administrator.",
  "document-deleted":
    "This document was deleted, and the server still gives it. Delete it again, or tell your administrator.",
  "document-hidden":
    "The server does not give this document any more, and nobody has deleted it. Tell your administrator.",
  "document-replaced": "Another version was saved meanwhile. Look at it, then try again.",
  "index-refused":
    "What the key store says of your documents does not hold, so nobody knows whether some are missing. Tell your administrator.",
  "index-superseded":
    "The list of your documents is an earlier one than this browser has seen: something was undone on the server. Tell your administrator.",
} as const;

export function said(code: keyof typeof SENTENCES, cause?: unknown, status?: number): CofferError {
  return new CofferError(code, { message: SENTENCES[code], cause, status });
}

/** An index that was refused as what somebody has to hear of; any other error as it is. */
export function inWords(error: unknown): unknown {
  const code = codeOf(error);
  return code === "index-refused" || code === "index-superseded" ? said(code, error) : error;
}
