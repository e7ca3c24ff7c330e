import { KmipError } from "#protocol/kmip/index.ts";
import { stateAt } from "../store/managed-object.ts";
import type { Handler } from "./handler.ts";
import { shorterLease } from "./lease-time.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

/**
 * Obtain Lease (KMIP 1.4 §4.17, KMIP 2.1 §6.1.35): how long a client may use its copy, and when the object last changed.
 * The attribute is the longest lease of the object; the server as it is set up now may give a shorter one.
 */
const obtainLease: Handler<"ObtainLease"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "ObtainLease");
  const { leaseTime, initialDate = context.now, lastChangeDate = initialDate } = object.attributes;
  // "A new lease is not permitted": Permission Denied in all versions (KMIP 1.4, Error Handling; TC-95).
  if (stateAt(object, context.now) === "Compromised")
    throw new KmipError("PermissionDenied", "A compromised object is not leased");
  return {
    uniqueIdentifier: object.uid,
    leaseTime: shorterLease(leaseTime, context.leaseTime),
    lastChangeDate,
  };
};

export const ObtainLease: Operation<"ObtainLease"> = {
  handler: obtainLease,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "OBTAIN_LEASE",
  shared: false,
};
