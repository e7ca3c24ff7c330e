import { beginsWith, utf8 } from "#protocol/bytes.ts";
import { AGREEMENT, KEY, type KeyClass, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { SEED_CHANNEL } from "#protocol/seed.ts";
import type { ManagedObject, ObjectType } from "../store/managed-object.ts";
import { publicKeyOf } from "../store/material.ts";
import type { Subject } from "./access.ts";
import { classOf } from "./classes.ts";
import { leftOf } from "./usage-limits.ts";

/**
 * A channel to an instance (M7): the KMS's identity has an agreement key made, brings in the instance's share, and has a key
 * derived that encrypts. What passes is what the KMS has already, wrapped to the instance. So nothing is gained by a channel to
 * oneself: no key of the hierarchy is wrapped under a channel's key, and none comes in by it.
 */

/** How long an agreement key lives, and all that comes of it. Milliseconds. */
const LIFE_MS = 60_000;
/** An agreement key agrees once, and of that come two keys, one for each direction. */
const AGREEMENTS = 1n;
const DIRECTIONS = 2n;

/** Who may have a channel at all. */
function checkRole({ role }: Pick<Subject, "role">): void {
  if (role !== "kms") refuse("No channel is made for this identity");
}

/**
 * The private half of an agreement key, whatever else the request says of it. It ends within a minute by the clock of the HSM, and agrees
 * once: whoever has the KMS's identity later has nothing by which he opens what was recorded.
 */
export function agreementAttributes(subject: Subject, request: Attributes, now: Date): Attributes {
  checkRole(subject);
  const { cryptographicAlgorithm: algorithm, cryptographicDomainParameters: domain } = request;
  if (
    algorithm !== AGREEMENT.cryptographicAlgorithm ||
    domain?.recommendedCurve !== AGREEMENT.cryptographicDomainParameters.recommendedCurve
  )
    return refuse("An agreement key is made on Curve25519");
  const last = new Date(now.getTime() + LIFE_MS);
  const { deactivationDate: asked } = request;
  const deactivationDate = asked && asked < last ? asked : last;
  return { ...ofClass("agreement", { ...request, ...AGREEMENT }), deactivationDate, ...uses(AGREEMENTS) };
}

/** The other end's share: a public key on the same curve, which is for agreement alone. */
export function checkShare(subject: Subject, share: ManagedObject): void {
  checkRole(subject);
  if (share.objectType !== "PublicKey" || publicKeyOf(share).asymmetricKeyType !== "x25519")
    refuse("A share is a public key on Curve25519");
  if (share.attributes.cryptographicUsageMask?.some((use) => use !== "KeyAgreement"))
    refuse("A share is for agreement alone");
}

/** What a derivation by an identity of a deployment gives, from what, and how. Anything else is refused. */
export function derivedAttributes(
  subject: Subject,
  {
    method,
    bases,
    objectType,
    request,
    info,
  }: {
    method: unknown;
    bases: readonly ManagedObject[];
    objectType: ObjectType;
    request: Attributes;
    info: Uint8Array | undefined;
  },
): Attributes {
  checkRole(subject);
  const [first, second, ...more] = bases;
  if (!first || more.length > 0) return refuse("Not a derivation of a channel");
  if (method === "AsymmetricKey") {
    if (!second || classOf(first.attributes) !== "agreement") return refuse("Not an agreement key");
    checkShare(subject, second);
    if (objectType !== "SecretData") refuse("What was agreed is no key yet");
    const agreed = ofClass("agreed", { ...request, cryptographicLength: undefined });
    return { ...agreed, ...endOf(first), ...uses(DIRECTIONS) };
  }
  if (method !== "HKDF" || second || classOf(first.attributes) !== "agreed")
    return refuse("Not a derivation of a channel");
  if (objectType !== "SymmetricKey") refuse("A channel's key is symmetric");
  // One of the two opens seeds, the other encrypts: they never have the same bytes.
  const opens = isExactly(request.cryptographicUsageMask, USAGE["seed-channel"]);
  if (opens !== beginsWith(info ?? new Uint8Array(), utf8(SEED_CHANNEL)))
    refuse("Not the info of that key of a channel");
  if (!opens) return { ...ofClass("channel", { ...request, ...KEY }), ...endOf(first) };
  // Seeds come first, so that there is one key for them; it opens one.
  if (isUsed(first)) refuse("What was agreed has been used");
  return { ...ofClass("seed-channel", { ...request, ...KEY }), ...endOf(first), ...uses(1n) };
}

/** What comes of a key of a channel ends with it. Throws for one without an end: it was not made under this policy. */
export function endOf({ attributes }: ManagedObject): Pick<Attributes, "deactivationDate"> {
  const { deactivationDate } = attributes;
  return deactivationDate ? { deactivationDate } : refuse("Keys of a channel have an end");
}

function uses(usageLimitsTotal: bigint): Pick<Attributes, "usageLimits"> {
  return {
    usageLimits: { usageLimitsTotal, usageLimitsCount: usageLimitsTotal, usageLimitsUnit: "Object" },
  };
}

function isUsed({ attributes: { usageLimits } }: ManagedObject): boolean {
  return usageLimits === undefined || leftOf(usageLimits) !== usageLimits.usageLimitsTotal;
}

/** Encryption for an identity of a deployment: by AES-GCM under a channel's key, with a nonce that is made here. */
export function checkChannelEncryption(
  key: ManagedObject,
  parameters: { blockCipherMode?: unknown; tagLength?: number | undefined },
  nonce: Uint8Array | undefined,
): void {
  if (classOf(key.attributes) !== "channel") refuse("Not a channel's key");
  const { blockCipherMode, tagLength = 16 } = parameters;
  if (blockCipherMode !== "GCM" || tagLength !== 16) refuse("A channel encrypts by AES-GCM");
  if (nonce !== undefined) refuse("The nonce is made here");
}

function isExactly(uses: readonly unknown[] | undefined, wanted: readonly string[]): boolean {
  return uses?.length === wanted.length && wanted.every((use) => uses.includes(use));
}

function ofClass(keyClass: KeyClass, request: Attributes): Attributes {
  if (request.sensitive === false || request.extractable === true) refuse("A channel's keys stay here");
  return {
    ...request,
    cryptographicUsageMask: [...USAGE[keyClass]],
    sensitive: true,
    extractable: false,
    vendorAttributes: [policy(POLICY.class, keyClass)],
  };
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
