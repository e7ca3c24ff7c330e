import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { agreedSecret, DERIVATIONS } from "../crypto/derivation.ts";
import { admitAttributes } from "../policy/admission.ts";
import { withRequirements } from "../policy/attestation.ts";
import { derivedAttributes } from "../policy/channel.ts";
import { classOf } from "../policy/classes.ts";
import { operatingAttributes } from "../policy/data-operations.ts";
import { checkRelease } from "../policy/release.ts";
import { isRestricted } from "../policy/roles.ts";
import { checkDerivation } from "../policy/secrecy.ts";
import { isOfSeed, seedAttributes } from "../policy/seed.ts";
import type { ManagedObject, ObjectValue } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf, secretBytes } from "../store/material.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { addLink } from "./links.ts";
import { checkSettable, putNew } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkUsable, countUsage } from "./usage.ts";

type Request = RequestPayload<"DeriveKey">;
type Bytes = Uint8Array<ArrayBuffer>;

/** Objects that one derivation may be from. */
const MAX_BASES = 16;

/** What HKDF with SHA-512 can give is 255 blocks of 512 bits. */
const MAX_BITS = 131_072;

/**
 * Derive Key (KMIP 2.1 §6.1.14): a symmetric key or secret data from keys that may be used to derive. Keys of the
 * hierarchy derive nothing here (`checkUsable`), but those of a channel (`policy/channel.ts`) and, where the officer allows it, data keys
 * (`policy/data-operations.ts`), and those of a seed (`policy/seed.ts`).
 */
const deriveKey: Handler<"DeriveKey"> = async (request, context) => {
  const { objectType, attributes } = request;
  const { subject } = context;
  const basesNow = () => request.uniqueIdentifier.map((identifier) => base(identifier, context));
  // An identity of a deployment derives what its policy has: whatever else is wrong is none of its business.
  if (isRestricted(subject.role)) {
    const named = request.uniqueIdentifier.map((identifier) =>
      objectFor(context, identifier, accessTo(identifier, context)),
    );
    ruledAttributes(named, request, context);
  }
  if (objectType !== "SymmetricKey" && objectType !== "SecretData")
    throw new KmipError("InvalidObjectType", "Symmetric keys and secret data are derived");
  checkSettable(attributes);
  admitAttributes(subject, "DeriveKey", objectType, attributes);
  if (request.uniqueIdentifier.length > MAX_BASES) throw new KmipError("InvalidField", "Too many bases");
  const derivedFrom = basesNow();
  const whole = await derived(derivedFrom, request, context);
  // That may have taken its time: what the bases are now is looked at again. What was derived is from those of before, so
  // the rules are those of both: another, laxer object may have come in the place of a base.
  context.work.forget();
  const bases = basesNow();
  const both = [...derivedFrom, ...bases];
  const made = inherited(both, ruledAttributes(bases, request, context));
  for (const one of bases) countUsage(one, 0, context);
  const bytes = cut(whole, made.cryptographicLength);
  checkDerivation(both, {
    method: request.derivationMethod,
    parameters: request.derivationParameters.cryptographicParameters,
    given: whole.length,
    taken: bytes.length,
    attributes: made,
  });
  const object = putNew(context, {
    uid: newIdentifier(context),
    objectType,
    attributes: {
      ...made,
      cryptographicLength: bytes.length * 8,
      keyFormatType: "Raw",
      link: [
        ...(attributes.link ?? []),
        ...bases.map(
          ({ uid }) => ({ linkType: "DerivationBaseObjectLink", linkedObjectIdentifier: uid }) as const,
        ),
      ],
    },
    value: objectOf(objectType, bytes, made),
    made: false,
  });
  for (const one of bases)
    if (classOf(one.attributes) !== "seed-hmac") addLink(one, "DerivedKeyLink", object.uid, context);
  context.references.set(object.uid, "DeriveKey");
  return { uniqueIdentifier: object.uid };
};

/** What the policy makes of the request: of an identity of a deployment a channel's key, one of a data key's, or nothing. */
function ruledAttributes(
  bases: ManagedObject[],
  request: Request,
  { subject, work, now }: Context,
): Attributes {
  const { attributes, objectType, derivationMethod: method } = request;
  if (!isRestricted(subject.role)) return attributes;
  const [dataKey, ...more] = bases;
  if (isOfSeed(dataKey))
    return seedAttributes(subject, bases, {
      ...{ method, parameters: request.derivationParameters, objectType, request: attributes },
    });
  if (dataKey && more.length === 0 && classOf(dataKey.attributes) === "data") {
    const { derivationParameters: parameters } = request;
    const asked = { method, parameters, objectType, request: attributes };
    return operatingAttributes(subject, dataKey, asked, work, now);
  }
  return derivedAttributes(subject, {
    ...{ method, bases, objectType, request: attributes },
    info: request.derivationParameters.derivationData,
  });
}

function base(identifier: Request["uniqueIdentifier"][number], context: Context): ManagedObject {
  const object = objectFor(context, identifier, accessTo(identifier, context));
  // The public half of an agreement is no secret; anyone who holds it may use it so.
  if (object.objectType !== "PublicKey") checkUsable(object, "DeriveKey", context.now);
  return object;
}

/** The tenant's key for seeds is shared as its master key is: the KMS uses it where a policy says how, and nobody gets it. */
function accessTo(identifier: Request["uniqueIdentifier"][number], { work, references }: Context): string {
  const object = work.get(references.resolve(identifier));
  return object && classOf(object.attributes) === "seed-hmac" ? "Get" : "DeriveKey";
}

async function derived(bases: ManagedObject[], request: Request, context: Context): Promise<Uint8Array> {
  const { derivationMethod, derivationParameters, attributes } = request;
  const [key, second] = bases;
  if (!key) throw new KmipError("MissingData", "There is nothing to derive from");
  if (derivationMethod === "AsymmetricKey") return agreed(bases, request);
  const method = String(derivationMethod);
  const derivation = Object.hasOwn(DERIVATIONS, method) ? DERIVATIONS[method] : undefined;
  if (!derivation) throw new KmipError("FeatureNotSupported", "Not a method of derivation here");
  // What is encrypted can be recovered by anyone who has the key, which may be the client's own: as good as Get.
  if (second && method === "ENCRYPT")
    checkRelease(context.subject, second, undefined, context.work, context.now);
  // A second object, secret data, holds the derivation data (KMIP 2.1 §6.1.14 Derive Key).
  const derivationData = second ? secretBytes(second) : derivationParameters.derivationData;
  // A vendor rule: this salt is not the client's to know, so it comes as an object (`policy/seed.ts`).
  const isSalt = second && classOf(second.attributes) === "seed-salt";
  const bits = attributes.cryptographicLength ?? 256;
  if (bits < 8 || bits > MAX_BITS || bits % 8 !== 0) throw new KmipError("InvalidField", "Not a length");
  const input = {
    key: secretBytes(key),
    algorithm: key.attributes.cryptographicAlgorithm,
    parameters: { ...derivationParameters, derivationData, ...(isSalt && { salt: derivationData }) },
    length: bits / 8,
  };
  return derivation(input, context);
}

/** Asymmetric Key: a private key and a public key of the same curve, in either order. */
function agreed(bases: ManagedObject[], _request: Request): Uint8Array {
  const privateKey = bases.find(({ objectType }) => objectType === "PrivateKey");
  const publicKey = bases.find(
    ({ objectType }) => objectType === "PublicKey" || objectType === "Certificate",
  );
  if (!privateKey || !publicKey) throw new KmipError("MissingData", "A private and a public key are needed");
  return agreedSecret(privateKeyOf(privateKey), publicKeyOf(publicKey));
}

/** As many bits as are asked for; more than there are cannot be had. */
function cut(bytes: Uint8Array, bits: number | undefined): Bytes {
  const length = bits === undefined ? bytes.length : bits / 8;
  if (!Number.isInteger(length) || length < 1) throw new KmipError("InvalidField", "Not a length");
  if (length > bytes.length) throw new KmipError("CryptographicFailure", "The method gives less than that");
  return new Uint8Array(bytes.subarray(0, length));
}

/** What comes from a sensitive key is sensitive, and what comes from one that cannot leave stays, whatever is asked for. */
function inherited(bases: ManagedObject[], attributes: Attributes): Attributes {
  const secret = bases.filter(({ objectType }) => objectType !== "PublicKey");
  const required = withRequirements(secret, attributes);
  return {
    ...required,
    ...(secret.some((one) => one.attributes.sensitive) ? { sensitive: true } : {}),
    // Of keys of the hierarchy the policy has said what leaves: a data key from a seed goes to recipients.
    ...(secret.some((one) => one.attributes.extractable === false) && classOf(attributes) !== "data"
      ? { extractable: false }
      : {}),
  };
}

function objectOf(
  objectType: "SymmetricKey" | "SecretData",
  keyMaterial: Bytes,
  attributes: Attributes,
): ObjectValue {
  const keyBlock = { keyFormatType: "Raw" as const, keyValue: { keyMaterial } };
  if (objectType === "SecretData")
    return {
      secretData: { secretDataType: "Seed", keyBlock: { ...keyBlock, keyFormatType: "Opaque" } },
    };
  if (attributes.cryptographicAlgorithm === undefined)
    throw new KmipError("MissingData", "Cryptographic Algorithm is missing");
  return {
    symmetricKey: {
      keyBlock: {
        ...keyBlock,
        cryptographicAlgorithm: attributes.cryptographicAlgorithm,
        cryptographicLength: keyMaterial.length * 8,
      },
    },
  };
}

export const DeriveKey: Operation<"DeriveKey"> = {
  handler: deriveKey,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "none",
  policyName: "DERIVE_KEY",
  shared: false,
};
