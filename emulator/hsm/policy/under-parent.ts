import { PRIVATE_UNDER_PARENT, UNDER_PARENT } from "#protocol/hierarchy/index.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import type { ObjectType } from "../store/managed-object.ts";

/**
 * How a key of the hierarchy is wrapped under its parent, on the way out and on the way in: a symmetric key under an AES
 * key by AES-KW, the private half of a pair by AES-GCM, and a symmetric key under a pair by RSA-OAEP with SHA-256.
 */
export function checkUnderParent(
  object: ObjectType,
  parent: ObjectType,
  parameters: CryptographicParameters | undefined,
): void {
  if (parent === "PrivateKey") {
    if (object !== "SymmetricKey") refuse("Symmetric keys alone are under a pair");
    if (!isOaep256(parameters)) refuse("Under a pair by RSA-OAEP with SHA-256 only");
    return;
  }
  const { blockCipherMode } = object === "PrivateKey" ? PRIVATE_UNDER_PARENT : UNDER_PARENT;
  if (parameters?.blockCipherMode !== blockCipherMode) refuse("Not how a key is wrapped by its parent");
}

/** RSA-OAEP with SHA-256 and MGF1 with SHA-256, without a label. */
export function isOaep256(parameters: CryptographicParameters | undefined): boolean {
  return (
    parameters?.paddingMethod === "OAEP" &&
    parameters.hashingAlgorithm === "SHA_256" &&
    (parameters.maskGenerator === undefined || parameters.maskGenerator === "MGF1") &&
    (parameters.maskGeneratorHashingAlgorithm ?? "SHA_256") === "SHA_256" &&
    !parameters.pSource?.length
  );
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
