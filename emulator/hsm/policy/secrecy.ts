import { POLICY, policyAttribute } from "#protocol/hierarchy/index.ts";
import { type Attributes, type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { publicKeyOf } from "../store/material.ts";

/**
 * Keys that their own clients must not learn: Sensitive, or not Extractable. What is made from such a key, under another
 * name, type or length, must not reveal it: `docs/decisions/0013-secret-keys.md` says what is refused, and why the rest is not.
 */

/** Bytes that a key from a secret one has at least: of a shorter prefix each byte is 256 guesses. */
const MIN_SECRET_BYTES = 16;

export function isSecret({ attributes }: Pick<ManagedObject, "attributes">): boolean {
  return attributes.sensitive === true || attributes.extractable === false;
}

interface Derivation {
  method: unknown;
  parameters: CryptographicParameters | undefined;
  /** Length in bytes of all that the method gives, and of what is taken. */
  given: number;
  taken: number;
  /** The attributes of the result. */
  attributes: Attributes;
}

/** Refuses a derivation that could reveal a secret key, or the secret result. */
export function checkDerivation(bases: readonly ManagedObject[], derivation: Derivation): void {
  const secret = bases.filter((base) => base.objectType !== "PublicKey" && isSecret(base));
  const { method, parameters, given, taken, attributes } = derivation;
  if (secret.length === 0 && !isSecret({ attributes })) return;
  if (taken < MIN_SECRET_BYTES)
    throw new KmipError("InvalidField", "What a secret key gives has 128 bits at least");
  checkNoPad(attributes);
  if (secret.length === 0) return;
  // The output is not specified further, and stands for itself: no two lengths of it share a prefix.
  if (method === "AsymmetricKey" && taken < given)
    throw new KmipError("InvalidField", "What secret keys agree on is taken whole");
  // Its Digest attribute gives the hash of a key, and anyone can compute the hash of data.
  if (method === "HASH") throw unfit("A hash of a secret key is no secret");
  // A key stream would give keys whose differences the client chooses, and ECB the same block where it wants it.
  const mode = parameters?.blockCipherMode ?? "CBC";
  const small = secret.some((base) => base.attributes.cryptographicAlgorithm === "DES3");
  if (method === "ENCRYPT" && (mode !== "CBC" || small))
    throw unfit("Secret keys derive by encryption in CBC, with blocks of 128 bits");
  const open = method === "ENCRYPT" ? ["Encrypt", "Decrypt"] : ["MACGenerate"];
  if (method !== "AsymmetricKey" && method !== "HKDF" && secret.some((base) => may(base, open)))
    throw new KmipError(
      "IncompatibleCryptographicUsageMask",
      "The key would tell in the open what it derives: its mask has Encrypt, Decrypt or MAC Generate",
    );
}

/** Refuses to make a pad of what is secret: anyone who encrypts zeros learns it. */
export function checkNoPad({ cryptographicAlgorithm }: Attributes): void {
  if (cryptographicAlgorithm === "OneTimePad") throw unfit("A secret key becomes no one-time pad");
}

/** Refuses a wrapping key that would give a sensitive object away to those who may not know the key itself. */
export function checkWrapsSecret(key: ManagedObject): void {
  if (key.objectType === "PublicKey") {
    // Of recipients alone (`release.ts`).
    if (policyAttribute(key.attributes, POLICY.recipientAgreement) !== undefined) return;
    if ((publicKeyOf(key).asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
      throw unfit("Sensitive objects are wrapped under RSA keys of 2048 bits at least");
  } else if (isSecret(key) && may(key, ["Decrypt"]))
    throw new KmipError("IncompatibleCryptographicUsageMask", "The wrapping key decrypts what it wrapped");
}

/**
 * Refuses to encrypt a sensitive object by a key stream that could be had again: the nonce is told, and a key that does
 * anything but wrap would give what it was added to.
 */
export function checkWrapsByStream(key: ManagedObject): void {
  const uses = key.attributes.cryptographicUsageMask ?? [];
  if (isSecret(key) && uses.some((use) => use !== "WrapKey" && use !== "UnwrapKey"))
    throw new KmipError(
      "IncompatibleCryptographicUsageMask",
      "A key that wraps sensitive objects by AES-GCM wraps and unwraps, and nothing else",
    );
}

/** Whether the value can be found by guessing: then a digest reveals it to anyone who reads attributes. */
export function isGuessable({ objectType, attributes }: ManagedObject): boolean {
  if (!isSecret({ attributes })) return false;
  const short = (attributes.cryptographicLength ?? 0) < MIN_SECRET_BYTES * 8;
  return (
    objectType === "SecretData" || (short && (objectType === "SymmetricKey" || objectType === "SplitKey"))
  );
}

function may({ attributes }: ManagedObject, uses: readonly string[]): boolean {
  return attributes.cryptographicUsageMask?.some((use) => uses.includes(String(use))) ?? false;
}

function unfit(message: string): KmipError {
  return new KmipError("UnsupportedCryptographicParameters", message);
}
