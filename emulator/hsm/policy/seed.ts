import {
  type KeyClass,
  POLICY,
  policy,
  policyAttribute,
  SEED_HMAC,
  USAGE,
} from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  type DerivationParameters,
  type KeyWrappingData,
  KmipError,
} from "#protocol/kmip/index.ts";
import { isSeedKeyInfo, MAX_SEED, SEED_ROUNDS } from "#protocol/seed.ts";
import type { ManagedObject, ObjectType } from "../store/managed-object.ts";
import type { Subject } from "./access.ts";
import { classAttributes } from "./admission.ts";
import { endOf } from "./channel.ts";
import { classOf } from "./classes.ts";

/**
 * Data keys from a seed (M9), for the KMS's identity: a seed comes in sealed to this HSM, its salt is made of it by the tenant's HMAC key,
 * and of both comes what data keys are derived from. No step takes anything that the KMS could choose but seed and label: a salt in the
 * request would let it try weak seeds on its own machines. What there is between seed and data key is used for the next step
 * alone, stays here and leaves in no form; all of it ends with the channel that the seed came by, which takes one seed.
 */

export const SEED_CLASSES = [
  "seed-hmac",
  "seed-channel",
  "seed",
  "seed-salt",
  "seed-stretched",
] as const satisfies readonly KeyClass[];

/** What of a seed's keys is derived from. */
const BASES: ReadonlySet<KeyClass | undefined> = new Set<KeyClass>([
  "seed-hmac",
  "seed",
  "seed-salt",
  "seed-stretched",
]);

export function isOfSeed(base: ManagedObject | undefined): boolean {
  return base !== undefined && BASES.has(classOf(base.attributes));
}

/** The tenant's HMAC key, which the officer has made here: it derives salts, and does nothing else. */
export function seedHmacAttributes(request: Attributes): Attributes {
  const { cryptographicAlgorithm: algorithm, cryptographicLength: length } = request;
  if (algorithm !== SEED_HMAC.cryptographicAlgorithm || (length ?? 256) !== SEED_HMAC.cryptographicLength)
    refuse("A key for seeds is of HMAC-SHA-256");
  if (request.sensitive === false || request.extractable === true) refuse("A key for seeds stays here");
  if (policyAttribute(request, POLICY.tenant) === undefined) refuse("A key for seeds is a tenant's");
  return {
    ...request,
    ...SEED_HMAC,
    cryptographicUsageMask: [...USAGE["seed-hmac"]],
    sensitive: true,
    extractable: false,
  };
}

/** How a seed comes: by AES-GCM, bare, under the one key of a channel that is for it. */
export function checkSeedWrapping(
  key: ManagedObject,
  { encodingOption, encryptionKeyInformation }: KeyWrappingData,
): void {
  if (classOf(key.attributes) !== "seed-channel") refuse("Not a key that opens seeds");
  if (encodingOption !== "NoEncoding") refuse("Seeds come bare");
  if (encryptionKeyInformation?.cryptographicParameters?.blockCipherMode !== "GCM")
    refuse("Seeds come by AES-GCM");
}

/** Of a seed that came in under `channel`. */
export function seedObjectAttributes(
  request: Attributes,
  channel: ManagedObject,
  seed: Uint8Array,
): Attributes {
  if (seed.length < 1 || seed.length > MAX_SEED) refuse("A seed has 1 to 65,536 bytes");
  return { ...ofClass("seed", request, channel, seed.length * 8), ...endOf(channel) };
}

type Asked = {
  method: unknown;
  parameters: DerivationParameters;
  objectType: ObjectType;
  request: Attributes;
};

/** What the next step gives. Anything else is refused. */
export function seedAttributes(
  { role }: Pick<Subject, "role">,
  bases: readonly ManagedObject[],
  { method, parameters, objectType, request }: Asked,
): Attributes {
  if (role !== "kms") refuse("Not derived for this identity");
  const [first, second, ...more] = bases;
  if (!first || more.length > 0) return refuse("Not a derivation of a seed");
  const { cryptographicParameters, derivationData, salt, initializationVector, iterationCount } = parameters;
  const { hashingAlgorithm, ...others } = cryptographicParameters ?? {};
  if (hashingAlgorithm !== "SHA_256" || Object.values(others).some((one) => one !== undefined))
    refuse("Seeds are worked on with SHA-256");
  if (salt !== undefined || initializationVector !== undefined)
    refuse("The salt is not the client's to choose");
  if ((request.cryptographicLength ?? 256) !== 256) refuse("Each step gives 256 bits");
  const step = `${method} ${classOf(first.attributes)} ${second && classOf(second.attributes)}`;
  if (step === "HKDF seed-stretched undefined") {
    if (objectType !== "SymmetricKey" || iterationCount !== undefined) refuse("Not a data key of a seed");
    if (!derivationData || !isSeedKeyInfo(derivationData)) refuse("Not the info of a data key");
    return { ...classAttributes("data", request, first), ...endOf(first) };
  }
  if (!second || objectType !== "SecretData" || derivationData !== undefined)
    return refuse("Not a derivation of a seed");
  if (step === "HMAC seed-hmac seed" && iterationCount === undefined)
    // Of this seed's, and of no other.
    return {
      ...ofClass("seed-salt", request, first),
      ...endOf(second),
      vendorAttributes: [...inherited("seed-salt", first), policy(POLICY.parent, second.uid)],
    };
  if (step !== "PBKDF2 seed seed-salt" || policyAttribute(second.attributes, POLICY.parent) !== first.uid)
    return refuse("Not the salt of that seed");
  if (iterationCount !== SEED_ROUNDS) refuse("Not the rounds of a seed");
  return { ...ofClass("seed-stretched", request, second), ...endOf(first) };
}

function ofClass(keyClass: KeyClass, request: Attributes, from: ManagedObject, bits = 256): Attributes {
  if (request.sensitive === false || request.extractable === true) refuse("What comes of a seed stays here");
  return {
    ...request,
    cryptographicLength: bits,
    cryptographicUsageMask: [...USAGE[keyClass]],
    sensitive: true,
    extractable: false,
    vendorAttributes: inherited(keyClass, from),
  };
}

/** Its class, and whose it is: data keys are released to that tenant's recipients alone. */
function inherited(keyClass: KeyClass, { attributes }: ManagedObject) {
  const whose = [POLICY.tenant, POLICY.level].flatMap((name) => {
    const value = policyAttribute(attributes, name);
    return value === undefined ? [] : [policy(name, value)];
  });
  return [policy(POLICY.class, keyClass), ...whose];
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
