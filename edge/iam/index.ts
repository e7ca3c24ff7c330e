/**
 * edge/iam: who may act for whom: users, accounts, sign-in, tokens, custodian certificates, Enc(account keys). May
 * import: protocol, edge/*.ts, edge/hsm, edge/iam/oidc, cloudflare:workers, @peculiar/x509, reflect-metadata. Imported by
 * edge/index.ts; the gateway reaches it through `Iam`, other domains through a door for each.
 */

export { IamAccountObject } from "./account.ts";
export { IamAccountKeyObject } from "./account-key-store.ts";
export { IamAdministration } from "./administration.ts";
export type { AuthorizeAnswer } from "./authorization.ts";
export { Iam } from "./entrypoint.ts";
export { IamForDatastore } from "./for-datastore.ts";
export { IamForKms } from "./for-kms.ts";
export { IamForRa } from "./for-ra.ts";
export { IamObject } from "./object.ts";
export type { ProviderFailure } from "./oidc/index.ts";
export { IamPrincipalObject } from "./principal.ts";
export type { TokenRequest } from "./tokens.ts";
export type { AccountKey, Custodian, TokenKey, VaultSession } from "./types.ts";
export type { Account } from "./vault-sessions.ts";
