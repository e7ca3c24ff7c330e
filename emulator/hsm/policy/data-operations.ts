import { equalConstantTime } from "#protocol/bytes.ts";
import { COMMITMENT_INFO, MAC_INFO, messageKeyInfo, SUITE_ID } from "#protocol/derived.ts";
import {
  ALLOWED,
  KEY,
  type KeyClass,
  POLICY,
  policy,
  policyAttribute,
  USAGE,
  WORKING,
} from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  type CryptographicParameters,
  type DerivationParameters,
  KmipError,
} from "#protocol/kmip/index.ts";
import { type ManagedObject, type ObjectType, stateAt } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import type { Subject } from "./access.ts";
import { classOf } from "./classes.ts";

/**
 * Operations with data keys inside the HSM (M16), for the KMS's identity and below a master key for which the officer has allowed them. Of
 * a data key come, by HKDF with SHA-512 and under these infos alone, the key of one message, its commitment, which is public, and the
 * key for MACs. They last no longer than a batch, and work only while the master key allows it.
 */

type Derived = { keyClass: KeyClass; info: Uint8Array; salt: number; algorithm: Attributes };

const SALT = 32;
const HMAC = { cryptographicAlgorithm: "HMAC_SHA256", cryptographicLength: 256 } as const;

const DERIVED: readonly Derived[] = [
  { keyClass: "message", info: messageKeyInfo(SUITE_ID), salt: SALT, algorithm: KEY },
  { keyClass: "commitment", info: COMMITMENT_INFO, salt: SALT, algorithm: HMAC },
  { keyClass: "mac", info: MAC_INFO, salt: 0, algorithm: HMAC },
];

/** What is derived works this long. Milliseconds. */
const LIFE_MS = 60_000;
/** Rungs between a key that was derived and the master key. */
const MAX_RUNGS = 4;

/** The classes of what is derived here, for `checkUsable`. */
export const OPERATING: ReadonlySet<KeyClass> = new Set(DERIVED.map(({ keyClass }) => keyClass));

/** The attributes of what is derived from a data key. Anything else than the three is refused. */
export function operatingAttributes(
  { role }: Pick<Subject, "role">,
  dataKey: ManagedObject,
  asked: { method: unknown; parameters: DerivationParameters; objectType: ObjectType; request: Attributes },
  work: Work,
  now: Date,
): Attributes {
  if (role !== "kms") refuse("Not derived for this identity");
  checkAllowed(dataKey, work, now);
  const { method, objectType, request } = asked;
  const { cryptographicParameters, derivationData, salt, initializationVector, iterationCount } =
    asked.parameters;
  if (method !== "HKDF" || cryptographicParameters?.hashingAlgorithm !== "SHA_512")
    refuse("Derived from a data key by HKDF with SHA-512");
  if (initializationVector !== undefined || iterationCount !== undefined) refuse("HKDF has neither");
  const found = DERIVED.find(({ info }) => derivationData && equalConstantTime(info, derivationData));
  if (!found || (salt?.length ?? 0) !== found.salt) return refuse("Not what is derived from a data key");
  if (objectType !== "SymmetricKey") refuse("Keys are derived from a data key");
  if (request.sensitive === false || request.extractable === true) refuse("What is derived stays here");
  return {
    ...request,
    ...found.algorithm,
    cryptographicUsageMask: [...USAGE[found.keyClass]],
    sensitive: true,
    extractable: false,
    deactivationDate: new Date(now.getTime() + LIFE_MS),
    vendorAttributes: [policy(POLICY.class, found.keyClass), policy(POLICY.parent, dataKey.uid)],
  };
}

/** Throws unless this is a key of that class, and the master key above it allows operations now. */
export function checkOperating(key: ManagedObject, keyClass: KeyClass, work: Work, now: Date): void {
  if (classOf(key.attributes) !== keyClass) refuse("Not a key for this operation");
  checkAllowed(key, work, now);
}

/** AES-GCM as the document format has it: a nonce of 12 bytes that comes with the request, a tag of 16. */
export function checkMessageCipher(
  { blockCipherMode, tagLength = 16 }: { blockCipherMode?: unknown; tagLength?: number | undefined },
  nonce: Uint8Array | undefined,
): void {
  if (blockCipherMode !== "GCM" || tagLength !== 16) refuse("A message is under AES-GCM");
  if (nonce?.length !== 12) refuse("A message's nonces have 12 bytes");
}

/** HMAC-SHA-256 as the key says, with its whole tag: under other algorithms the same key would have other outputs, and short tags are guessed. */
export function checkDataMac({
  cryptographicAlgorithm = HMAC.cryptographicAlgorithm,
  tagLength = 32,
}: Pick<CryptographicParameters, "cryptographicAlgorithm" | "tagLength">): void {
  if (cryptographicAlgorithm !== HMAC.cryptographicAlgorithm || tagLength !== 32)
    refuse("A MAC is of HMAC-SHA-256, in full");
}

/** The master key says so, as it is now: not as it was when the key below it came in. */
function checkAllowed(key: ManagedObject, work: Work, now: Date): void {
  let above: ManagedObject | undefined = key;
  for (let rung = 0; rung < MAX_RUNGS && above && classOf(above.attributes) !== "master"; rung++)
    above = work.get(policyAttribute(above.attributes, POLICY.parent) ?? "");
  if (!above || classOf(above.attributes) !== "master" || stateAt(above, now) !== WORKING)
    refuse("No master key is above it");
  if (policyAttribute(above.attributes, POLICY.operations) !== ALLOWED)
    refuse("Operations are not allowed for this tenant");
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
