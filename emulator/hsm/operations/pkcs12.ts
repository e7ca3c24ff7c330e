import { type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { encodePkcs12 } from "../crypto/pkcs12.ts";
import type { ManagedObject } from "../managed-object.ts";
import { certificateDer, privateKeyOf, secretBytes } from "../material.ts";
import { type Context, objectFor } from "./handler.ts";

/** Longest chain of certificates that is followed. */
const MOST = 16;

/**
 * A private key as PKCS#12 (KMIP 2.1 §11.24): its PKCS#12 links name the password, and its certificates from one to
 * the next. The policy has seen to it that the key may leave in plain: a password of the client's protects nothing
 * from the client.
 */
export function pkcs12Block(object: ManagedObject, context: Context): KeyBlock {
  const password = linked(object, "PKCS_12PasswordLink", context);
  if (!password) throw new KmipError("MissingData", "No link names the password");
  const keyValue = encodePkcs12(
    {
      key: privateKeyOf(object),
      certificates: chain(object, context).map(certificateDer),
      password: new TextDecoder().decode(secretBytes(password)),
      friendlyName: object.attributes.pkcs_12FriendlyName,
    },
    context.random(16),
  );
  return { keyFormatType: "PKCS_12", keyValue };
}

function chain(object: ManagedObject, context: Context): ManagedObject[] {
  const found: ManagedObject[] = [];
  let next = linked(object, "PKCS_12CertificateLink", context) ?? linked(object, "CertificateLink", context);
  while (next && found.length < MOST && !found.some(({ uid }) => uid === next!.uid)) {
    found.push(next);
    next = linked(next, "PKCS_12CertificateLink", context);
  }
  return found;
}

/** The object that a link of that kind names, if the asker may have it. */
function linked(
  { attributes }: ManagedObject,
  kind: "PKCS_12PasswordLink" | "PKCS_12CertificateLink" | "CertificateLink",
  context: Context,
): ManagedObject | undefined {
  const link = attributes.link?.find(({ linkType }) => linkType === kind);
  return link && objectFor(context, link.linkedObjectIdentifier, "Get");
}
