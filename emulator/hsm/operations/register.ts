import { KmipError } from "#protocol/kmip/index.ts";
import { admitAttributes } from "../policy/admission.ts";
import { classOf } from "../policy/classes.ts";
import { verifyRecipient } from "../policy/recipient.ts";
import { recoveryAttributes } from "../policy/recovery.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject, ObjectType, ObjectValue } from "../store/managed-object.ts";
import type { Context } from "./context.ts";
import { checkKind, defined, described } from "./description.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { withKeyValueAttributes } from "./key-value-attributes.ts";
import { addLink } from "./links.ts";
import { checkSettable, putNew } from "./new-object.ts";
import type { Operation } from "./operation.ts";
import { unpacked } from "./pkcs12.ts";

/** Register (KMIP 2.1 §6.1.43): an object that was made elsewhere. */
const register: Handler<"Register"> = (request, context) => {
  const { subject, work, now } = context;
  const { objectType } = request;
  if (!request.object) throw new KmipError("MissingData", "The object is missing");
  const { attributes, object } = withKeyValueAttributes(
    objectType,
    request.object,
    request.attributes,
    context,
  );
  checkSettable(attributes);
  admitAttributes(subject, "Register", objectType, attributes);
  checkKind(objectType, object);
  if (isRestricted(subject.role)) checkRegistrar(objectType, object);
  const opened = objectType === "PrivateKey" ? unpacked(object, attributes, context) : undefined;
  const { value = object, attributes: named } = opened ?? {};
  const registered = putNew(context, {
    uid: newIdentifier(context),
    objectType,
    attributes: { ...named, ...attributes, ...described(objectType, value, attributes) },
    value,
    made: false,
  });
  if (classOf(registered.attributes) === "recovery") {
    registered.attributes = recoveryAttributes(registered, context.now);
    work.put(registered);
  }
  if (opened) putChain(registered, opened.certificates, context);
  if (isRestricted(subject.role) && objectType === "PublicKey") {
    const { vendorAttributes = [] } = registered.attributes;
    registered.attributes.vendorAttributes = [...vendorAttributes, ...verifyRecipient(registered, work, now)];
    work.put(registered);
  }
  context.references.set(registered.uid, "Register");
  return { uniqueIdentifier: registered.uid };
};

/** The certificates that came with a private key: each is linked from what stands before it (TC-PKCS12-1). */
function putChain(
  key: ManagedObject,
  certificates: readonly Uint8Array<ArrayBuffer>[],
  context: Context,
): void {
  let last = key;
  for (const certificateValue of certificates) {
    const value = { certificate: { certificateType: "X_509" as const, certificateValue } };
    const { pkcs_12FriendlyName } = last === key ? key.attributes : {};
    const certificate = putNew(context, {
      uid: newIdentifier(context),
      objectType: "Certificate",
      attributes: defined({ pkcs_12FriendlyName, ...described("Certificate", value, {}) }),
      value,
      made: false,
    });
    addLink(last, "PKCS_12CertificateLink", certificate.uid, context);
    last = certificate;
  }
}

/** The registration authority brings in certificates and recipients' public keys, bare, and nothing else. */
function checkRegistrar(objectType: ObjectType, object: ObjectValue): void {
  const block = object.publicKey?.keyBlock;
  const bare = block?.keyFormatType === "X_509" && !block.keyWrappingData && !block.keyCompressionType;
  if (objectType !== "Certificate" && !(objectType === "PublicKey" && bare))
    throw new KmipError("PermissionDenied", "Not allowed for this identity");
}

export const Register: Operation<"Register"> = {
  handler: register,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["ra"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
