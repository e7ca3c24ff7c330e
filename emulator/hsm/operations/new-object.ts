import { createHash } from "node:crypto";
import { type Attributes, encodeTransparentKey, type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { classOf } from "../policy/classes.ts";
import { isRecognized } from "../policy/recovery.ts";
import { checkUsageLimits, counted, unused } from "../policy/usage-limits.ts";
import {
  isDestroyed,
  type ManagedObject,
  type ObjectType,
  type ObjectValue,
} from "../store/managed-object.ts";
import { parsePrivateKey, parsePublicKey } from "../store/material.ts";
import { checkCount } from "./attribute-instances.ts";
import type { Context } from "./context.ts";
import { shorterLease } from "./lease-time.ts";
import { checkConstraints } from "./settings.ts";

/** Attributes that the server alone sets (KMIP 2.1 §4, "Initially set by: Server"). */
const SERVERS: ReadonlySet<keyof Attributes> = new Set<keyof Attributes>([
  "uniqueIdentifier",
  "state",
  "initialDate",
  "lastChangeDate",
  "destroyDate",
  "compromiseDate",
  "compromiseOccurrenceDate",
  "revocationReason",
  "archiveDate",
  "digest",
  "leaseTime",
  "alwaysSensitive",
  "neverExtractable",
]);

export interface NewObject {
  uid: string;
  objectType: ObjectType;
  attributes: Attributes;
  value: ObjectValue;
  /** What was made here was never known outside; what was brought in may have been. */
  made: boolean;
  state?: ManagedObject["state"];
  /** Whether its usage limits were used where it was before; otherwise nothing of them is used. */
  used?: boolean;
}

/** Refuses attributes that are the server's to set. */
export function checkSettable(attributes: Attributes): void {
  for (const attribute of SERVERS)
    if (attributes[attribute] !== undefined)
      throw new KmipError("ReadOnlyAttribute", `${attribute} is set by the server`);
  if (attributes.templateNames?.length)
    throw new KmipError("FeatureNotSupported", "There are no templates here");
}

/** Puts a new object, with the attributes that the server gives it. */
export function putNew(
  context: Context,
  { uid, objectType, attributes, value, made, state, used = false }: NewObject,
): ManagedObject {
  const { now, subject, work } = context;
  if (context.objects) throw new KmipError("PermissionDenied", "The ticket is for objects that are there");
  const { usageLimits } = attributes;
  checkUsageLimits(attributes);
  const sensitive = attributes.sensitive ?? false;
  const extractable = attributes.extractable ?? true;
  const { objectType: _type, uniqueIdentifier: _uid, state: _state, attributeIndex: _, ...kept } = attributes;
  const object: ManagedObject = {
    uid,
    owner: subject.identity,
    objectType,
    state: state ?? "PreActive",
    value,
    attributes: {
      ...kept,
      initialDate: now,
      lastChangeDate: now,
      // Of an object that was made elsewhere nobody but the client knows it (KMIP 2.1 §4.38 Original Creation Date).
      ...(made ? { originalCreationDate: attributes.originalCreationDate ?? now } : {}),
      fresh: attributes.fresh ?? true,
      leaseTime: shorterLease(attributes.leaseTime, context.leaseTime),
      protectionStorageMask: ["Software"],
      ...(usageLimits ? { usageLimits: used ? counted(usageLimits) : unused(usageLimits) } : {}),
      ...(made ? { randomNumberGenerator: GENERATOR } : {}),
      ...(attributes.keyValueLocation ? { keyValuePresent: hasKeyValue(value) } : {}),
      // Of certificates and public keys too, though they are given to everybody (TC-CERTATTR-1, AKLC-O-1).
      ...(objectType === "Template"
        ? {}
        : {
            sensitive,
            extractable,
            alwaysSensitive: sensitive,
            neverExtractable: !extractable,
          }),
    },
  };
  // A digest lets anyone who reads attributes test a guess; keys of the hierarchy have none.
  const told = classOf(object.attributes) === undefined || isRecognized(object.attributes);
  const digest = told ? digestsOf(objectType, value) : [];
  if (digest.length > 0) object.attributes.digest = digest;
  checkCount(object);
  checkDates(object.attributes);
  checkQuantumSafe(object.attributes);
  checkNames(context, object);
  checkConstraints(context, object);
  work.put(object);
  return object;
}

/** How keys are made here: OpenSSL's generator, seeded by the operating system (NIST SP 800-90A, CTR_DRBG). */
export const GENERATOR = {
  rngAlgorithm: "DRBG",
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  drbgAlgorithm: "CTR",
} as const;

/** Whether a key's value is here, or only its description (KMIP 2.1 §4.28 Key Value Present). */
function hasKeyValue(value: ObjectValue): boolean {
  return Object.values(value).some(
    (held) => held && "keyBlock" in held && held.keyBlock.keyValue !== undefined,
  );
}

/** KMIP 2.1 §4.32 Name: no two living objects of an owner have the same name; but PyKMIP gives all of a type the same. */
export function checkNames({ work, pykmip }: Pick<Context, "work" | "pykmip">, object: ManagedObject): void {
  const names = (object.attributes.name ?? []).map(({ nameValue }) => nameValue);
  if (new Set(names).size !== names.length) throw new KmipError("NonUniqueNameAttribute", "A name twice");
  if (pykmip) return;
  for (const name of names) {
    const others = work.find([
      ["name", name],
      ["owner", object.owner],
    ]);
    for (const uid of others)
      if (uid !== object.uid && !isDestroyed(work.known(uid)))
        throw new KmipError("NonUniqueNameAttribute", "Another object has that name");
  }
}

/** An object is active before it processes or protects, and does both before it ends (KMIP 2.1 §4, the dates). */
export function checkDates({
  activationDate,
  processStartDate,
  protectStopDate,
  deactivationDate,
}: Attributes): void {
  const pairs = [
    [activationDate, processStartDate],
    [activationDate, protectStopDate],
    [activationDate, deactivationDate],
    [processStartDate, deactivationDate],
    [protectStopDate, deactivationDate],
  ];
  if (pairs.some(([earlier, later]) => earlier && later && later < earlier))
    throw new KmipError("InvalidAttributeValue", "The dates are in no possible order");
}

/**
 * Quantum Safe (KMIP 2.1 §4.45) is asked for, not found out: a key that is not is refused (QS-M-2). Grover's algorithm
 * halves the strength of a symmetric key, Shor's breaks the pairs that are made here.
 */
function checkQuantumSafe({ quantumSafe, cryptographicAlgorithm: algorithm, ...others }: Attributes): void {
  if (!quantumSafe || algorithm === undefined) return;
  const asymmetric = /^(RSA|DSA|EC|ECDSA|ECDH|ECMQV|DH|Ed25519|Ed448)$/.test(String(algorithm));
  if (asymmetric || (others.cryptographicLength ?? 256) < 256)
    throw new KmipError("GeneralFailure", "Not a quantum safe key");
}

type Digest = NonNullable<Attributes["digest"]>[number];
type Format = KeyBlock["keyFormatType"];

/** Digests by SHA-256 (KMIP 2.1 §4.21 Digest): of the value as it is kept, and of a transparent key in bytes too. */
function digestsOf(objectType: ObjectType, value: ObjectValue): Digest[] {
  if (value.certificate) return [digestOf(value.certificate.certificateValue, "Raw")];
  if (value.opaqueObject) return [digestOf(value.opaqueObject.opaqueDataValue)];
  const held = Object.values(value).find((one) => one !== undefined);
  const block = held && "keyBlock" in held ? held.keyBlock : undefined;
  if (!block?.keyValue || block.keyValue instanceof Uint8Array) return [];
  const { keyMaterial } = block.keyValue;
  if (keyMaterial instanceof Uint8Array) return [digestOf(keyMaterial, block.keyFormatType)];
  return [
    digestOf(encodeTransparentKey(keyMaterial), block.keyFormatType),
    ...(keyMaterial.key ? [digestOf(keyMaterial.key, "Raw")] : []),
    ...pkcs1DigestsOf(objectType, block),
  ];
}

function pkcs1DigestsOf(objectType: ObjectType, block: KeyBlock): Digest[] {
  if (!String(block.keyFormatType).startsWith("TransparentRSA")) return [];
  try {
    const key = objectType === "PrivateKey" ? parsePrivateKey(block) : parsePublicKey(block);
    return [digestOf(key.export({ format: "der", type: "pkcs1" }), "PKCS_1")];
  } catch {
    // Kept as it came, though it cannot be used.
    return [];
  }
}

function digestOf(bytes: Uint8Array, keyFormatType?: Format): Digest {
  const digestValue = new Uint8Array(createHash("sha256").update(bytes).digest());
  return { hashingAlgorithm: "SHA_256", digestValue, ...(keyFormatType ? { keyFormatType } : {}) };
}
