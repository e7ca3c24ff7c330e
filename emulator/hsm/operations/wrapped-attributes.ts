import {
  type AttributeReference,
  type Attributes,
  attributeBySpelling,
  isAttributeOf,
  type KeyWrappingSpecification,
  KmipError,
} from "#protocol/kmip/index.ts";
import { checkRights } from "../identity/rights.ts";
import { objectsFor } from "../identity/tickets.ts";
import { checkAccess, checkOperation } from "../policy/access.ts";
import { namesAttributes } from "../policy/release.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { chosen } from "./chosen-attributes.ts";
import { clientAttributes } from "./client-attributes.ts";
import type { Asker, Context } from "./context.ts";

/** Attributes that may be wrapped with a key. */
const MAX_WRAPPED_ATTRIBUTES = 256;

/**
 * The attributes that are to be wrapped with a key (KMIP 1.4 §2.1.6 Key Wrapping Specification). Each must be there: anyone who unwraps
 * the key relies on them. A client that may not ask for them does not get them wrapped either.
 */
export function attributesToWrap(
  object: ManagedObject,
  specification: KeyWrappingSpecification,
  context: Context,
): { attributes?: Attributes } {
  if (!namesAttributes(specification)) return {};
  const { attributeName = [], attributeReference = [], encodingOption } = specification;
  // KMIP 1.4, Error Handling: "Encoding Option not permitted when Key Wrapping Specification contains attribute names".
  if (encodingOption === "NoEncoding")
    throw new KmipError("EncodingOptionError", "Attributes are wrapped with the TTLV encoding only");
  const named = [...attributeName.map(attributeBySpelling), ...attributeReference];
  if (named.length > MAX_WRAPPED_ATTRIBUTES) throw new KmipError("InvalidField", "Too many attributes");
  checkTold(object, context);
  const all = clientAttributes(object, context.now);
  for (const one of named)
    if (!isThere(all, one) || (typeof one === "string" && !isAttributeOf(one, context.version)))
      throw new KmipError(
        "AttributeNotFound",
        "The object has not all the attributes that are to be wrapped",
      );
  return { attributes: chosen(all, named) };
}

/** Wrapped under a key that the client has, attributes are told: what is refused to Get Attributes is refused here. */
function checkTold(object: ManagedObject, { subject, session }: Asker): void {
  const operation = "GetAttributes";
  checkOperation(subject, operation);
  checkAccess(subject, object, operation);
  if (!session) return;
  checkRights(session, operation, subject.operations);
  if (objectsFor(session, operation)?.has(object.uid) === false)
    throw new KmipError("NotAuthorised", "The ticket is not for the attributes of that object");
}

function isThere(all: Attributes, reference: AttributeReference): boolean {
  const found = chosen(all, [reference]) as Record<string, unknown>;
  const property = typeof reference === "string" ? reference : "vendorAttributes";
  const value = found[property];
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}
