/**
 * edge/hsm/keys: the choreography of the key hierarchy at the HSM: keys are made under a parent, imported wrapped,
 * released wrapped and retired in one batch, and what a batch leaves behind is swept. No key byte in clear in any of it.
 * May import: protocol/*.ts, protocol/hierarchy, protocol/kmip, edge/*.ts, edge/hsm. Imported by the domains of edge/.
 */
export { type NextName, runBatch } from "./batch.ts";
export { type Agreement, type Sealed, sealOverChannel } from "./channel.ts";
export { isGone, keepWrapped, lookAfter, markOf, readKept } from "./kept.ts";
export { importWrapped, makeUnder, pastAt } from "./key.ts";
export { LEDGER_TABLE, type Ledger, type Leftover, openLedger, transientNames } from "./ledger.ts";
export {
  getPrivateByCek,
  getPrivateUnder,
  getPrivateUnderKey,
  importAccountKey,
  type Master,
  makePairUnder,
  underGcm,
  type WrappedAccountKey,
  wrappedPair,
  wrappedPrivate,
} from "./pair.ts";
export {
  getWrapped,
  keyValueOf,
  recipientKeyOf,
  toHybridRecipient,
  toRecipient,
  underLayer,
  underMaster,
  underMasterAs,
  underPair,
  underParent,
  wrappedKeys,
} from "./release.ts";
export {
  checkResident,
  getResident,
  makeResident,
  type Resident,
  residentId,
  residentKeys,
} from "./resident.ts";
export { remove, retire, sweep } from "./retire.ts";
export { deriveFromSeed, endAgreement, openAgreement } from "./seed.ts";
export { importSigningPair, makeSigningPair, signingPair, type WrappedSigningPair } from "./signing-pair.ts";
