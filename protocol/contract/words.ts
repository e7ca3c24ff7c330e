/** What each operation does, for a person who reads the published contract. Apart from the routes: clients need no prose. */

import type { OperationId } from "./contract.ts";

/** An operation whose id says it all needs none. */
export const summaries: Partial<Record<OperationId, string>> = {
  openApi: "This contract",
  protectedResource: "Which authorization server this origin trusts (RFC 9728)",
  authorizationServer: "The vault as OAuth 2.0 authorization server (RFC 8414)",
  vaultConfiguration: "Which apps the vault serves",
  token: "Exchange an authorization code or a refresh token for tokens that are bound to the proof's key",
  session: "Whom the vault's cookie stands for",
  signOut: "End an app's sign-in, or from the vault's own origin the whole session",
  issueGrant: "A grant by which one microservice may enrol (M3)",
  listInstances: "The caller's own instances, newest first",
  revokeInstance: "End an instance; no key is released to it any more",
  openEnrolment: "Open an enrolment: a nonce for the certificate request",
  redeemEnrolment: "Enrol: certificate request and grant for certificates and trust list",
  makeDataKeys: "New data keys of an account, encrypted (M6)",
  loadKey: "A data key, wrapped for the caller's instance, with its load receipt (M8)",
  orderExport: "Order an export; recorded in the audit log",
  listDocuments: "Complete documents of an account in this app, newest first, by pages",
  openUpload: "Open an upload under an id that the caller chooses",
  uploadPart: "One part of an upload's ciphertext; Content-Length is required",
  putMetadata: "Store the sealed metadata of a document",
  completeUpload: "Join the parts: the document is complete and listed",
  readContent: "A document's ciphertext, or a range of it",
  readMetadata: "A document's sealed metadata",
  deleteDocument: "Delete a document or an upload",
};
