import { compareBytes } from "#protocol/byte-order.ts";
import {
  CEK_UNDER_PAIR,
  DATA_UNDER_MASTER,
  DATA_UNDER_PAIR,
  type KeyClass,
  PRIVATE_UNDER_PARENT,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import type { ObjectType } from "../store/managed-object.ts";
import { isCek } from "./master-cek.ts";

/** A key below a parent, or the parent: what kind of object, and of which class. */
type Rung = { objectType: ObjectType; keyClass: KeyClass | undefined };

/**
 * How a key of the hierarchy is wrapped under its parent, on the way out and on the way in: a symmetric key under an AES
 * key by AES-KW, a data key under a master key by AES-KWP, the private half of a pair by AES-GCM, and a symmetric key under a
 * pair by RSA-OAEP with SHA-256, with a label where the pair has several kinds of children.
 */
export function checkUnderParent(
  child: Rung,
  parent: Rung,
  parameters: CryptographicParameters | undefined,
): void {
  if (child.keyClass === "signature" && parent.keyClass !== "signing")
    refuse("A pair that signs is under a key of its own");
  if (parent.objectType === "PrivateKey") {
    if (child.objectType !== "SymmetricKey") refuse("Symmetric keys alone are under a pair");
    if (!isOaep256(parameters, labelUnder(child, parent)))
      refuse("Under a pair by RSA-OAEP with SHA-256 only");
    return;
  }
  if (isCek(parent.keyClass) && child.objectType !== "PrivateKey")
    refuse("Private halves alone are under a content-encryption key");
  if (parameters?.blockCipherMode !== modeUnder(child, parent))
    refuse("Not how a key is wrapped by its parent");
}

function modeUnder(child: Rung, parent: Rung) {
  if (child.objectType === "PrivateKey") return PRIVATE_UNDER_PARENT.blockCipherMode;
  const isOwn = parent.keyClass === "master" && child.keyClass === "data";
  return (isOwn ? DATA_UNDER_MASTER : UNDER_PARENT).blockCipherMode;
}

function labelUnder(child: Rung, parent: Rung): Uint8Array | undefined {
  if (child.keyClass === "master-cek") return CEK_UNDER_PAIR.pSource;
  return parent.keyClass === "master" && child.keyClass === "data" ? DATA_UNDER_PAIR.pSource : undefined;
}

/** Of which of its parent's kinds of children a wrapped key is: what is authentic in one way is not in the other. */
export function kindOfWrapped(
  parameters: CryptographicParameters | undefined,
): "child" | "secondChild" | "cek" {
  if (parameters?.blockCipherMode === DATA_UNDER_MASTER.blockCipherMode) return "secondChild";
  if (isOaep256(parameters, DATA_UNDER_PAIR.pSource)) return "secondChild";
  return isOaep256(parameters, CEK_UNDER_PAIR.pSource) ? "cek" : "child";
}

/** RSA-OAEP with SHA-256 and MGF1 with SHA-256, with this label and no other. */
export function isOaep256(
  parameters: CryptographicParameters | undefined,
  label: Uint8Array = new Uint8Array(),
): boolean {
  return (
    parameters?.paddingMethod === "OAEP" &&
    parameters.hashingAlgorithm === "SHA_256" &&
    (parameters.maskGenerator === undefined || parameters.maskGenerator === "MGF1") &&
    (parameters.maskGeneratorHashingAlgorithm ?? "SHA_256") === "SHA_256" &&
    compareBytes(parameters.pSource ?? new Uint8Array(), label) === 0
  );
}

/** Whether `given` says all of `wanted`, and nothing beside it. Compares names and numbers, not byte strings. */
export function saysExactly(
  given: CryptographicParameters | undefined,
  wanted: CryptographicParameters,
): boolean {
  const said = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  const due = new Map<string, unknown>(Object.entries(wanted));
  return said.length === due.size && said.every(([name, value]) => due.has(name) && due.get(name) === value);
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
