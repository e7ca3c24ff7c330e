import { KmipError } from "#protocol/kmip/index.ts";
import { objectsFor, rightsTo, type Session } from "../identity/tickets.ts";

/**
 * What a ticket with rights is good for (KMIP 2.1 §7.35 Rights). A right that names objects reaches these and nothing else, so
 * that operations without an object are refused: what they read or change is their owner's, or everybody's. The table
 * has what is left; nothing that is absent here is allowed.
 */

/** Operations that reach the objects that they name, each by `objectFor`, and make no others. Locate finds these alone. */
const ON_NAMED_OBJECTS: ReadonlySet<string> = new Set([
  "Activate",
  "AddAttribute",
  "AdjustAttribute",
  "Archive",
  "Check",
  "Decrypt",
  "DeleteAttribute",
  "Destroy",
  "Encrypt",
  "Export",
  "Get",
  "GetAttributeList",
  "GetAttributes",
  "GetUsageAllocation",
  "Locate",
  "MAC",
  "MACVerify",
  "ModifyAttribute",
  "ObtainLease",
  "Recover",
  "Revoke",
  "SetAttribute",
  "Sign",
  "SignatureVerify",
  "Validate",
]);

/** Operations that are about the session itself, or return what everybody may know. */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  "Cancel",
  "DiscoverVersions",
  "Logout",
  "Ping",
  "Poll",
  "Process",
  "Query",
  "QueryAsynchronousRequests",
]);

/** Refuses an operation that a ticket is not for. */
export function checkRights(session: Session, operation: string): void {
  const named = objectsFor(session, operation) !== undefined;
  const allowed = !named || ON_NAMED_OBJECTS.has(operation) || OF_THE_SESSION.has(operation);
  if (rightsTo(session, operation).length === 0 || !allowed)
    throw new KmipError("NotAuthorised", "The ticket is not for that");
}
