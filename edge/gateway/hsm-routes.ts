import type { contract } from "#protocol/contract/index.ts";

/**
 * Routes that have the HSM work while somebody waits (docs/operations.md). Those that end something are not among them: nobody is kept from
 * signing out, revoking or deleting because others are busy. Nor is the list of revoked certificates, which everybody reads.
 */
export const HAS_A_SHARE: ReadonlySet<string> = new Set([
  ...([
    "makeDataKeys",
    "metadataKey",
    "rotateKey",
    "addKeyVersion",
    "loadKey",
    "readVersions",
    "makeShare",
  ] as const),
  ...(["presentGrant", "openSeedChannel", "presentSeed", "loadRetainedKeys"] as const),
  ...(["loadMasterKey", "loadAccountKey", "listDataKeys", "readDataKey", "readAccountKey"] as const),
  ...([
    "findKeyIdentifier",
    "keepAccountKey",
    "renewAccountKey",
    "renewDataKey",
    "rotateAccountKey",
  ] as const),
  ...(["createAccount", "token", "clientToken", "instanceToken"] as const),
  ...(["issueGrant", "issueSecretZero", "openAttestation", "redeemEnrolment", "renewEnrolment"] as const),
  ...(["caasEncrypt", "caasDecrypt", "caasMac", "caasMacVerify", "caasSign", "caasVerify"] as const),
  ...(["caasPublicKey", "caasHash", "caasRandom"] as const),
] satisfies (keyof typeof contract)[]);
