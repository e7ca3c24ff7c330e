import { isEncryptedKeyName, KEY, POLICY, policy } from "#protocol/hierarchy/index.ts";
import { type KeyBlock, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { CLASSES } from "../policy/classes.ts";
import type { Context } from "./context.ts";
import { checkChosenIdentifier } from "./identifier.ts";
import { checkNothingBeside, isWrapped, wrappedBytes } from "./key-wrapping.ts";
import { checkSettable, putNew } from "./new-object.ts";

/**
 * Keys of the hierarchy that are kept as they left the HSM: Enc(data) under an account key, Enc(master) for an instance
 * (W3, W8). Nothing here opens them or does anything else with them: Get gives them back as they came.
 */

/** From a key of 128 bits under AES Key Wrap (RFC 3394) to a private key of RSA-4096 in an authenticated envelope. */
const MIN_LENGTH = 24;
const MAX_LENGTH = 4096;
const MAX_NONCE = 16;
/** What its keeper may say of a key that is not used here. */
const SAID: ReadonlySet<string> = new Set([
  "name",
  "cryptographicAlgorithm",
  "cryptographicLength",
  "comment",
  "description",
]);

/** Import with Key Wrap Type As Registered (KMIP 2.1 §11.29), by an identity of a deployment, under one of the names for it. */
export function importEncrypted(request: RequestPayload<"Import">, context: Context) {
  const { subject, references } = context;
  const { attributes, objectType, object } = request;
  const uniqueIdentifier = checkChosenIdentifier(request.uniqueIdentifier);
  const block = object.symmetricKey?.keyBlock;
  const [name, ...others] = attributes.name ?? [];
  const isNamed = name !== undefined && others.length === 0 && isEncryptedKeyName(name.nameValue);
  if (
    !CLASSES.encrypted.keptFor.includes(subject.role) ||
    objectType !== "SymmetricKey" ||
    !block ||
    !isNamed
  )
    return refuse("Only wrapped keys of the hierarchy are imported");
  checkSettable(attributes);
  for (const [attribute, value] of Object.entries(attributes))
    if (value !== undefined && !SAID.has(attribute))
      refuse(`${attribute} is nothing of a key that is only kept`);
  checkWrapped(block);
  putNew(context, {
    uid: uniqueIdentifier,
    objectType,
    attributes: {
      ...attributes,
      ...KEY,
      keyFormatType: "Raw",
      sensitive: true,
      vendorAttributes: [policy(POLICY.class, "encrypted")],
    },
    value: { symmetricKey: { keyBlock: { ...block, ...KEY } } },
    made: false,
  });
  references.set(uniqueIdentifier, "Import");
  return { uniqueIdentifier };
}

/** Throws unless it is a key's bytes, encrypted under a key that the block names, and nothing else. */
function checkWrapped(block: KeyBlock): void {
  if (!isWrapped(block)) throw new KmipError("PermissionDenied", "Only wrapped keys are imported");
  const { keyFormatType, keyCompressionType, keyWrappingData: wrapping } = block;
  const { encryptionKeyInformation: by, ivCounterNonce } = wrapping;
  if (keyFormatType !== "Raw" || keyCompressionType !== undefined)
    throw new KmipError("KeyFormatTypeNotSupported", "Only raw keys are kept wrapped");
  if (wrapping.wrappingMethod !== "Encrypt" || wrapping.encodingOption !== "NoEncoding")
    throw new KmipError("KeyWrapTypeNotSupported", "Keys are wrapped by encryption only, and bare");
  if (wrapping.macSignatureKeyInformation || wrapping.macSignature || by?.cryptographicParameters?.pSource)
    throw new KmipError("InvalidField", "Not what a key is wrapped with here");
  if (typeof by?.uniqueIdentifier !== "string" || (ivCounterNonce?.length ?? 0) > MAX_NONCE)
    throw new KmipError("InvalidField", "Not what a key is wrapped with here");
  checkChosenIdentifier(by.uniqueIdentifier);
  checkNothingBeside(block.keyValue);
  const { length } = wrappedBytes(block.keyValue);
  if (length < MIN_LENGTH || length > MAX_LENGTH)
    throw new KmipError("InvalidField", "Not the length of a wrapped key");
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
