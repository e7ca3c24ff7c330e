/**
 * Errors as an app meets them. They are thrown as codes (protocol/error); where one leaves the kit it gets a message that
 * says what to do and can be shown as it is.
 */

import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";

/** What a person can do about it, by code. A code that is not listed gets a sentence by its HTTP status. */
const MESSAGES: Readonly<Partial<Record<ErrorCode, string>>> = {
  // The sign-in.
  "signed-out": "Your sign-in has ended. Sign in again to go on; nothing is lost.",
  "sign-in-refused": "The sign-in was not completed. Try to sign in again.",
  "sign-in-mismatch": "This sign-in was not started in this browser, or it was used before. Sign in again.",
  "invalid-client": "This page is not registered with the vault. Ask your administrator to add its address.",
  "invalid-token": "Your sign-in has ended. Sign in again to go on; nothing is lost.",
  "invalid-proof": "Your sign-in could not be confirmed. Check that this computer's clock is right.",
  "clock-wrong": "This computer's clock is wrong. Set it right and try again.",
  "no-session": "Your sign-in at the vault has ended. Sign in again to go on; nothing is lost.",
  // The vault and the microservice in it.
  "vault-unreachable":
    "The vault did not load. Check your connection, allow storage for the vault's address, and reload the page.",
  "port-closed": "The vault was closed while it worked. Try again.",
  "storage-denied":
    "The vault may not keep its keys in this browser. Allow storage for its address, or leave private browsing, and reload.",
  "no-root-key": "This vault was built without its deployment's root key. Tell your administrator.",
  "version-unsupported": "This page and the vault are of different versions. Reload the page.",
  "port-violation": "This page and the vault do not understand each other. Reload the page.",
  "foreign-origin": "The vault does not serve this page's address. Open Coffer at its own address.",
  "foreign-custodian": "This vault belongs to another sign-in. Sign in again.",
  "not-recipient": "The vault's certificate is no longer accepted. Reload the page to enrol it again.",
  "invalid-grant": "The vault could not be enrolled in time. Try again.",
  "attestation-refused": "The microservice could not show what it runs. Tell your administrator.",
  "verifier-unavailable": "The verifier cannot be reached. Wait a moment and try again.",
  "enrolment-refused": "The vault was given certificates that do not hold. Tell your administrator.",
  "custodian-unproven": "The vault was not shown who this page is. Reload the page.",
  "microservice-unproven":
    "The vault could not show what it is. Reload the page; if it happens again, tell your administrator.",
  "not-enrolled": "The vault's certificate has ended. Reload the page to enrol it again.",
  "answer-invalid": "The server gave an answer that the vault does not understand. Reload the page.",
  // Keys.
  forbidden: "You are not allowed to do this. Ask your administrator for access.",
  "pending-deletion":
    "This is scheduled for deletion, and closed until then. Cancel the deletion to use it again.",
  "key-refused":
    "The vault refused this document's key: it did not come from your key store. Tell your administrator.",
  "seed-refused": "This is another passphrase or file.",
  "seed-needed": "The document opens with its passphrase or file.",
  "key-missing": "The document's key is not loaded. Try again.",
  "invalid-edk": "The document's key cannot be used any more. Tell your administrator.",
  // Documents.
  "decrypt-failed":
    "The document cannot be opened: it was changed or is incomplete. Tell your administrator.",
  "document-changed": "This is not what was sealed last. Tell your administrator.",
  "not-found": "It is not there any more. Reload the list.",
  "too-large": "It is larger than the server accepts.",
  "name-too-long": "The file's name is too long to be sealed with the document. Shorten it and try again.",
  "source-changed":
    "The file was changed while it was being sealed, or it cannot be read any more. Nothing of it was kept; choose it again.",
  "another-file":
    "This is not the file as it was begun. Choose that one, or remove the upload and seal this one as a new document.",
  "not-resumable":
    "This upload was begun in another browser, or too long ago. Remove it and seal the file again.",
  paused: "Paused. What was sent is kept for a day.",
  "unknown-whether-stored":
    "The server did not confirm that the document is stored. Reload the list: if it is there, it is complete; if not, seal it again.",
  "newer-format":
    "The document was sealed by a newer version of Coffer. Reload the page, or update the program.",
  "no-account": "You have no account to keep documents in. Ask your administrator for one.",
  "quota-exceeded":
    "The account is full. Delete documents that are not needed, or ask your administrator for more room.",
  // The way there.
  offline: "The server cannot be reached. Check your connection and try again.",
  "hsm-unavailable": "The key store cannot be reached. Wait a moment and try again.",
  "strict-tenant": "The key store has no master key here: only a microservice of level master can do this.",
  "recovery-needed":
    "This device lacks your organization's master key. Ask your administrator for the ceremony that gives it.",
  "hsm-refused": "The key store refused the request. Ask your administrator.",
  "unexpected-response": "The server gave an answer that this page does not understand. Reload the page.",
};

function sentenceFor({ code, status }: Pick<CofferError, "code" | "status">): string {
  const sentence = MESSAGES[code];
  if (sentence !== undefined) return sentence;
  if (status === undefined) return "Something went wrong. Try again; if it happens again, reload the page.";
  if (status === 401) return sentenceFor({ code: "signed-out", status: undefined });
  if (status === 403) return "You are not allowed to do this. Ask your administrator for access.";
  if (status === 404) return sentenceFor({ code: "not-found", status: undefined });
  if (status === 409) return "It was changed meanwhile. Reload the list and try again.";
  if (status === 429) return "Too many requests at once. Wait a moment and try again.";
  if (status >= 500) return "The server has a problem. Wait a moment and try again.";
  return "The server refused the request. Reload the page and try again.";
}

/** Any thrown value as an error whose message is for a person. A cancellation stays the `AbortError` that it is. */
export function asCofferError(thrown: unknown): unknown {
  if (isAbort(thrown)) return thrown;
  return worded(thrown instanceof CofferError ? thrown : new CofferError(codeOf(thrown), { cause: thrown }));
}

/** The error itself, with a sentence in place of its code. */
export function worded(error: CofferError): CofferError {
  if (error.message === error.code) error.message = sentenceFor(error);
  return error;
}

/** A sentence for a person. What is no error of the kit's is a fault in the page, whose own words help nobody. */
export function messageOf(thrown: unknown): string {
  const error = asCofferError(thrown);
  return error instanceof CofferError ? error.message : sentenceFor({ code: "cancelled", status: undefined });
}

/** The same error, of a request that may have been carried out. */
export function asMaybeDone(error: CofferError): CofferError {
  const { code, cause, status, requestId, retryAfter, message } = error;
  return new CofferError(code, { cause, status, requestId, retryAfter, message, maybeDone: true });
}

/** Whether this is the caller's own cancellation. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Whether the failure may pass by itself, so that trying the same again makes sense. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof CofferError)) return false;
  if (error.code === "offline" || error.code === "unexpected-response") return true;
  // Not the edge's own words: somebody on the way has answered, a portal or a proxy.
  if (error.code.startsWith("http-")) return true;
  return error.status === 429 || (error.status !== undefined && error.status >= 500);
}

/** Whether the server itself has refused the request, so that nothing of it was done. Anyone on the way can send a 5xx. */
export function isUndone(error: unknown): boolean {
  if (!(error instanceof CofferError) || error.maybeDone || error.status === undefined) return false;
  return error.status >= 400 && error.status < 500 && !error.code.startsWith("http-");
}
