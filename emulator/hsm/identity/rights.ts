import { KmipError } from "#protocol/kmip/index.ts";
import type { OperationTraits } from "../policy/traits.ts";
import { objectsFor, rightsTo, type Session } from "./tickets.ts";

/**
 * What a ticket with rights is good for (KMIP 2.1 §7.35 Rights). A right that names objects reaches these and nothing else, so
 * that operations without an object are refused: what they read or change is their owner's, or everybody's.
 */

/** Refuses an operation that a ticket is not for. */
export function checkRights(session: Session, operation: string, operations: OperationTraits): void {
  const named = objectsFor(session, operation) !== undefined;
  const allowed = !named || (operations[operation]?.ticket ?? "none") !== "none";
  if (rightsTo(session, operation).length === 0 || !allowed)
    throw new KmipError("NotAuthorised", "The ticket is not for that");
}
