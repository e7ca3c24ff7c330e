import type { Claims } from "#protocol/evidence/index.ts";
import { KmipError, type UniqueIdentifier } from "#protocol/kmip/index.ts";
import { checkAccess } from "../policy/access.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import type { Asker, Clock, Context, Kept } from "./context.ts";

/** The object that a request names, as far as the asker may do this with it; destroyed ones only where asked for. */
export function objectFor(
  context: Context,
  identifier: UniqueIdentifier | undefined,
  operation: string,
  { destroyed = false, archived = false, correlationValue }: ObjectOptions = {},
): ManagedObject {
  const traits = context.subject.operations[operation];
  const uid = context.references.resolve(identifier);
  // Before anything is looked up: the bearer is not told which other objects there are.
  if (context.objects?.has(uid) === false)
    throw new KmipError("NotAuthorised", "The ticket is not for that object");
  const object = context.work.get(uid);
  if (!object) throw new KmipError("ObjectNotFound", "No such object");
  checkAccess(context.subject, object, operation);
  if (!destroyed && isDestroyed(object)) throw new KmipError("ObjectDestroyed", "The object was destroyed");
  if (!archived && object.attributes.archiveDate && traits?.needsValue !== false)
    throw new KmipError("ObjectArchived", "The object is archived");
  if (!traits?.unattested)
    context.attestation.check(object.attributes, begunWith(context, operation, object, correlationValue));
  return object;
}

/** Which objects are taken, and the stream that the operation is a piece of. */
interface ObjectOptions {
  destroyed?: boolean;
  archived?: boolean;
  correlationValue?: Uint8Array | undefined;
}

function begunWith(
  { streams, holder, channel, now }: Asker & Clock & Kept,
  operation: string,
  { uid }: ManagedObject,
  correlationValue: Uint8Array | undefined,
): Claims | undefined {
  return correlationValue && streams.evidence(correlationValue, { holder, operation, uid, channel }, now);
}
