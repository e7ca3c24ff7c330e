/**
 * The signed records about keys: EDK (M6), load receipt (M8), the root-signed trust list that verifies both. Compact JWS
 * with ES256 (RFC 7515, RFC 7518 §3.4) on WebCrypto alone: this code is in the measured microservice. May import:
 * protocol/*.ts, protocol/hierarchy, protocol/policy, protocol/keys/loading. Imported by edge, web, cli and
 * emulator/hsm; of it protocol/port and protocol/contract import `loading` and `length.ts` alone.
 */

export { type EcPublicJwk, jwkFromSpki, spkiFromJwk, thumbprint } from "../jwk.ts";
export {
  DOCUMENT_ALGORITHM,
  isSignature,
  type KeyAlgorithm,
  operationsOf,
  type SecretAlgorithm,
  type SignatureAlgorithm,
} from "./algorithm.ts";
export {
  appKeyChannel,
  type ChannelOf,
  channelDigest,
  channelInfo,
  channelInfoOf,
  edksDigest,
  presentationInput,
  seedChannelInfo,
  seedPresentationInput,
  transcript,
} from "./channel.ts";
export { type ChannelReceipt, verifyChannelReceipt } from "./channel-receipt.ts";
export { OAEP_LENGTH, partsOfPair } from "./data-key-pair.ts";
export {
  type AccountEdk,
  type Edk,
  edkProviderInfo,
  type HeldWrapping,
  isHeld,
  isPairLength,
  isPairWrapping,
  isRetained,
  isWrappedLength,
  type SeedEdk,
  type TenantEdk,
  verifyEdk,
} from "./edk.ts";
export {
  type AccountReceipt,
  type Awaited,
  type MasterReceipt,
  proofInput,
  verifyAccountReceipt,
  verifyMasterReceipt,
} from "./hierarchy-receipt.ts";
export { type IndexReceipt, verifyIndexReceipt } from "./index-receipt.ts";
export {
  isSignedBy,
  JwsError,
  type JwsErrorCode,
  joinJws,
  protectedHeader,
  signingInput,
  verifyJws,
} from "./jws.ts";
export type { KeyRecord } from "./key-record.ts";
export { keyOrEdk, localKey, MAX_JWS_LENGTH } from "./length.ts";
export {
  type Handed,
  type HandedOf,
  type Load,
  type LoadAnswer,
  type LoadOf,
  type LoadRequest,
  load,
  loadRequest,
  MAX_GRANTED,
  type Presentation,
  type Presented,
  RETAINED_SECONDS,
  type RequestOf,
  type RetainedKeys,
  type RetainedRequest,
  requestFor,
  retainedInput,
  type SealedSeed,
  type Verified,
  verifyLoad,
  type Way,
  type Wrapped,
  wrappedOf,
} from "./loading/index.ts";
export { isLocalKey } from "./local-key.ts";
export { canonicalJws, edkDigests, lowS } from "./low-s.ts";
export { MADE_KEY_SECONDS, MADE_KEY_TYPE, type MadeKey, type Vouched, verifyMadeKey } from "./made-key.ts";
export { type Receipt, verifyReceipt } from "./receipt.ts";
export {
  findKey,
  TRUST_TYPE,
  type TrustedKey,
  type TrustList,
  trustListPayload,
  verifyTrustList,
} from "./trust.ts";
