import { type Attributes, type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { encodePkcs12 } from "../crypto/pkcs12.ts";
import { decodePkcs12, Pkcs12Refused, Pkcs12Unsupported } from "../crypto/pkcs12-decode.ts";
import { describeKey } from "../crypto/transparent-key.ts";
import { admitAttributes } from "../policy/admission.ts";
import { type ManagedObject, type ObjectValue, stateAt } from "../store/managed-object.ts";
import { certificateDer, privateKeyOf, secretBytes } from "../store/material.ts";
import type { Context } from "./context.ts";
import { der } from "./key-format.ts";
import { objectFor } from "./object-for.ts";

/** Units of work (`HeavyWork`) of the iterations that a PKCS#12 may cost. */
const COST = 500_000;

/** Longest chain of certificates that is followed. */
const MAX_CHAIN = 16;

/**
 * A private key as PKCS#12 (KMIP 2.1 §4.26 Key Format Type): its PKCS#12 links name the password, and its certificates from one to
 * the next. The policy has seen to it that the key may leave in plain: a password of the client's protects nothing
 * from the client.
 */
export function pkcs12Block(object: ManagedObject, context: Context): KeyBlock {
  const password = passwordOf(object, context);
  if (password === undefined) throw new KmipError("MissingData", "No link names the password");
  const keyValue = encodePkcs12(
    {
      key: privateKeyOf(object),
      certificates: chain(object, context).map(certificateDer),
      password,
      friendlyName: object.attributes.pkcs_12FriendlyName,
    },
    context.random(16),
  );
  return {
    keyFormatType: "PKCS_12",
    keyValue: context.version.major < 2 ? keyValue : { keyMaterial: keyValue },
  };
}

/** What a PKCS#12 with a private key holds, as objects of their own. */
export interface Unpacked {
  /** The key as PKCS#8, and what the PKCS#12 calls it. */
  value: ObjectValue;
  attributes: Attributes;
  /** DER: the key's own certificate, then from issuer to issuer. */
  certificates: Uint8Array<ArrayBuffer>[];
}

/**
 * Opens a private key that comes as PKCS#12, where a link names its password (TC-PKCS12-2). Without one it is kept as
 * it came.
 */
export function unpacked(value: ObjectValue, attributes: Attributes, context: Context): Unpacked | undefined {
  const block = value.privateKey?.keyBlock;
  if (block?.keyFormatType !== "PKCS_12" || block.keyWrappingData || !block.keyValue) return undefined;
  const password = passwordOf({ attributes }, context);
  if (password === undefined) return undefined;
  admitAttributes(context.subject, "Register", "Certificate", {});
  context.spend(COST);
  const bytes = block.keyValue instanceof Uint8Array ? block.keyValue : block.keyValue.keyMaterial;
  const { key, friendlyName, certificates } = opened(bytes, password, attributes.pkcs_12FriendlyName);
  const { cryptographicAlgorithm, cryptographicLength } = describeKey(key);
  const keyValue = { keyMaterial: der(key, "pkcs8") };
  return {
    value: {
      privateKey: {
        keyBlock: { keyFormatType: "PKCS_8", keyValue, cryptographicAlgorithm, cryptographicLength },
      },
    },
    attributes: friendlyName === undefined ? {} : { pkcs_12FriendlyName: friendlyName },
    certificates: certificates.map(({ raw }) => new Uint8Array(raw)),
  };
}

function opened(bytes: unknown, password: string, name: string | undefined) {
  try {
    return decodePkcs12(bytes as Uint8Array, password, name);
  } catch (error) {
    if (error instanceof Pkcs12Refused) throw new KmipError("CryptographicFailure", "Not that password's");
    if (error instanceof Pkcs12Unsupported) throw new KmipError("FeatureNotSupported", error.message);
    throw new KmipError("InvalidField", "The PKCS#12 cannot be read");
  }
}

/** The password that a link names, if there is one. */
function passwordOf(object: Pick<ManagedObject, "attributes">, context: Context): string | undefined {
  const password = linked(object, "PKCS_12PasswordLink", context);
  if (!password) return undefined;
  // A key used as a password is found by anyone who tries: few of its bytes are characters, and the rest all become one.
  if (password.objectType !== "SecretData")
    throw new KmipError("InvalidObjectType", "The password is not secret data");
  if (password.attributes.extractable === false)
    throw new KmipError("NotExtractable", "The password is not extractable");
  if (stateAt(password, context.now) !== "Active")
    throw new KmipError("WrongKeyLifecycleState", "The password is not Active");
  return new TextDecoder().decode(secretBytes(password));
}

function chain(object: ManagedObject, context: Context): ManagedObject[] {
  const found: ManagedObject[] = [];
  const isFound = (object: ManagedObject) => found.some(({ uid }) => uid === object.uid);
  let next = linked(object, "PKCS_12CertificateLink", context) ?? linked(object, "CertificateLink", context);
  while (next && found.length < MAX_CHAIN && !isFound(next)) {
    found.push(next);
    next = linked(next, "PKCS_12CertificateLink", context);
  }
  return found;
}

/** The object that a link of that kind names, if the asker may have it. */
function linked(
  { attributes }: Pick<ManagedObject, "attributes">,
  kind: "PKCS_12PasswordLink" | "PKCS_12CertificateLink" | "CertificateLink",
  context: Context,
): ManagedObject | undefined {
  const link = attributes.link?.find(({ linkType }) => linkType === kind);
  return link && objectFor(context, link.linkedObjectIdentifier, "Get");
}
